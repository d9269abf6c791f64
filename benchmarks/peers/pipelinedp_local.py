"""PipelineDP in one process: Laplace noise, epsilon-DP; groups and rows of a unit sampled, its sums clamped."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

import asking
import pipeline_dp
import pyarrow.parquet as pq


class Row(NamedTuple):
    person: int
    group: str
    amount: float


def ask() -> asking.Answer:
    table = pq.read_table(asking.asked()[0])
    rows = list(map(Row._make, zip(*(table[name].to_pylist() for name in table.column_names), strict=True)))
    accountant = pipeline_dp.NaiveBudgetAccountant(total_epsilon=asking.epsilon(), total_delta=asking.DELTA)
    engine = pipeline_dp.DPEngine(accountant, pipeline_dp.LocalBackend())
    params = pipeline_dp.AggregateParams(
        metrics=[pipeline_dp.Metrics.COUNT, pipeline_dp.Metrics.SUM],
        noise_kind=pipeline_dp.NoiseKind.LAPLACE,
        max_partitions_contributed=asking.MAX_GROUPS,
        max_contributions_per_partition=asking.MAX_ROWS,
        min_sum_per_partition=asking.LOW,
        max_sum_per_partition=asking.HIGH,
    )
    extractors = pipeline_dp.DataExtractors(
        privacy_id_extractor=lambda row: row.person,
        partition_extractor=lambda row: row.group,
        value_extractor=lambda row: row.amount,
    )
    result = engine.aggregate(rows, params, extractors, public_partitions=asking.GROUPS)
    accountant.compute_budgets()
    return {group: (metrics.count, metrics.sum) for group, metrics in result}


if __name__ == "__main__":
    asking.run(version("pipeline-dp"), ask)
