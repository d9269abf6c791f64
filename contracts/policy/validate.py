"""Do the terms make sense together? Every rule that a contract must meet before anyone is asked to sign it.

`check_terms` reports all problems at once, each with a stable code, the place, and what to do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import MAXYEAR, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from audit.wording import say, template
from catalog.schema import NAME, ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, JoinTerm, Terms

MAX_YEARS: Final = 5  # 发改数据规〔2025〕27号, art. 14: an agreement runs for at most five years
MAX_RUNS: Final = 100_000
MAX_RETENTION_DAYS: Final = 3650
MAX_TEXT: Final = 2000  # characters of a purpose or scenario
MAX_VALUE: Final = 200  # characters of a dimension's value; a longer literal is not accepted in a query

DISCLOSURE_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "min_contributors": (3, 100_000),
    "dominance_n": (1, 10),
    "dominance_percent": (1, 100),
    "p_percent": (1, 100),
    "round_counts": (1, 1000),
    "sum_digits": (0, 18),
    "max_dimensions": (1, 10),
    "max_cells": (1, 100_000),
}
"""Field of `DisclosureTerms` → smallest and largest value that a contract may name."""

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
        if not _is_clean(text) or len(text) > MAX_TEXT:
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


def _domain(path: str, column: ColumnTerm) -> Iterator[Problem]:
    if not column.domain:
        yield Problem("terms.empty", path, say("List the values that this dimension may show."))
    yield from _unique(path, column.domain)
    for n, value in enumerate(column.domain):
        if not _fits(value, column):
            message = say(_WRITTEN[column.type], most=MAX_VALUE)
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
    if not _is_clean(uid) or any(character.isspace() for character in uid) or len(uid) > 200:
        message = say("An identity is 1 to 200 characters without spaces.")
        yield Problem("terms.identity", path, message)


def _is_clean(text: str) -> bool:
    """Not blank, in Unicode NFC, without control characters, surrogates or unassigned code points."""
    hidden = {"Cc", "Cs", "Cn", "Cf"}  # Cf: characters that change the look of the text around them
    return (
        bool(text.strip())
        and unicodedata.is_normalized("NFC", text)
        and not any(unicodedata.category(character) in hidden for character in text)
    )


def _fits(value: str, column: ColumnTerm) -> bool:
    """True where `value` is the one spelling of a value of the column's type (as DuckDB casts it to text)."""
    try:
        return len(value) <= MAX_VALUE and _SPELLING[column.type](value, column.scale) == value
    except (ValueError, InvalidOperation):
        return False


def _decimal(value: str, scale: int) -> str | None:
    number = Decimal(value)
    if not number.is_finite() or (number.is_zero() and number.is_signed()):
        return None
    return f"{number:.{scale}f}"


_SPELLING: Final[dict[ColumnType, Callable[[str, int], str | None]]] = {
    ColumnType.TEXT: lambda value, _: value if _is_clean(value) else None,
    ColumnType.INTEGER: lambda value, _: str(int(value)),
    ColumnType.DECIMAL: _decimal,
    ColumnType.DATE: lambda value, _: date.fromisoformat(value).isoformat(),
    ColumnType.TIMESTAMP: lambda value, _: datetime.fromisoformat(value).replace(tzinfo=None).isoformat(" "),
    ColumnType.BOOLEAN: lambda value, _: value if value in {"true", "false"} else None,
}
_WRITTEN: Final = {
    ColumnType.TEXT: template("Write a text as 1 to %(most)d visible characters."),
    ColumnType.INTEGER: template("Write a whole number like 42."),
    ColumnType.DECIMAL: template(
        "Write a number with all its digits after the point, like 1.50 for two digits."
    ),
    ColumnType.DATE: template("Write a date like 2026-03-01."),
    ColumnType.TIMESTAMP: template("Write a time like 2026-03-01 08:00:00."),
    ColumnType.BOOLEAN: template("Write true or false."),
}
