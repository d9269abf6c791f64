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


@dataclass(frozen=True, slots=True)
class DatasetTerm:
    """One dataset of the contract. `name` is its table name in SQL, `uid` its identity in the catalog."""

    uid: str
    name: str
    columns: tuple[ColumnTerm, ...]

    @property
    def unit(self) -> ColumnTerm | None:
        """The privacy unit; None where each row stands for itself (attested: no person or enterprise)."""
        return next((c for c in self.columns if c.role is ColumnRole.UNIT), None)

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

    def dataset(self, name: str) -> DatasetTerm | None:
        return next((d for d in self.datasets if d.name == name), None)
