"""The lane by which a question's answer leaves: one for all its measures, or none. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from audit.wording import say, template
from contracts.policy.terms import DatasetTerm, Lane, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, Measure

_WORDS = {
    Lane.TABLE: template("exact tables"),
    Lane.PERTURBED: template("consistent perturbation"),
    Lane.PRIVATE: template("differential privacy"),
}

Measured = tuple[str, str]  # dataset, and the column whose values are measured or "" for its rows and units


def measured(query: AggregateQuery, terms: Terms) -> frozenset[Measured]:
    """What the answer holds numbers of. Counts of joined rows and units are counts of every source that counts."""
    found = {(ref.dataset, ref.column) for ref in query.measured}
    if any(m.column is None for m in query.measures):
        found |= {(dataset.name, "") for dataset in _counted(query, terms)}
    return frozenset(found)


def lane_of(query: AggregateQuery, terms: Terms) -> Lane:
    """The one lane of all measures: of counts that of the sources counted, of a column's aggregates the column's.

    Raises: Refused("guard.lane"), naming two measures, where there is more than one. Two lanes in one
    answer would let one tell what the other hides.
    """
    found: dict[Lane, str] = {}
    for measure in query.measures:
        for name, lane in _lanes(measure, query, terms):
            found.setdefault(lane, name)
    (lane, first), *others = found.items()
    if others:
        other, second = others[0]
        raise refuse(
            "guard.lane",
            say(
                "%(first)s is published by %(lane)s, %(second)s by %(other)s: ask them in two questions.",
                first=first,
                lane=say(_WORDS[lane]),
                second=second,
                other=say(_WORDS[other]),
            ),
        )
    return lane


def _lanes(measure: Measure, query: AggregateQuery, terms: Terms) -> Iterator[tuple[str, Lane]]:
    if measure.column is not None:
        yield measure.label, column_term(terms, measure.column).lane
        return
    for dataset in _counted(query, terms):
        yield f"{measure.label} ({dataset.name})", dataset.lane


def _counted(query: AggregateQuery, terms: Terms) -> list[DatasetTerm]:
    """The sources whose counts these are.

    A dataset without privacy unit whose counts leave exactly (about nobody, attested) only groups what it is joined to.
    """
    found = [terms.dataset(name) for name in query.sources]
    sources = [dataset for dataset in found if dataset is not None]
    if len(sources) < len(found):
        raise refuse("guard.table", say("The contract has no such dataset."))
    return [d for d in sources if d.unit is not None or d.lane is not Lane.TABLE] or sources
