"""Tumult Analytics on Spark: rho-zCDP, a unit's groups and rows capped. The session is started before the clock."""

from __future__ import annotations

from importlib.metadata import version

import asking
from pyspark.sql import SparkSession
from tmlt.analytics import (
    AddRowsWithID,
    KeySet,
    MaxGroupsPerID,
    MaxRowsPerGroupPerID,
    QueryBuilder,
    RhoZCDPBudget,
    Session,
)


def ask() -> asking.Answer:
    frame = SPARK.read.parquet(asking.asked()[0])
    session = Session.from_dataframe(
        RhoZCDPBudget(asking.RHO), "t", frame, protected_change=AddRowsWithID("person")
    )
    keys = KeySet.from_dict({"grp": asking.GROUPS})
    capped = (
        QueryBuilder("t")
        .enforce(MaxGroupsPerID("grp", asking.MAX_GROUPS))
        .enforce(MaxRowsPerGroupPerID("grp", asking.MAX_ROWS))
    )
    counts = capped.groupby(keys).count(name="n")
    sums = capped.groupby(keys).sum("amount", low=asking.LOW, high=asking.HIGH, name="s")
    half = RhoZCDPBudget(asking.RHO / 2)
    n = {row["grp"]: row["n"] for row in session.evaluate(counts, half).collect()}
    s = {row["grp"]: row["s"] for row in session.evaluate(sums, half).collect()}
    return {group: (n[group], s[group]) for group in asking.GROUPS}


if __name__ == "__main__":
    SPARK = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .getOrCreate()
    )
    asking.run(version("tmlt.analytics"), ask)
