"""What a kept table holds: the first level of the plan, computed once for an extract and read by later questions. Pure.

One row for each contributor and cell, where a cell is one declared value of *every* dimension a question uses, grouped
or filtered. Rows without a contributor, or with a value of such a dimension that is null or not declared, count in no
question over these dimensions, so they are left out.

    d0, d1 ...  UTINYINT..UINTEGER  for each dimension, by name: the value's place in the declared domain
    u           INTEGER or BIGINT   who contributes: `_unit` or `_row` of the extract
    n           INTEGER             rows
    cI          INTEGER             rows with a value of measured column I, by name; absent where none is null (= n)
    sI          DECIMAL(18, scale)  their sum, exact; null without a value; absent where the column is not a number
    p           UBIGINT             who contributes, the same in every version: the pseudonym or `_record_key`
    r           UTINYINT            sum of `_record_key` over the rows, modulo 256
    g           UTINYINT            place of the cell among the contributor's own, from 1, at most 255

`p` and `r` are there for the perturbed lane, `g` for the private one; no generated SQL reads them yet. `g` is decided
by (RANK_BITS leading bits of hash(p, cell), cell): by nothing that another contributor's rows could change, so that a
cap `g <= most` bounds what one contributor changes in all cells together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib import metadata
from math import prod
from typing import Any

import rfc8785

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm, DatasetTerm, Lane, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.domains import declared
from sandbox.guard.query import AggregateQuery

FORMAT = 1  # of the table; another number makes every kept table another table
CELL_BITS = 28
RANK_BITS = 16
_EXTRAS = {
    Lane.TABLE: frozenset[str](),
    Lane.PERTURBED: frozenset({"p", "r"}),
    Lane.PRIVATE: frozenset({"g"}),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """`unit`: name of the pseudonym's column, "" where each row is its own contributor."""

    extract: str  # sha256
    dimensions: tuple[ColumnTerm, ...]  # sorted by name, as are the next
    measured: tuple[ColumnTerm, ...]
    unit: str
    extras: frozenset[str]  # of p, r, g

    @property
    def scales(self) -> dict[int, int]:
        """Which of the measured columns are numbers, by place, and their digits after the point."""
        numbers = {ColumnType.INTEGER, ColumnType.DECIMAL}
        return {
            place: c.scale if c.type is ColumnType.DECIMAL else 0
            for place, c in enumerate(self.measured)
            if c.type in numbers
        }

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each dimension has."""
        return tuple(len(declared(column)) for column in self.dimensions)

    @property
    def key(self) -> str:
        """Hex digest over all that decides the table's bytes. Hashes may differ between versions of the engine."""
        dimensions = [[c.name, c.type.value, c.scale, list(c.domain)] for c in self.dimensions]
        measured = [[c.name, c.type.value, c.scale] for c in self.measured]
        parts: list[Any] = [FORMAT, metadata.version("duckdb"), self.extract, dimensions, measured]
        return hashlib.sha256(rfc8785.dumps([*parts, self.unit, sorted(self.extras)])).hexdigest()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen while the table was built: names of columns."""

    constant: frozenset[str]  # dimensions of which each contributor has one value
    full: frozenset[str]  # measured columns without a null


def layout_of(query: AggregateQuery, terms: Terms, extract: str) -> Layout | None:
    """The kept table that `query` can be answered from.

    None where it joins, where its cells are too many to number, or where a declared value has more digits than its
    column (no row matches it, but its text would be that of another).
    """
    if len(query.sources) != 1 or (dataset := terms.dataset(query.sources[0])) is None:
        return None
    used = sorted({f.column for f in query.filters} | {d.column for d in query.dimensions})
    dimensions = tuple(column_term(terms, ref) for ref in used)
    measured = tuple(column_term(terms, ref) for ref in query.measured)
    unit = dataset.unit.name if dataset.unit else ""
    layout = Layout(extract, dimensions, measured, unit, _extras(dataset, measured))
    numbered = 0 < prod(layout.sizes) <= 1 << CELL_BITS
    return layout if numbered and all(_fits_its_column(column) for column in dimensions) else None


def codes(column: ColumnTerm) -> dict[Hashable, int]:
    """The number of each declared value, by its key (`guard.domains.key`)."""
    return {value: place for place, value in enumerate(declared(column))}


def _fits_its_column(column: ColumnTerm) -> bool:
    values = [value for value in declared(column) if isinstance(value, Decimal)]
    return all((Fraction(value) * 10**column.scale).denominator == 1 for value in values)


def _extras(dataset: DatasetTerm, measured: tuple[ColumnTerm, ...]) -> frozenset[str]:
    return frozenset[str]().union(*(_EXTRAS[lane] for lane in {dataset.lane, *(c.lane for c in measured)}))
