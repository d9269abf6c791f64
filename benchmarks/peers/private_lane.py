"""Our private lane, from the question's text to the published tables: rho-zCDP.

`plain`: over the extract. `first`: make the kept table, then ask it. `kept`: ask it once more. FILE is the extract.
What is published of one raw table is drawn DRAWS times; only the first draw after each run is timed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import asking

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb
import pyarrow as pa

from benchmarks.disclosure import THREADS, terms
from contracts.policy.terms import ColumnRole, Lane, PrivacyTerms, Terms
from sandbox.disclosure.private.answer import answer
from sandbox.engines import Facts, generate, generate_from_kept, layout_of
from sandbox.guard import check_sql
from sandbox.guard.query import AggregateQuery
from sandbox.kept.build import build

QUESTION = "select grp, count(*), sum(amount) from t group by grp"
MEMORY = "1536MB"
DRAWS = 20


def contract() -> Terms:
    plain = terms(Lane.PRIVATE)
    dataset = plain.datasets[0]
    columns = [
        replace(c, low=asking.LOW, high=asking.HIGH) if c.role is ColumnRole.MEASURE else c
        for c in dataset.columns
    ]
    limits = PrivacyTerms(
        query_budget=round(asking.RHO * 1_000_000), max_groups=asking.MAX_GROUPS, max_rows=asking.MAX_ROWS
    )
    return replace(plain, datasets=(replace(dataset, columns=tuple(columns)),), privacy=limits)


class Lanes:
    """One extract and its kept table, asked as each word says."""

    def __init__(self, source: Path) -> None:
        self.source, self.kept = source, source.with_suffix(".kept")
        self.terms = contract()
        self.query = check_sql(QUESTION, self.terms)
        layout = layout_of(self.query, self.terms, "0" * 64)
        assert layout is not None
        self.layout, self.facts = layout, Facts(frozenset(), frozenset())

    def plain(self) -> pa.Table:
        return self._ask(generate(check_sql(QUESTION, self.terms), self.terms), self.source)

    def first(self) -> pa.Table:
        self.make()
        return self.again()

    def again(self) -> pa.Table:
        query = check_sql(QUESTION, self.terms)
        return self._ask(generate_from_kept(query, self.terms, self.layout, self.facts), self.kept)

    def make(self) -> None:
        descriptor = os.open(self.source, os.O_RDONLY)
        try:
            self.facts = build(self.layout, descriptor, self.kept, threads=THREADS, keep_going=lambda: True)
        finally:
            os.close(descriptor)

    def _ask(self, sql: str, path: Path) -> pa.Table:
        with duckdb.connect(config={"threads": THREADS, "memory_limit": MEMORY}) as engine:
            engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{path}')")
            return engine.sql(sql).to_arrow_table()


def published(raw: pa.Table, query: AggregateQuery, terms: Terms) -> asking.Answer:
    columns = [column.to_pylist() for column in answer(raw, query, terms).table.columns]
    return {group: (count, float(total)) for group, count, total in zip(*columns, strict=True)}


def main() -> None:
    source, runs, word = asking.asked()
    lanes = Lanes(Path(source))
    if word == "kept":
        lanes.make()
    ask = {"plain": lanes.plain, "first": lanes.first, "kept": lanes.again}[word]
    for number in range(runs):
        clock = asking.Clock()
        raw = ask()
        found = published(raw, lanes.query, lanes.terms)
        asking.tell(version("dataspace"), found, clock)
        for _ in range(DRAWS - runs if number == 0 else 0):
            asking.tell(version("dataspace"), published(raw, lanes.query, lanes.terms))
    lanes.kept.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
