"""A question that comes as JSON, from the form builder, a template or the API, to `Draft`. Pure."""

from __future__ import annotations

from typing import Any

from audit.wording import say
from contracts.policy.terms import Aggregate, Terms
from sandbox.guard.draft import (
    Bound,
    Condition,
    Constant,
    ConstantKind,
    Draft,
    Link,
    Name,
    Output,
    Reference,
    Sort,
    Source,
)
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef

MAX_PARTS = 5000  # values, columns and names in one question


def draft_of(data: Any, terms: Terms) -> Draft:
    """Read what `AggregateQuery.to_json` writes. Raise Refused("guard.form") on any other form."""
    asked = AggregateQuery.from_json(data)
    if sum(len(f.values) + 1 for f in asked.filters) + len(asked.labels) > MAX_PARTS:
        reason = say("The question has more than %(most)d parts; ask for less at once.", most=MAX_PARTS)
        raise refuse("guard.too_long", reason)
    return Draft(
        sources=tuple(Source(name, name) for name in asked.sources),
        links=tuple(Link(_name(j.left), _name(j.right)) for j in asked.joins),
        conditions=tuple(
            Condition(_name(f.column), tuple(Constant(ConstantKind.DOMAIN_TEXT, value) for value in f.values))
            for f in asked.filters
        ),
        outputs=(
            *(Output(None, _name(d.column), d.label) for d in asked.dimensions),
            *(
                Output(m.aggregate, _measured(m.aggregate, m.column, asked, terms), m.label)
                for m in asked.measures
            ),
        ),
        groups=tuple(Reference(i, None) for i in range(1, len(asked.dimensions) + 1)),
        bounds=tuple(Bound(_label(h.label), h.comparison, h.value) for h in asked.having),
        sorts=tuple(Sort(_label(o.label), o.descending) for o in asked.order),
        limit=asked.limit,
        totals=asked.totals,
    )


def _name(ref: ColumnRef) -> Name:
    return Name(ref.dataset, ref.column)


def _label(label: str) -> Reference:
    return Reference(None, Output(None, Name("", label)))


def _measured(
    aggregate: Aggregate, ref: ColumnRef | None, asked: AggregateQuery, terms: Terms
) -> Name | None:
    needs = aggregate not in {Aggregate.COUNT_ROWS, Aggregate.COUNT_UNITS}
    if needs and ref is None:
        raise refuse("guard.form", say("%(function)s needs a column.", function=aggregate.value))
    if not needs and ref is not None:
        raise refuse("guard.form", say("%(function)s takes no column.", function=aggregate.value))
    if ref is not None:
        return _name(ref)
    if aggregate is Aggregate.COUNT_ROWS:
        return None
    for source in asked.sources:
        dataset = terms.dataset(source)
        if dataset is not None and dataset.unit is not None:
            return Name(source, dataset.unit.name)
    raise refuse("guard.unit", say("None of these datasets has a privacy unit to count."))
