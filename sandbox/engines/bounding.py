"""What one contributor can change in a private answer: the statistics a question needs and their bounds. Pure.

Two extracts are neighbours where one is the other without one privacy unit and all its rows; in a dataset that has
no privacy unit, without one row. Everything here follows from the question and the contract alone, so the bounds
are as public as the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Final

from audit.wording import say
from contracts.policy.terms import Aggregate, DatasetTerm, Lane, PrivacyTerms, Terms
from sandbox.engines.contributions import contributor_keys, varies_within_contributor
from sandbox.engines.raw import is_summed, scale
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef, Measure


class Kind(StrEnum):
    UNITS = "units"  # contributors in the cell
    ROWS = "rows"  # their rows, at most `max_rows` of each
    VALUES = "values"  # their rows with a value of the column, at most `max_rows` of each
    SUM = "sum"  # of the column, each contributor's own sum clamped to low..high


@dataclass(frozen=True, slots=True, order=True)
class Statistic:
    """One number per declared cell."""

    kind: Kind
    column: ColumnRef | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """What one contributor adds to one cell: low..high, in units of 10^-scale of the column."""

    low: int
    high: int
    scale: int = 0

    @property
    def magnitude(self) -> int:
        """The most by which a contributor's coming or going changes a cell."""
        return max(abs(self.low), abs(self.high))


_NEEDS: Final[dict[Aggregate, tuple[Kind, ...]]] = {
    Aggregate.COUNT_UNITS: (Kind.UNITS,),
    Aggregate.COUNT_ROWS: (Kind.ROWS,),
    Aggregate.COUNT: (Kind.VALUES,),
    Aggregate.SUM: (Kind.SUM,),
    Aggregate.AVG: (Kind.SUM, Kind.VALUES),
}


def needed_by(measure: Measure) -> tuple[Statistic, ...]:
    """The statistics a measure is made of: an average is a sum and a count."""
    return tuple(Statistic(kind, measure.column) for kind in _NEEDS[measure.aggregate])


def statistics_of(query: AggregateQuery) -> tuple[Statistic, ...]:
    """The distinct statistics of all measures, in a fixed order: what two measures need is taken, and paid, once."""
    found = {statistic for measure in query.measures for statistic in needed_by(measure)}
    return tuple(sorted(found, key=lambda s: (s.kind.value, s.column or ColumnRef("", ""))))


def raw_name(statistic: Statistic, query: AggregateQuery) -> str:
    """The statistic's column in the table of `private_sql`."""
    if statistic.column is None:
        return "units" if statistic.kind is Kind.UNITS else "n"
    place = query.measured.index(statistic.column)
    return f"m{place}_{'sum' if statistic.kind is Kind.SUM else 'n'}"


def bound_of(statistic: Statistic, terms: Terms) -> Bound:
    """Raises Refused("private.bounds") for a sum the contract does not bound around 0."""
    if statistic.kind is Kind.UNITS:
        return Bound(0, 1)
    if statistic.kind is not Kind.SUM or statistic.column is None:
        return Bound(0, limits_of(terms).max_rows)
    column = column_term(terms, statistic.column)
    if (
        not is_summed(statistic.column, terms)
        or not column.low <= 0 <= column.high
        or column.low == column.high
    ):
        reason = say(
            "The contract does not bound what one unit contributes to %(column)s.", column=column.name
        )
        raise refuse("private.bounds", reason)
    digits = scale(statistic.column, terms)
    return Bound(column.low * 10**digits, column.high * 10**digits, digits)


def limits_of(terms: Terms) -> PrivacyTerms:
    """Raises Refused("private.lane") where the contract has no private lane."""
    if terms.privacy is None:
        raise refuse("private.lane", say("The contract has no private lane."))
    return terms.privacy


def contributor_of(query: AggregateQuery, terms: Terms) -> tuple[DatasetTerm, ColumnRef]:
    """The dataset whose units (or rows) are protected, and the column that orders one unit's cells.

    The order must come from the unit's own data: its pseudonym, or the row's record key. The dense codes
    `_unit` and `_row` would not do: without one unit those after it are numbered anew, so that its absence
    would change which cells of others are kept.

    Raises: Refused("private.join") where rows of several datasets would have to be protected each on its own:
    in a join without privacy unit, one row of a dataset meets any number of rows of the other.
    """
    keys = contributor_keys(query, terms)
    datasets = [d for name in query.sources if (d := terms.dataset(name)) is not None]
    private = {d.name for d in datasets if Lane.PRIVATE in d.lanes and d.unit is None}
    if len(keys) != 1 or private - {keys[0].dataset}:
        reason = say(
            "The private lane protects the records of one dataset: count or sum a column of it, and join it "
            "only to datasets that are outside the private lane or have the same privacy unit."
        )
        raise refuse("private.join", reason)
    dataset = next(d for d in datasets if d.name == keys[0].dataset)
    return dataset, ColumnRef(dataset.name, dataset.unit.name if dataset.unit else "_record_key")


def varies_within_unit(ref: ColumnRef, query: AggregateQuery, terms: Terms) -> bool:
    """As `contributions.varies_within_contributor`. Raises: Refused, see `contributor_of`."""
    contributor_of(query, terms)
    return varies_within_contributor(ref, query, terms)


def reachable_cells(query: AggregateQuery, terms: Terms) -> int:
    """The most cells that one contributor can stand in: the product of the domains that may vary within it."""
    contributor_of(query, terms)
    pairs = zip(query.dimensions, cell_values(query, terms), strict=True)
    return prod(len(v) for d, v in pairs if varies_within_unit(d.column, query, terms))


def groups_of(query: AggregateQuery, terms: Terms) -> int:
    """The most cells of the answer that one contributor counts in, after bounding."""
    return min(limits_of(terms).max_groups, reachable_cells(query, terms))
