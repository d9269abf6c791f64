"""The contract of the guard's tests with everything in the perturbed lane, and extracts with record keys for it."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from contracts.policy.terms import ColumnRole, DatasetTerm, Lane, Terms
from sandbox.engines import generate, raw_schema
from sandbox.guard import AggregateQuery, bare, check_sql
from tests.unit.guard_terms import OPEN, TERMS
from tests.unit.shown import Shown, show
from tests.unit.test_engine_generated_sql import loans_frame, power_frame


def perturbed(terms: Terms) -> Terms:
    return replace(terms, datasets=tuple(_moved(d) for d in terms.datasets))


def _moved(dataset: DatasetTerm) -> DatasetTerm:
    columns = tuple(
        replace(c, lane=Lane.PERTURBED) if c.role is ColumnRole.MEASURE else c for c in dataset.columns
    )
    return replace(dataset, lane=Lane.PERTURBED, columns=columns)


PERTURBED, PERTURBED_OPEN = perturbed(TERMS), perturbed(OPEN)


def keyed(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return frame.assign(_record_key=rng.integers(0, 2**64, len(frame), dtype=np.uint64))


def frames(rows: int, seed: int) -> dict[str, pd.DataFrame]:
    return {
        "loans": keyed(loans_frame(rows, seed), seed),
        "power": keyed(power_frame(rows // 4, seed + 1), seed + 1),
    }


def arrow(data: dict[str, pd.DataFrame]) -> dict[str, pa.Table]:
    """For many questions about one extract: decimals are slow to convert."""
    return {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in data.items()}


Data = dict[str, pd.DataFrame] | dict[str, pa.Table]


def raw(text: str, data: Data, terms: Terms) -> pa.Table:
    """The raw table of the bare question."""
    return _engine(bare(check_sql(text, terms), terms), data, terms)


def _engine(query: AggregateQuery, data: Data, terms: Terms) -> pa.Table:
    with duckdb.connect() as engine:
        for name, frame in data.items():
            table = frame if isinstance(frame, pa.Table) else arrow({name: frame})[name]
            engine.register(name, table)
        table = engine.sql(generate(query, terms)).to_arrow_table()
    assert table.schema.equals(raw_schema(query, terms))
    return table


def answer(text: str, data: Data, terms: Terms = PERTURBED) -> Shown:
    return show(lambda question: _engine(question, data, terms), check_sql(text, terms), terms)
