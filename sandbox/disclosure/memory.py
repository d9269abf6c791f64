"""Which numbers of a new answer may differ from a number of an earlier one by the contributions of a few. Pure.

Two published numbers over nearly the same contributors tell, by subtraction, what the few others contributed. What
counts as a number: each published cell, and each total all of whose cells are published, since anyone can add them.

Assumes: both outlines were made from the extracts that the answers were. Guarantees: a pair of numbers that is not a
candidate differs in no contribution, or in those of at least k contributors. Does not guarantee: anything about three
or more numbers taken together, other than totals. `linked` audits those over the same rows; over versions and joins,
rounding and the most answers of a contract bound what they tell.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from contracts.policy.terms import Aggregate, Terms
from sandbox.engines.overlap import Cell, Pair
from sandbox.guard.bare import dimension_label
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import declared, key
from sandbox.guard.lanes import Measured, measured
from sandbox.guard.query import AggregateQuery, ColumnRef, Measure

MAX_PAIRS = 500  # looked at exactly for one earlier answer


@dataclass(frozen=True, slots=True)
class Number:
    cell: Cell
    units: int
    fingerprint: int


@dataclass(frozen=True)
class Remembered:
    """`query`: bare. `answer`: the protected table. `outline`: see `engines.overlap`."""

    query: AggregateQuery
    terms: Terms
    answer: pa.Table
    outline: pa.Table

    @property
    def k(self) -> int:
        return self.terms.disclosure.min_contributors

    @cached_property
    def measured(self) -> frozenset[Measured]:
        """A count of a column in which no contributor lacks a value tells, as far as one can see, the rows."""
        return measured(self.query, self.terms) | {(ref.dataset, "") for ref in self.filled}

    @cached_property
    def filled(self) -> frozenset[ColumnRef]:
        """The counted columns of which every contributor of every cell has a value."""
        counted = {m.column for m in self.query.measures if m.aggregate is Aggregate.COUNT}
        return frozenset(
            ref
            for i, ref in enumerate(self.query.measured)
            if ref in counted and self.outline.column(f"m{i}_k").equals(self.outline.column("k"))
        )

    @cached_property
    def limits(self) -> dict[ColumnRef, frozenset[str]]:
        """For each column that is grouped or filtered by, the values that rows may have."""
        values = {f.column: frozenset(f.values) for f in self.query.filters}
        domains = cell_values(self.query, self.terms)
        return values | {
            d.column: frozenset(texts) for d, texts in zip(self.query.dimensions, domains, strict=True)
        }

    def numbers(self, what: Measured) -> list[Number]:
        """The numbers of `what` that the answer tells, those over the fewest contributors first."""
        labels = [m.label for m in self.query.measures if self._tells(m, what)]
        shown = _shown(self.answer, self.query, labels)
        units, prints = ("k", "f") if not what[1] else self._columns(what)
        hidden = self._hidden(units, shown)
        found = [
            Number(cell, row[units], row[prints])
            for cell, row in self._rows
            if row[units] and (cell in shown if None not in cell.at else cell not in hidden)
        ]
        return sorted(found, key=lambda number: number.units)

    def _tells(self, measure: Measure, what: Measured) -> bool:
        column = measure.column
        if column is None:
            return not what[1]
        rows = measure.aggregate is Aggregate.COUNT and column in self.filled and what == (column.dataset, "")
        return rows or (column.dataset, column.column) == what

    def limits_of(self, cell: Cell) -> dict[ColumnRef, frozenset[str]]:
        fixed = {
            d.column: frozenset({value})
            for d, value in zip(self.query.dimensions, cell.at, strict=True)
            if value is not None
        }
        return self.limits | fixed

    @cached_property
    def _rows(self) -> list[tuple[Cell, Mapping[str, int]]]:
        kinds = [column_term(self.terms, d.column) for d in self.query.dimensions]
        texts: list[dict[Hashable, str | None]] = [{None: None, **declared(column)} for column in kinds]

        def text(i: int, found: str | None) -> str | None:
            return texts[i][None if found is None else key(kinds[i].type, found)]

        axes = range(len(kinds))
        return [(Cell(tuple(text(i, row[f"d{i}"]) for i in axes)), row) for row in self.outline.to_pylist()]

    def _columns(self, what: Measured) -> tuple[str, str]:
        place = self.query.measured.index(ColumnRef(*what))
        return f"m{place}_k", f"m{place}_f"

    def _hidden(self, units: str, shown: set[Cell]) -> set[Cell]:
        """Totals over a cell that has contributors and is not shown."""
        hidden: set[Cell] = set()
        for cell, row in self._rows:
            if None not in cell.at and row[units] and cell not in shown:
                hidden |= set(_totals_over(cell))
        return hidden


def candidates(new: Remembered, old: Remembered, *, moved: bool = False) -> list[Pair]:
    """The pairs of numbers that must be compared exactly; empty where the two answers are safe together.

    `moved`: a script stands between the records of the two, which may have put rows of one cell into another. Then
    pairs in which no row should be in both are looked at too, the nearest first, as far as MAX_PAIRS reaches.
    """
    pairs, apart = [], []
    for what in sorted(new.measured & old.measured):
        column = ColumnRef(*what) if what[1] else None
        earlier = old.numbers(what)
        sizes = np.array([number.units for number in earlier])
        k = max(new.k, old.k)
        for number in new.numbers(what):
            first, last = np.searchsorted(sizes, [number.units - k + 1, number.units + k])
            for other in earlier[first:last]:
                if number.fingerprint == other.fingerprint:
                    continue
                pair = Pair(number.cell, other.cell, column)
                if _meet(new, number.cell, old, other.cell):
                    pairs.append(pair)
                elif moved:
                    apart.append((abs(number.units - other.units), pair))
    apart.sort(key=lambda found: found[0])
    return pairs + [pair for _distance, pair in apart[: max(0, MAX_PAIRS - len(pairs))]]


def _meet(new: Remembered, cell: Cell, old: Remembered, other: Cell) -> bool:
    """Whether one row can be in both. Where none can, all contributors of both differ."""
    mine, theirs = new.limits_of(cell), old.limits_of(other)
    return all(mine[ref] & theirs[ref] for ref in mine.keys() & theirs.keys())


def _shown(answer: pa.Table, query: AggregateQuery, labels: list[str]) -> set[Cell]:
    """The cells of which any of these numbers is published."""
    dimensions = [answer.column(dimension_label(d.column)).to_pylist() for d in query.dimensions]
    values = [answer.column(label).to_pylist() for label in labels]
    cells = zip(*dimensions, strict=True) if dimensions else [()]
    numbers = zip(*values, strict=True)
    return {
        Cell(tuple(cell)) for cell, row in zip(cells, numbers, strict=True) if any(v is not None for v in row)
    }


def _totals_over(cell: Cell) -> Iterator[Cell]:
    for summed in range(1, 2 ** len(cell.at)):
        yield Cell(tuple(None if summed >> i & 1 else value for i, value in enumerate(cell.at)))
