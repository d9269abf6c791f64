"""Which tables the terms of a dataset are tried on: those an enterprise would ask for first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any

from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Lane, Terms
from sandbox.guard import AggregateQuery, bare, check_query
from sandbox.guard.domains import declared
from sandbox.guard.query import VERSION

MOST_TABLES = 6  # of one dataset
PAIRS_KEPT = 3  # of them, so many are left to pairs where there are pairs
MOST_MEASURES = 2  # of one dataset and lane

COUNTS = ""  # as a measure's name: the counts of a dataset

Dimensions = tuple[str, ...]


def tables_of(dataset: DatasetTerm, terms: Terms) -> list[Dimensions]:
    """Single dimensions, then pairs, those of the fewest possible cells; within what the terms allow in one table.

    The table of everybody alone, where the dataset has no dimension that fits.
    """
    sizes = {c.name: len(declared(c)) for c in dataset.columns if c.role is ColumnRole.DIMENSION and c.domain}
    limits = terms.disclosure

    def smallest(count: int) -> list[Dimensions]:
        if count > limits.max_dimensions:
            return []
        found = {names: prod(sizes[n] for n in names) for names in combinations(sorted(sizes), count)}
        fits = [names for names, cells in found.items() if cells <= limits.max_cells]
        return sorted(fits, key=lambda names: (found[names], names))

    singles, pairs = smallest(1), smallest(2)
    singles = singles[: MOST_TABLES - min(PAIRS_KEPT, len(pairs))]
    return [*singles, *pairs[: MOST_TABLES - len(singles)]] or [()]


def measures_in(dataset: DatasetTerm, lane: Lane) -> list[str]:
    """COUNTS where they leave in this lane, and the first of the measures that do."""
    counts = [COUNTS] if dataset.lane is lane else []
    return [*counts, *[c.name for c in dataset.columns if _is_summed(c) and c.lane is lane][:MOST_MEASURES]]


def question(
    dataset: DatasetTerm, dimensions: Dimensions, measures: Sequence[str], terms: Terms
) -> AggregateQuery:
    """The bare question for this table, through the guard as anybody's. Raises Refused: guard.*.

    Counts are of contributors; in exact tables the counts of records are withheld in the same cells.
    """
    counted = Aggregate.COUNT_UNITS if dataset.unit else Aggregate.COUNT_ROWS
    asked = [
        (counted, None) if name == COUNTS else (Aggregate.SUM, [dataset.name, name]) for name in measures
    ]
    body: dict[str, Any] = {
        "version": VERSION, "sources": [dataset.name], "joins": [], "filters": [],
        "dimensions": [{"column": [dataset.name, d], "label": f"d{i}"} for i, d in enumerate(dimensions)],
        "measures": [
            {"aggregate": aggregate.value, "column": column, "label": f"m{i}"}
            for i, (aggregate, column) in enumerate(asked)
        ],
        "having": [], "order": [], "limit": None, "totals": False,
    }  # fmt: skip
    return bare(check_query(body, terms), terms)


def _is_summed(column: ColumnTerm) -> bool:
    return column.role is ColumnRole.MEASURE and Aggregate.SUM in column.aggregates
