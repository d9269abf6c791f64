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
    r           UTINYINT            sum of `_record_key` over the rows, modulo 256; no generated SQL reads it yet
    g           UTINYINT            rank, from 1, at most LARGEST_RANK: see below

`p` is there for outlines and for the private lane, `p` and `r` for the perturbed one, `g` for the private one alone.
`g` is the cell's place, in the order of `choice`, among those cells of the contributor that have the same values in
the dimensions a question is only filtered by. So `g <= most` is the cap of a question that sets each of these to one
value, counted after the filter as in the plain plan; `from_kept` says which questions these are. A private question
that groups by other columns needs another table, even if it uses the same columns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib import metadata
from math import prod
from typing import Any

import rfc8785

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm, Lane, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.domains import declared
from sandbox.guard.lanes import lane_of
from sandbox.guard.query import AggregateQuery

FORMAT = 2  # of the table; another number makes every kept table another table
CELL_BITS = 28
LARGEST_RANK = 255
_EXTRAS = {
    Lane.TABLE: frozenset({"p"}),
    Lane.PERTURBED: frozenset({"p", "r"}),
    Lane.PRIVATE: frozenset({"p", "g"}),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """`unit`: name of the pseudonym's column, "" where each row is its own contributor."""

    extract: str  # sha256
    dimensions: tuple[ColumnTerm, ...]  # sorted by name, as are the next; those that are `ranked` come last
    measured: tuple[ColumnTerm, ...]
    unit: str
    extras: frozenset[str]  # of p, r, g
    ranked: int = 0  # how many dimensions `g` ranks over, 0 without `g`

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
    def first_ranked(self) -> int:
        """Place of the first of the dimensions that `g` ranks over."""
        return len(self.dimensions) - self.ranked

    @property
    def key(self) -> str:
        """Hex digest over all that decides the table's bytes. Hashes may differ between versions of the engine."""
        dimensions = [[c.name, c.type.value, c.scale, list(c.domain)] for c in self.dimensions]
        measured = [[c.name, c.type.value, c.scale] for c in self.measured]
        parts: list[Any] = [FORMAT, metadata.version("duckdb"), self.extract, dimensions, measured]
        parts += [self.unit, sorted(self.extras), self.ranked]
        return hashlib.sha256(rfc8785.dumps(parts)).hexdigest()


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
    extras = _EXTRAS[lane_of(query, terms)]
    grouped = {d.column for d in query.dimensions}
    ranked = len(grouped) if "g" in extras else 0
    used = sorted(grouped | {f.column for f in query.filters}, key=lambda c: (ranked and c in grouped, c))
    dimensions = tuple(column_term(terms, ref) for ref in used)
    measured = tuple(column_term(terms, ref) for ref in query.measured)
    unit = dataset.unit.name if dataset.unit else ""
    layout = Layout(extract, dimensions, measured, unit, extras, ranked)
    sizes, first = layout.sizes, layout.first_ranked
    numbered = all(sizes) and bits(sizes[:first]) + bits(sizes[first:]) <= CELL_BITS
    return layout if numbered and all(_fits_its_column(column) for column in dimensions) else None


def bits(sizes: tuple[int, ...]) -> int:
    """That number the cells of dimensions of these sizes."""
    return (prod(sizes) - 1).bit_length()


def _fits_its_column(column: ColumnTerm) -> bool:
    values = [value for value in declared(column) if isinstance(value, Decimal)]
    return all((Fraction(value) * 10**column.scale).denominator == 1 for value in values)
