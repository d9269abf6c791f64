"""The common refinement of several answers over the same rows: the finest cells that they can tell apart. Pure.

Each of these *atoms* is a cell of the table of all columns that any of the answers groups or filters by, with classes
of values instead of values, and class 0 for all that no answer names, with what is missing or not declared.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from contracts.policy.terms import ColumnTerm, Level, Terms
from sandbox.disclosure.findings import Key
from sandbox.disclosure.grid import Contribution, contribution_of, inconsistent
from sandbox.engines.joint import Axis
from sandbox.engines.raw import raw_schema
from sandbox.guard.bare import dimension_label
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.query import AggregateQuery, ColumnRef, Measure

_OUTSIDE: Final = object()  # a value that the question leaves out
_INSIDE: Final = object()  # one that it keeps and does not tell from others
Cell = tuple[Hashable, ...]  # of an answer: for each of its dimensions the value


@dataclass(frozen=True)
class Told:
    """`query`: bare. `answer`: the protected table. `evidence`: what the rules saw of it."""

    query: AggregateQuery
    terms: Terms
    answer: pa.Table
    evidence: pa.Table

    @cached_property
    def texts(self) -> dict[ColumnRef, dict[Hashable, str]]:
        """For each column that is grouped or filtered by, the values that rows may have, by key."""
        kept = {f.column: f.values for f in self.query.filters}
        domains = cell_values(self.query, self.terms)
        kept |= {d.column: texts for d, texts in zip(self.query.dimensions, domains, strict=True)}
        return {ref: {key(self.term(ref).type, text): text for text in texts} for ref, texts in kept.items()}

    def term(self, ref: ColumnRef) -> ColumnTerm:
        return column_term(self.terms, ref)

    def place(self, ref: ColumnRef, value: Hashable) -> object:
        """What tells rows with this value from others; None where the question does not look at the column."""
        kept = self.texts.get(ref)
        if kept is None:
            return None
        if value not in kept:
            return _OUTSIDE
        return value if any(d.column == ref for d in self.query.dimensions) else _INSIDE

    def cell(self, values: dict[ColumnRef, Hashable]) -> Cell | None:
        """The cell of rows with these values; None where the question leaves them out."""
        if any(self.place(ref, values[ref]) is _OUTSIDE for ref in self.texts):
            return None
        return tuple(values[d.column] for d in self.query.dimensions)

    def shown(self, measures: Iterable[Measure]) -> set[Cell]:
        """The cells of which a value of any of these measures is published."""
        columns = [self.answer.column(dimension_label(d.column)).to_pylist() for d in self.query.dimensions]
        cells = list(zip(*columns, strict=True)) if columns else [()] * self.answer.num_rows
        values = zip(*(self.answer.column(m.label).to_pylist() for m in measures), strict=True)
        return {
            self._keys(cell)
            for cell, row in zip(cells, values, strict=True)
            if any(v is not None for v in row)
        }

    def withheld(self, labels: Iterable[str]) -> Iterable[tuple[Cell, dict[str, Any]]]:
        """The cells of which one of these values is withheld, and what the rules saw of each."""
        wanted = set(labels)
        for row in self.evidence.to_pylist():
            if row["measure"] in wanted and row["outcome"] == "withheld":
                yield self._keys(row["cell"]), row

    def _keys(self, texts: Sequence[str]) -> Cell:
        return tuple(
            key(self.term(d.column).type, text) for d, text in zip(self.query.dimensions, texts, strict=True)
        )


def axes_of(told: Sequence[Told]) -> list[Axis]:
    """The dimensions of the common refinement, in the order of their columns."""
    axes = []
    for ref in sorted({ref for one in told for ref in one.texts}):
        users = [one for one in told if ref in one.texts]
        values: dict[Hashable, tuple[ColumnTerm, str]] = {}
        for one in users:
            for value, text in one.texts[ref].items():
                values.setdefault(value, (one.term(ref), text))
        classes: dict[tuple[object, ...], list[tuple[ColumnTerm, str]]] = {}
        for value, named in values.items():
            classes.setdefault(tuple(one.place(ref, value) for one in users), []).append(named)
        axes.append(Axis(ref, tuple(tuple(c) for c in classes.values()), _level(ref, users)))
    return axes


def _level(ref: ColumnRef, users: Sequence[Told]) -> Level:
    """Of a unit only where all rows of a contributor share the value."""
    for one in users:
        dataset = one.terms.dataset(ref.dataset)
        if dataset is None or dataset.unit is None or one.term(ref).level is not Level.UNIT:
            return Level.EVENT
    return Level.UNIT


def cells_of(one: Told, axes: Sequence[Axis], atoms: Sequence[Key]) -> list[Cell | None]:
    """For each atom the cell of the answer that holds it, or None."""
    names: list[list[Hashable]] = [
        # Class 0 has no declared value: none can be equal to a new object.
        [_OUTSIDE, *(key(values[0][0].type, values[0][1]) for values in axis.classes)]
        for axis in axes
    ]
    return [
        one.cell({axis.column: names[i][at] for i, (axis, at) in enumerate(zip(axes, atom, strict=True))})
        for atom in atoms
    ]


Table = dict[tuple[int | None, ...], Contribution]  # by classes, None where a dimension is added up


def read_joint(
    raw: pa.Table, query: AggregateQuery, terms: Terms, axes: Sequence[Axis]
) -> dict[ColumnRef | None, Table]:
    """The answer of `engines.joint`, for each measured column and, under None, for the rows.

    Raises: Refused("disclosure.raw") unless the table is what the generated SQL returns.
    """
    names = [f"d{i}" for i in range(len(axes))]
    numbers = raw_schema(_plain(query), terms)
    schema = pa.schema([*(pa.field(name, pa.int64()) for name in names), *numbers])
    if raw.column_names != schema.names:
        raise inconsistent()
    try:
        rows = raw.cast(schema).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise inconsistent() from error
    found: dict[ColumnRef | None, Table] = {None: {}} | {ref: {} for ref in query.measured}
    for row in rows:
        at = tuple(row[name] for name in names)
        place = tuple(-1 if value is None else value for value in at)
        for i, ref in enumerate((None, *query.measured)):
            contribution = contribution_of(place, row, "" if ref is None else f"m{i - 1}_")
            if contribution.units:
                found[ref][at] = contribution
    return found


def _plain(query: AggregateQuery) -> AggregateQuery:
    return AggregateQuery(query.sources, query.joins, (), (), query.measures)
