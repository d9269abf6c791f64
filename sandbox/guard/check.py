"""`Draft` and `Terms` to `AggregateQuery`: the only place where one is made.

Every name is looked up in the contract, every constant in a declared domain; what is not found is
refused. All problems of a draft are reported together.
"""

from __future__ import annotations

from collections.abc import Hashable

from audit.wording import say, template
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm, Terms
from sandbox.guard.cells import possible_cells
from sandbox.guard.domains import MAX_VALUE_LENGTH, declared, key
from sandbox.guard.draft import Condition, Constant, ConstantKind, Draft
from sandbox.guard.lanes import lane_of
from sandbox.guard.outputs import Outputs, check_groups, check_outputs, having, order_by
from sandbox.guard.problems import Problems
from sandbox.guard.query import AggregateQuery, ColumnRef, Filter
from sandbox.guard.sources import Scope, check_joins, open_scope

MAX_LIMIT = 100_000

_KINDS: dict[ColumnType, frozenset[ConstantKind]] = {
    ColumnType.TEXT: frozenset({ConstantKind.STRING}),
    ColumnType.INTEGER: frozenset({ConstantKind.NUMBER}),
    ColumnType.DECIMAL: frozenset({ConstantKind.NUMBER}),
    ColumnType.DATE: frozenset({ConstantKind.DATE, ConstantKind.STRING}),
    ColumnType.TIMESTAMP: frozenset({ConstantKind.TIMESTAMP, ConstantKind.STRING}),
    ColumnType.BOOLEAN: frozenset({ConstantKind.BOOLEAN}),
}
_NUMBER = template("%(column)s is a number: compare it with numbers, without quotes.")
_OTHER_TYPE: dict[ColumnType, str] = {
    ColumnType.TEXT: template("%(column)s is a text: compare it with texts in single quotes."),
    ColumnType.INTEGER: _NUMBER,
    ColumnType.DECIMAL: _NUMBER,
    ColumnType.DATE: template("%(column)s is a date: compare it with dates such as DATE '2026-03-01'."),
    ColumnType.TIMESTAMP: template(
        "%(column)s is a time: compare it with times such as TIMESTAMP '2026-03-01 08:00:00'."
    ),
    ColumnType.BOOLEAN: template("%(column)s is true or false: compare it with true or false."),
}
_NOT_A_FILTER: dict[ColumnRole, str] = {
    ColumnRole.MEASURE: template("The contract allows %(column)s as a measure, not as a filter."),
    ColumnRole.JOIN_KEY: template("The contract allows %(column)s as a join key, not as a filter."),
}


def check(draft: Draft, terms: Terms) -> AggregateQuery:
    """Raise Refused unless every part of the draft is a term of the contract."""
    problems = Problems()
    scope = open_scope(draft, terms, problems)
    joins = check_joins(draft, scope)
    filters = _filters(draft, scope)
    outputs = check_outputs(draft, scope)
    check_groups(draft, outputs, scope)
    bounds = [having(b, draft, outputs, scope) for b in draft.bounds]
    sorts = [order_by(s, draft, outputs, scope) for s in draft.sorts]
    _check_arrangement(draft, outputs, problems)
    problems.stop_if_any()
    query = AggregateQuery(
        sources=tuple(sorted(d.name for d in scope.datasets.values())),
        joins=joins,
        filters=filters,
        dimensions=outputs.dimensions,
        measures=outputs.measures,
        having=tuple(sorted({b for b in bounds if b is not None})),
        order=tuple(dict.fromkeys(s for s in sorts if s is not None)),
        limit=draft.limit,
        totals=draft.totals,
    )
    lane_of(query, terms)  # refuses a mix
    _check_cells(query, terms, problems)
    return query


def _check_arrangement(draft: Draft, outputs: Outputs, problems: Problems) -> None:
    if draft.limit is not None and not 1 <= draft.limit <= MAX_LIMIT:
        problems.add("guard.limit", say("LIMIT is a whole number from 1 to %(most)d.", most=MAX_LIMIT))
    if draft.totals and not outputs.dimensions:
        problems.add("guard.group_by", say("Totals need at least one dimension."))


def _check_cells(query: AggregateQuery, terms: Terms, problems: Problems) -> None:
    cells, most = possible_cells(query, terms), terms.disclosure.max_cells
    if cells > most:
        reason = say(
            "The table could have %(cells)d cells; the contract allows %(most)d. "
            "Take fewer dimensions, or filter them to fewer values.",
            cells=cells,
            most=most,
        )
        problems.add("guard.too_many_cells", reason)
        problems.stop_if_any()


def _filters(draft: Draft, scope: Scope) -> tuple[Filter, ...]:
    """One filter a column: the values that all its conditions share; none where that is the full domain.

    Dropping the full domain makes the two ways to ask for everybody one question, so that rows without a
    value cannot be found by comparing them.
    """
    chosen: dict[ColumnRef, set[Hashable]] = {}
    columns: dict[ColumnRef, ColumnTerm] = {}
    for condition in draft.conditions:
        found = _condition(condition, scope)
        if found is None:
            continue
        ref, column, values = found
        columns[ref] = column
        chosen[ref] = chosen.get(ref, values) & values
        if not chosen[ref]:
            reason = say("No value of %(column)s can meet all its conditions.", column=ref.column)
            scope.problems.add("guard.domain", reason, condition.place)
    filters = []
    for ref, values in chosen.items():
        domain = declared(columns[ref])
        if values != set(domain):
            filters.append(Filter(ref, tuple(sorted(domain[v] for v in values))))
    return tuple(sorted(filters))


def _condition(condition: Condition, scope: Scope) -> tuple[ColumnRef, ColumnTerm, set[Hashable]] | None:
    found = scope.resolve(condition.name)
    if found is None:
        return None
    ref, column = found
    if column.role is ColumnRole.UNIT:
        reason = say("%(column)s is the privacy unit: it cannot be filtered.", column=column.name)
        scope.problems.add("guard.unit", reason, condition.place)
        return None
    if column.role is not ColumnRole.DIMENSION:
        reason = say(_NOT_A_FILTER[column.role], column=column.name)
        scope.problems.add("guard.role", reason, condition.place)
        return None
    domain = declared(column)
    values = [_value(constant, column, domain, scope.problems) for constant in condition.constants]
    if not values or None in values:
        if not values:
            scope.problems.add("guard.domain", say("The list of values is empty."), condition.place)
        return None
    return ref, column, {v for v in values if v is not None}


def _value(
    constant: Constant, column: ColumnTerm, domain: dict[Hashable, str], problems: Problems
) -> Hashable | None:
    kind = constant.kind
    if kind is not ConstantKind.DOMAIN_TEXT and kind not in _KINDS[column.type]:
        reason = say(_OTHER_TYPE[column.type], column=column.name)
        problems.add("guard.type", reason, constant.place)
        return None
    value = key(column.type, constant.text) if len(constant.text) <= MAX_VALUE_LENGTH else None
    if value is None or value not in domain:
        reason = say("This value is not in the declared domain of %(column)s.", column=column.name)
        problems.add("guard.domain", reason, constant.place)
        return None
    return value
