"""Counts of a column that nobody lacks are counts of those who are there: one number under two names. Pure.

Whoever asks COUNT(*) in one table and COUNT(column) in another may subtract one from the other, unless the linked audit
takes them for the same. It does in each published cell in all of whose atoms (see `refinement`) every contributor has
a value; the attacker, who does not know that, is taken to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from contracts.policy.terms import DatasetTerm, Terms
from sandbox.disclosure.findings import Key
from sandbox.disclosure.refinement import Table, Told
from sandbox.guard.query import COUNTS, AggregateQuery, ColumnRef, Measure

Tables = Mapping[ColumnRef | None, Table]


def counts(query: AggregateQuery) -> list[Measure]:
    """Its counts, one of each column and one of those who are there."""
    found = {m.column: m for m in query.measures if m.aggregate in COUNTS}
    return list(found.values())


def with_all_counts(new: Told, earlier: Sequence[Told]) -> tuple[AggregateQuery, Terms]:
    """The new question with what earlier ones counted, if it counts itself, and terms that hold all these columns."""
    measures, terms = list(new.query.measures), new.terms
    for one in earlier if counts(new.query) else ():
        for measure in counts(one.query):
            if measure.column in {m.column for m in measures if m.aggregate in COUNTS}:
                continue
            measures.append(measure)
            if measure.column is not None:
                terms = _with_column(terms, measure.column, one)
    return replace(new.query, measures=tuple(measures)), terms


def _with_column(terms: Terms, ref: ColumnRef, one: Told) -> Terms:
    def widened(dataset: DatasetTerm) -> DatasetTerm:
        if dataset.name != ref.dataset:
            return dataset
        others = tuple(column for column in dataset.columns if column.name != ref.column)
        return replace(dataset, columns=(*others, one.term(ref)))

    return replace(terms, datasets=tuple(map(widened, terms.datasets)))


def lacking(tables: Tables, columns: Sequence[ColumnRef | None]) -> list[Key]:
    """The atoms in which somebody lacks a value of one of these columns; None stands for being there."""
    atoms = {at: found.units for at, found in tables[None].items() if None not in at}
    return [
        tuple(-1 if place is None else place for place in at)
        for at, units in atoms.items()
        if any(at not in tables[ref] or tables[ref][at].units < units for ref in columns)
    ]
