"""Do the terms make sense together? Every rule that a contract must meet before anyone is asked to sign it.

`check_terms` reports all problems at once, each with a stable code, the place, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import MAXYEAR, datetime, timedelta
from typing import Final

from audit.wording import say
from catalog.schema import NAME, ColumnType
from contracts.policy.spelling import MAX_VALUE, WRITTEN, fits, is_clean
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    JoinTerm,
    Lane,
    Level,
    Terms,
)

MAX_YEARS: Final = 5  # 发改数据规〔2025〕27号, art. 14: an agreement runs for at most five years
MAX_RUNS: Final = 100_000
MAX_RETENTION_DAYS: Final = 3650
MAX_TEXT: Final = 2000  # characters of a purpose or scenario

DISCLOSURE_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "min_contributors": (3, 100_000),
    "dominance_n": (1, 10),
    "dominance_percent": (1, 100),
    "p_percent": (1, 100),
    "round_counts": (1, 1000),
    "sum_digits": (0, 18),
    "max_dimensions": (1, 10),
    "max_cells": (1, 100_000),
    "complement_contributors": (1, 100_000),
    "show_zeros": (0, 1),
    "max_releases": (1, 100_000),
    "max_refusals": (1, 1000),
    "allow_scripts": (0, 1),
}
"""Field of `DisclosureTerms` → smallest and largest value that a contract may name."""

PRIVACY_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "contract_budget": (1, 100_000_000),
    "query_budget": (1, 100_000_000),
    "delta_exponent": (4, 12),
    "max_groups": (1, 1000),
    "max_rows": (1, 100_000),
}
"""The same for `PrivacyTerms`."""
MAX_BUDGET: Final = 100_000_000  # micro-rho of a dataset: rho = 100 protects nobody
MAX_BOUND: Final = 10**12  # of what one unit contributes to a cell, in whole units of the column

_NUMERIC: Final = frozenset({ColumnType.INTEGER, ColumnType.DECIMAL})
_OF_A_COLUMN: Final = frozenset({Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG})
_JOINABLE: Final = frozenset({ColumnRole.UNIT, ColumnRole.JOIN_KEY})


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` is the place in the terms: `datasets[0].columns[2].domain`."""

    code: str
    path: str
    message: str


def check_terms(terms: Terms) -> list[Problem]:
    """All that keeps these terms from being signed; an empty list where nothing does."""
    return [
        *_parties(terms),
        *_datasets(terms),
        *_joins(terms),
        *_disclosure(terms),
        *_privacy(terms),
        *_window(terms),
        *_range("max_runs", terms.max_runs, 1, MAX_RUNS),
        *_range("retention_days", terms.retention_days, 1, MAX_RETENTION_DAYS),
    ]


def _parties(terms: Terms) -> Iterator[Problem]:
    if not terms.assigners:
        message = say("Name at least one organization that provides the data.")
        yield Problem("terms.empty", "assigners", message)
    yield from _unique("assigners", terms.assigners)
    for n, uid in enumerate(terms.assigners):
        yield from _identity(f"assigners[{n}]", uid)
    yield from _identity("assignee", terms.assignee)
    if terms.assignee in terms.assigners:
        message = say("The user of the data cannot also be its provider.")
        yield Problem("terms.same_party", "assignee", message)
    for path, text in (("purpose", terms.purpose), ("scenario", terms.scenario)):
        if not is_clean(text) or len(text) > MAX_TEXT:
            message = say("Say it in 1 to %(most)d plain characters.", most=MAX_TEXT)
            yield Problem("terms.text", path, message)


def _datasets(terms: Terms) -> Iterator[Problem]:
    if not terms.datasets:
        yield Problem("terms.empty", "datasets", say("Name at least one dataset."))
    yield from _unique("datasets", [dataset.name for dataset in terms.datasets])
    yield from _unique("datasets", [dataset.uid for dataset in terms.datasets])
    for n, dataset in enumerate(terms.datasets):
        path = f"datasets[{n}]"
        yield from _identity(f"{path}.uid", dataset.uid)
        yield from _name(f"{path}.name", dataset.name)
        yield from _columns(f"{path}.columns", dataset)


def _columns(path: str, dataset: DatasetTerm) -> Iterator[Problem]:
    if not dataset.columns:
        yield Problem("terms.empty", path, say("Name at least one column."))
    yield from _unique(path, [column.name for column in dataset.columns])
    if sum(column.role is ColumnRole.UNIT for column in dataset.columns) > 1:
        message = say("A dataset has at most one privacy unit; give the others a role.")
        yield Problem("terms.units", path, message)
    for n, column in enumerate(dataset.columns):
        yield from _column(f"{path}[{n}]", column)
        yield from _lane(f"{path}[{n}]", column)


def _column(path: str, column: ColumnTerm) -> Iterator[Problem]:
    yield from _name(f"{path}.name", column.name)
    yield from _range(f"{path}.scale", column.scale, 0, 9 if column.type is ColumnType.DECIMAL else 0)
    if column.role is ColumnRole.DIMENSION:
        yield from _domain(f"{path}.domain", column)
    elif column.domain:
        yield Problem("terms.domain", f"{path}.domain", say("Only a dimension has a list of values."))
    if column.role is ColumnRole.MEASURE:
        yield from _aggregates(f"{path}.aggregates", column)
    elif column.aggregates:
        yield Problem("terms.aggregate", f"{path}.aggregates", say("Only a measure may be aggregated."))


def _lane(path: str, column: ColumnTerm) -> Iterator[Problem]:
    if column.level is not Level.EVENT and column.role is not ColumnRole.DIMENSION:
        yield Problem("terms.level", f"{path}.level", say("Only a dimension has a level."))
    if column.lane is not Lane.TABLE and column.role is not ColumnRole.MEASURE:
        yield Problem("terms.lane", f"{path}.lane", say("Only a measure has a lane."))
    bounded = column.role is ColumnRole.MEASURE and column.lane is Lane.PRIVATE and column.type in _NUMERIC
    if bounded:
        yield from _range(f"{path}.low", column.low, -MAX_BOUND, 0)
        yield from _range(f"{path}.high", column.high, 0, MAX_BOUND)
        if column.low == column.high:
            message = say("Bound what one unit contributes to a cell: the upper bound lies above the lower.")
            yield Problem("terms.bounds", f"{path}.high", message)
    elif column.low or column.high:
        yield Problem("terms.bounds", f"{path}.low", say("Only numbers in the private lane have bounds."))


def _domain(path: str, column: ColumnTerm) -> Iterator[Problem]:
    if not column.domain:
        yield Problem("terms.empty", path, say("List the values that this dimension may show."))
    yield from _unique(path, column.domain)
    for n, value in enumerate(column.domain):
        if not fits(value, column):
            message = say(WRITTEN[column.type], most=MAX_VALUE)
            yield Problem("terms.domain", f"{path}[{n}]", message)


def _aggregates(path: str, column: ColumnTerm) -> Iterator[Problem]:
    if not column.aggregates:
        yield Problem("terms.empty", path, say("Name the functions that this measure may be put through."))
    yield from _unique(path, column.aggregates)
    for n, aggregate in enumerate(column.aggregates):
        if aggregate not in _OF_A_COLUMN:
            message = say(
                "Rows and units are counted per dataset, not per column; use count, sum or avg here."
            )
            yield Problem("terms.aggregate", f"{path}[{n}]", message)
        elif aggregate is not Aggregate.COUNT and column.type not in _NUMERIC:
            message = say("Only numbers can be summed or averaged.")
            yield Problem("terms.aggregate", f"{path}[{n}]", message)


def _joins(terms: Terms) -> Iterator[Problem]:
    yield from _unique("joins", [frozenset({join.left, join.right}) for join in terms.joins])
    for n, join in enumerate(terms.joins):
        yield from _join(f"joins[{n}]", terms, join)


def _join(path: str, terms: Terms, join: JoinTerm) -> Iterator[Problem]:
    types = set()
    for side, (dataset_name, column_name) in (("left", join.left), ("right", join.right)):
        dataset = terms.dataset(dataset_name)
        column = dataset.column(column_name) if dataset else None
        if column is None:
            yield Problem("terms.join", f"{path}.{side}", say("The contract has no such column."))
        elif column.role not in _JOINABLE:
            message = say("Join on privacy units and join keys only.")
            yield Problem("terms.join", f"{path}.{side}", message)
        else:
            types.add((column.type, column.scale))
    if len(types) > 1:
        yield Problem("terms.join", path, say("Both sides of a join must have the same type."))
    if join.left[0] == join.right[0]:
        yield Problem("terms.join", path, say("A dataset cannot be joined to itself."))


def _disclosure(terms: Terms) -> Iterator[Problem]:
    for field in fields(terms.disclosure):
        low, high = DISCLOSURE_BOUNDS[field.name]
        yield from _range(f"disclosure.{field.name}", getattr(terms.disclosure, field.name), low, high)


def _privacy(terms: Terms) -> Iterator[Problem]:
    """Budgets where something is in the private lane, and only there."""
    private = [d for d in terms.datasets if Lane.PRIVATE in d.lanes]
    for n, dataset in enumerate(terms.datasets):
        low, high = (1, MAX_BUDGET) if dataset in private else (0, 0)
        yield from _range(f"datasets[{n}].budget", dataset.budget, low, high)
    if (terms.privacy is not None) != bool(private):
        message = say("The private lane needs its limits; without that lane there are none.")
        yield Problem("terms.privacy", "privacy", message)
    if terms.privacy is None:
        return
    for field in fields(terms.privacy):
        low, high = PRIVACY_BOUNDS[field.name]
        yield from _range(f"privacy.{field.name}", getattr(terms.privacy, field.name), low, high)
    if terms.privacy.query_budget > terms.privacy.contract_budget:
        message = say("One question cannot cost more than the whole contract.")
        yield Problem("terms.privacy", "privacy.query_budget", message)


def _window(terms: Terms) -> Iterator[Problem]:
    naive = [
        name for name in ("valid_from", "valid_until") if getattr(terms, name).utcoffset() != timedelta(0)
    ]
    for name in naive:
        yield Problem("terms.time_zone", name, say("Give the time in UTC."))
    if naive:
        return
    if terms.valid_from >= terms.valid_until:
        yield Problem("terms.window", "valid_until", say("The contract must end after it begins."))
    elif terms.valid_until > _years_later(terms.valid_from, MAX_YEARS):
        message = say("A contract runs for at most %(years)d years.", years=MAX_YEARS)
        yield Problem("terms.window", "valid_until", message)


def _years_later(moment: datetime, years: int) -> datetime:
    year = min(moment.year + years, MAXYEAR)
    try:
        return moment.replace(year=year)
    except ValueError:  # from 29 February to a year that has none
        return moment.replace(year=year, day=28)


def _range(path: str, value: int, low: int, high: int) -> Iterator[Problem]:
    if type(value) is not int or not low <= value <= high:
        message = say("Choose a whole number from %(low)d to %(high)d.", low=low, high=high)
        yield Problem("terms.range", path, message)


def _unique(path: str, values: Iterable[object]) -> Iterator[Problem]:
    listed = list(values)
    if len(set(listed)) < len(listed):
        yield Problem("terms.repeated", path, say("The same thing is named twice; name it once."))


def _name(path: str, name: str) -> Iterator[Problem]:
    if not NAME.match(name):
        message = say("Use small letters, digits and _, beginning with a letter, at most 48 characters.")
        yield Problem("terms.name", path, message)


def _identity(path: str, uid: str) -> Iterator[Problem]:
    if not is_clean(uid) or any(character.isspace() for character in uid) or len(uid) > 200:
        message = say("An identity is 1 to 200 characters without spaces.")
        yield Problem("terms.identity", path, message)
