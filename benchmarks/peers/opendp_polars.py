"""OpenDP on Polars: rho-zCDP, a unit's rows and groups truncated by its identifier.

keep="first": the default, "sample", fails in this version; "first" keeps one group less than asked for, with noise for
all of them.
"""

from __future__ import annotations

from importlib.metadata import version

import asking
import opendp.prelude as dp
import polars as pl

ROWS = 10_000_000  # a public bound, which sums need; the larger, the more noise for what floats round

dp.enable_features("contrib")


def ask() -> asking.Answer:
    margin = dp.polars.Margin(by=["grp"], max_length=ROWS, max_groups=len(asking.GROUPS))
    context = dp.Context.compositor(
        data=pl.scan_parquet(asking.asked()[0]),
        privacy_unit=dp.unit_of(contributions=1, identifier=pl.col("person")),
        privacy_loss=dp.loss_of(rho=asking.RHO),
        split_evenly_over=1,
        margins=[margin],
    )
    amount = pl.col("amount").fill_null(0.0).fill_nan(0.0)
    bounds = float(asking.LOW), float(asking.HIGH)
    query = (
        context.query()
        .truncate_per_group(asking.MAX_ROWS, by=["grp"], keep="first")
        .truncate_num_groups(asking.MAX_GROUPS, by=["grp"], keep="first")
        .group_by("grp")
        .agg(dp.len(signed=True).alias("n"), amount.dp.sum(bounds).alias("s"))
        .with_keys(pl.LazyFrame({"grp": asking.GROUPS}))
    )
    rows = query.release().collect().select("grp", "n", "s").rows()
    return {group: (count, total) for group, count, total in rows}


if __name__ == "__main__":
    asking.run(version("opendp"), ask)
