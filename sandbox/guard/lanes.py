"""In which lane a question is answered. Pure."""

from __future__ import annotations

from audit.wording import say
from contracts.policy.terms import Lane, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery

Measured = tuple[str, str]  # dataset, and the column whose values are measured or "" for its rows and units


def measured(query: AggregateQuery) -> frozenset[Measured]:
    """What the answer holds numbers of. Counts of joined rows and units are counts of every source."""
    found = {(ref.dataset, ref.column) for ref in query.measured}
    if any(m.column is None for m in query.measures):
        found |= {(source, "") for source in query.sources}
    return frozenset(found)


def lane_of(query: AggregateQuery, terms: Terms) -> Lane:
    """Raise Refused("guard.lane") where measures of different lanes are asked for in one question."""
    lanes = {_lane(what, query, terms) for what in measured(query)}
    if len(lanes) > 1:
        reason = say("These measures leave in different lanes. Ask for them in separate questions.")
        raise refuse("guard.lane", reason)
    return lanes.pop()


def _lane(what: Measured, query: AggregateQuery, terms: Terms) -> Lane:
    name, column = what
    if column:
        ref = next(r for r in query.measured if (r.dataset, r.column) == what)
        return column_term(terms, ref).lane
    dataset = terms.dataset(name)
    assert dataset is not None  # the guard found every source in the terms
    return dataset.lane
