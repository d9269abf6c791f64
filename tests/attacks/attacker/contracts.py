"""The contracts of the games: everything of one dataset in one lane, as a provider would draw them up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from catalog.schema import ColumnType
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)
from tests.attacks.attacker.worlds import DATASET, UNIT, VALUE, Population

HIGHEST = 400  # no value of a population is above
_NUMBERS = (Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG)


def terms_of(population: Population, lane: Lane, *, max_runs: int = 100, **limits: int) -> Terms:
    """Rounding, which promises nothing by itself, is off in the table lane; other limits are the defaults."""
    exact = {"round_counts": 1, "sum_digits": 0} if lane is Lane.TABLE else {}
    measure = ColumnTerm(VALUE, ColumnType.INTEGER, ColumnRole.MEASURE, (), _NUMBERS, lane=lane)
    if lane is Lane.PRIVATE:
        measure = replace(measure, high=HIGHEST)
    dims = [
        ColumnTerm(name, ColumnType.TEXT, ColumnRole.DIMENSION, domain, level=Level.UNIT)
        for name, domain in population.frame.dims.items()
    ]
    unit = ColumnTerm(UNIT, ColumnType.TEXT, ColumnRole.UNIT)
    private = lane is Lane.PRIVATE
    dataset = DatasetTerm("urn:uuid:d", DATASET, (unit, *dims, measure), lane, 2_000_000 if private else 0)
    return Terms(
        assigners=("provider",), assignee="enterprise", purpose="industry", scenario="x", datasets=(dataset,), joins=(),
        disclosure=replace(DisclosureTerms(), **{**exact, **limits}), max_runs=max_runs,
        valid_from=datetime(2026, 1, 1, tzinfo=UTC), valid_until=datetime(2027, 1, 1, tzinfo=UTC), retention_days=30,
        privacy=PrivacyTerms() if private else None,
    )  # fmt: skip


def with_units_to_filter(terms: Terms, units: int) -> Terms:
    """What no contract can say: the unit as a dimension, for the build without a language."""
    dataset = terms.datasets[0]
    whom = ColumnTerm(
        "whom", ColumnType.TEXT, ColumnRole.DIMENSION, tuple(str(unit) for unit in range(units))
    )
    return replace(terms, datasets=(replace(dataset, columns=(*dataset.columns, whom)),))
