"""The typed terms of a usage contract. Pure; no Django.

What stands here is what the parties sign and what the machine enforces: nothing is enforced that is not
a term, and no term is signed that nothing enforces. `odrl.py` writes the terms as ODRL JSON and reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from catalog.schema import ColumnType


class ColumnRole(StrEnum):
    UNIT = "unit"  # counted, never shown, grouped or filtered; may be a join key
    DIMENSION = "dimension"  # may be grouped by and filtered by = and IN over `domain`
    MEASURE = "measure"  # may be aggregated by the functions in `aggregates`
    JOIN_KEY = "join_key"  # may only be joined on


class Level(StrEnum):
    """Whether the rows of one privacy unit can hold several values of a dimension."""

    UNIT = "unit"  # one value for each unit, verified when the extract was built
    EVENT = "event"


class Lane(StrEnum):
    """How numbers may leave. One measure of one dataset leaves in one lane, whoever asks: mixing them adds up."""

    TABLE = (
        "table"  # exact after k, dominance, complementary suppression, rounding and a look at earlier answers
    )
    PERTURBED = "perturbed"  # k and dominance, then a small change that depends on who contributes (cell key)
    PRIVATE = "private"  # differential privacy, paid from a budget that nothing refills


class Aggregate(StrEnum):
    COUNT_ROWS = "count_rows"  # COUNT(*)
    COUNT_UNITS = "count_units"  # COUNT(DISTINCT unit)
    COUNT = "count"  # COUNT(column): rows where it is not null
    SUM = "sum"
    AVG = "avg"  # published sum / published count


@dataclass(frozen=True, slots=True)
class ColumnTerm:
    name: str
    type: ColumnType
    role: ColumnRole
    domain: tuple[str, ...] = ()  # DIMENSION: the values that may appear, as text
    aggregates: tuple[Aggregate, ...] = ()  # MEASURE: COUNT, SUM, AVG
    scale: int = 0  # DECIMAL: digits after the point
    level: Level = Level.EVENT  # DIMENSION
    lane: Lane = Lane.TABLE  # MEASURE
    low: int = 0  # MEASURE in the private lane: what one unit contributes to a cell is clamped to low..high,
    high: int = 0  # in whole units of the column


@dataclass(frozen=True, slots=True)
class DatasetTerm:
    """One dataset of the contract. `name` is its table name in SQL, `uid` its identity in the catalog."""

    uid: str
    name: str
    columns: tuple[ColumnTerm, ...]
    lane: Lane = Lane.TABLE  # of counts of its rows and units
    budget: int = (
        0  # micro-rho that all contracts together may ever spend on this dataset; 0: no private lane
    )

    @property
    def unit(self) -> ColumnTerm | None:
        """The privacy unit; None where each row stands for itself (attested: no person or enterprise)."""
        return next((c for c in self.columns if c.role is ColumnRole.UNIT), None)

    @property
    def lanes(self) -> frozenset[Lane]:
        """Those of its counts and of its measures."""
        return frozenset({self.lane, *(c.lane for c in self.columns if c.role is ColumnRole.MEASURE)})

    def column(self, name: str) -> ColumnTerm | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class JoinTerm:
    """An equality the query may join on: left.dataset.column = right.dataset.column (either order)."""

    left: tuple[str, str]  # (dataset name, column name)
    right: tuple[str, str]


@dataclass(frozen=True, slots=True)
class DisclosureTerms:
    """Parameters of the rules in sandbox/disclosure. Two owners' terms combine by the stricter value."""

    min_contributors: int = 10  # k: distinct privacy units per published cell
    dominance_n: int = 2  # (n, k) rule: the n largest units ...
    dominance_percent: int = 85  # ... contribute at most this share of the cell's absolute sum
    p_percent: int = 10  # p% rule: the second largest cannot estimate the largest within p %
    round_counts: int = 5  # counts are rounded to this base; 1 = not rounded
    sum_digits: int = 3  # significant digits kept of sums; 0 = all
    max_dimensions: int = 3
    max_cells: int = 2000
    complement_contributors: int = 10  # what is left of a total must stand for so many units
    show_zeros: int = 0  # 1: an empty cell is published as 0; 0: it looks like a withheld one
    max_releases: int = 200  # different answers under this contract, exact and perturbed ones each
    max_refusals: int = 20  # refusals that depend on data, after which the table lane of this contract closes
    allow_scripts: int = (
        0  # 1: a reviewed script may prepare a dataset's records before questions are asked; 0: none
    )


@dataclass(frozen=True, slots=True)
class PrivacyTerms:
    """The private lane's limits. Budgets are zero-concentrated differential privacy: rho, in millionths.

    Source: Bun and Steinke, Concentrated Differential Privacy (TCC 2016).
    """

    contract_budget: int = 500_000  # of this contract, over its whole term
    query_budget: int = 20_000  # the most that one question may cost
    delta_exponent: int = 7  # budgets are translated to (epsilon, delta) with delta = 10^-this
    max_groups: int = 3  # cells of one answer that one unit may contribute to
    max_rows: int = 2  # rows that one unit may contribute to a cell


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything a contract says. Times are aware UTC."""

    assigners: tuple[str, ...]  # uids of the providing organizations
    assignee: str  # uid of the enterprise
    purpose: str
    scenario: str
    datasets: tuple[DatasetTerm, ...]
    joins: tuple[JoinTerm, ...]
    disclosure: DisclosureTerms
    max_runs: int
    valid_from: datetime
    valid_until: datetime
    retention_days: int  # a release can be downloaded for this long
    privacy: PrivacyTerms | None = None  # where something is in the private lane

    def dataset(self, name: str) -> DatasetTerm | None:
        return next((d for d in self.datasets if d.name == name), None)
