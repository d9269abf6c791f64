"""The bare form of a question: what it asks of the data, without how its answer is called or arranged. Pure.

All texts that ask the same of the data have one bare form, so that one protected answer serves them all: a repeat
under other labels, in another order, with another HAVING or LIMIT draws no new noise and tells nothing new.
"""

from __future__ import annotations

from contracts.policy.terms import Aggregate
from sandbox.guard.query import AggregateQuery, ColumnRef, Dimension, Measure


def bare(query: AggregateQuery) -> AggregateQuery:
    """Dimensions and measures sorted, each once, under labels of their own; an average as its sum and its count."""
    dimensions = sorted(dimension.column for dimension in query.dimensions)
    measures = sorted(
        {part for measure in query.measures for part in parts(measure)},
        key=lambda part: (part[1] or ColumnRef("", ""), part[0]),
    )
    return AggregateQuery(
        sources=query.sources,
        joins=query.joins,
        filters=query.filters,
        dimensions=tuple(Dimension(ref, dimension_label(ref)) for ref in dimensions),
        measures=tuple(Measure(*part, measure_label(*part)) for part in measures),
    )


def parts(measure: Measure) -> tuple[tuple[Aggregate, ColumnRef | None], ...]:
    """The aggregates whose published values make the measure's."""
    if measure.aggregate is Aggregate.AVG:
        return (Aggregate.SUM, measure.column), (Aggregate.COUNT, measure.column)
    return ((measure.aggregate, measure.column),)


def dimension_label(ref: ColumnRef) -> str:
    return f"{ref.dataset}.{ref.column}"


def measure_label(aggregate: Aggregate, ref: ColumnRef | None) -> str:
    return aggregate.value if ref is None else f"{aggregate.value}({dimension_label(ref)})"
