"""Go once through guard, generator and disclosure, so that a worker's first run is as fast as its second.

The libraries behind them build tables on first use (measured: 1.5 s).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, DisclosureTerms, Terms
from sandbox.disclosure import arrange, protect
from sandbox.engines import generate, raw_schema
from sandbox.formats import to_ipc
from sandbox.guard import bare, check_sql

_NOW = datetime(2025, 1, 1, tzinfo=UTC)
_TERMS = Terms(
    assigners=("urn:uuid:0",),
    assignee="urn:uuid:1",
    purpose="public",
    scenario="",
    datasets=(
        DatasetTerm(
            "urn:uuid:2",
            "t",
            (
                ColumnTerm("u", ColumnType.TEXT, ColumnRole.UNIT),
                ColumnTerm("d", ColumnType.TEXT, ColumnRole.DIMENSION, domain=("a", "b")),
                ColumnTerm("m", ColumnType.DECIMAL, ColumnRole.MEASURE, aggregates=(Aggregate.SUM,), scale=2),
            ),
        ),
    ),
    joins=(),
    disclosure=DisclosureTerms(),
    max_runs=1,
    valid_from=_NOW,
    valid_until=_NOW + timedelta(days=1),
    retention_days=1,
)


def warm_up() -> None:
    query = check_sql("SELECT d, COUNT(*) AS n, SUM(m) AS s FROM t GROUP BY d", _TERMS)
    question = bare(query)
    generate(question, _TERMS)
    empty: pa.Table = raw_schema(question, _TERMS).empty_table()
    to_ipc(arrange(protect(empty, question, _TERMS).table, query, _TERMS))
