"""What the SQL editor lists beside itself: the contract's tables, columns and values, each ready to be inserted."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Terms
from dataspace.portal.questions import Names, Ref, full_meaning, meaning, title

SHOWN = 60  # values of a column; the contract's page has them all
_BARE = (ColumnType.INTEGER, ColumnType.DECIMAL, ColumnType.BOOLEAN)
_FUNCTIONS = {Aggregate.SUM: "SUM({})", Aggregate.AVG: "AVG({})", Aggregate.COUNT: "COUNT({})"}


@dataclass(frozen=True, slots=True)
class Column:
    """`meaning` in short, `told` in full; `uses` are pieces of SQL the contract allows, `values` its domain as SQL."""

    name: str
    meaning: str
    told: str
    what: str
    uses: list[str]
    values: list[str]
    more: int  # values not listed


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    columns: list[Column]
    joins: list[str]


def tables(terms: Terms, names: Names) -> list[Table]:
    return [_table(dataset, terms, names) for dataset in terms.datasets]


def _table(dataset: DatasetTerm, terms: Terms, names: Names) -> Table:
    joins = []
    for join in terms.joins:
        for here, there in ((join.left, join.right), (join.right, join.left)):
            if here[0] == dataset.name:
                joins.append(f"JOIN {there[0]} ON {'.'.join(here)} = {'.'.join(there)}")
    columns = [_column(column, (dataset.name, column.name), names) for column in dataset.columns]
    return Table(dataset.name, title(dataset, names), columns, joins)


def _column(column: ColumnTerm, ref: Ref, names: Names) -> Column:
    what, uses = _role(column)
    short = meaning(ref, names)
    values = [_literal(column, value) for value in column.domain[:SHOWN]]
    return Column(
        name=column.name,
        meaning="" if short == column.name else short,
        told=full_meaning(ref, names),
        what=what,
        uses=uses,
        values=values,
        more=max(len(column.domain) - SHOWN, 0),
    )


def _role(column: ColumnTerm) -> tuple[str, list[str]]:
    """What the contract lets it be, and the pieces of SQL for that."""
    if column.role is ColumnRole.UNIT:
        return _("count only"), [f"COUNT(DISTINCT {column.name})"]
    if column.role is ColumnRole.MEASURE:
        return _("measure"), [_FUNCTIONS[a].format(column.name) for a in column.aggregates if a in _FUNCTIONS]
    if column.role is ColumnRole.JOIN_KEY:
        return _("join only"), []
    return _("dimension"), [column.name]


def _literal(column: ColumnTerm, value: str) -> str:
    return value if column.type in _BARE else "'" + value.replace("'", "''") + "'"
