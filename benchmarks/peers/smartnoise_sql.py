"""SmartNoise SQL on pandas: Laplace noise, epsilon-DP. `max_ids` caps the rows of a unit over all groups together.

Its epsilon is for each statistic, of which this query has more than two; so it is asked what the query costs at 1.
"""

from __future__ import annotations

from importlib.metadata import version

import asking
import pandas as pd
import snsql

QUERY = "SELECT grp, COUNT(*) AS n, SUM(amount) AS s FROM main.t GROUP BY grp"
COLUMNS = {
    "max_ids": asking.MAX_GROUPS,
    "censor_dims": False,
    "person": {"type": "int", "private_id": True},
    "grp": {"type": "string"},
    "amount": {"type": "float", "lower": float(asking.LOW), "upper": float(asking.HIGH)},
}
METADATA = {"": {"main": {"t": COLUMNS}}}


def reader(frame: pd.DataFrame, epsilon: float) -> snsql.PrivateReader:
    privacy = snsql.Privacy(epsilon=epsilon, delta=asking.DELTA)
    return snsql.from_df(frame, privacy=privacy, metadata=METADATA)


def ask() -> asking.Answer:
    frame = pd.read_parquet(asking.asked()[0])
    cost, _delta = reader(frame.head(0), 1.0).get_privacy_cost(QUERY)
    rows = reader(frame, asking.epsilon() / cost).execute(QUERY)[1:]
    return {group: (float(count), float(total)) for group, count, total in rows}


if __name__ == "__main__":
    asking.run(version("smartnoise-sql"), ask)
