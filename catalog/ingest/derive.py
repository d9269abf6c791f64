"""Proposed derived columns: the bins by which days, hours and ages can be asked for without free ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from audit.wording import say, template
from catalog.ingest.kinds import GRADES
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule

MONTHS = 200  # of a proposed domain at most; beyond it, years
YEARS = 200
AGE_EDGES = ("18", "30", "40", "50", "60", "70")
_AGE = re.compile(r"(^|_)age(_|$)")
_MEANINGS = {
    "month": template("%(meaning)s (month)"),
    "year": template("%(meaning)s (year)"),
    "hour": template("%(meaning)s (hour)"),
    "band": template("%(meaning)s (band)"),
}
_KINDS = {ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER}

Span = tuple[str | None, str | None]


def proposals(columns: Sequence[Column], spans: Mapping[str, Span]) -> tuple[Column, ...]:
    """Months (or years) of dates, hours of timestamps, bands of ages. `spans`: least and greatest day as ISO text."""
    names = {c.name for c in columns}
    found: list[Column] = []
    for column in columns:
        if column.kind not in _KINDS:
            continue
        if column.type in {ColumnType.DATE, ColumnType.TIMESTAMP}:
            found += _periods(column, spans.get(column.name, (None, None)))
        elif column.type is ColumnType.INTEGER and _AGE.search(column.name):
            rule = Derivation(column.name, DeriveRule.BANDS, edges=AGE_EDGES)
            found.append(_column(column, "band", rule, rule.labels(), ColumnKind.QUASI_IDENTIFIER))
    return tuple(c for c in found if c.name not in names)


def _periods(column: Column, span: Span) -> list[Column]:
    found = []
    low, high = span
    if low and high:
        first, last = _month(low), _month(high)
        rule = DeriveRule.YEAR_MONTH if last - first < MONTHS else DeriveRule.YEAR
        if rule is DeriveRule.YEAR_MONTH:
            labels = tuple(f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(first, last + 1))
            found.append(_column(column, "month", Derivation(column.name, rule), labels))
        elif last // 12 - first // 12 < YEARS:
            labels = tuple(f"{year:04d}" for year in range(first // 12, last // 12 + 1))
            found.append(_column(column, "year", Derivation(column.name, rule), labels))
    if column.type is ColumnType.TIMESTAMP:
        hours = tuple(f"{hour:02d}" for hour in range(24))
        found.append(_column(column, "hour", Derivation(column.name, DeriveRule.HOUR), hours))
    return found


def _month(day: str) -> int:
    return int(day[:4]) * 12 + int(day[5:7]) - 1


def _column(
    source: Column,
    ending: str,
    rule: Derivation,
    labels: tuple[str, ...],
    kind: ColumnKind = ColumnKind.DIMENSION,
) -> Column:
    return Column(
        f"{source.name[:40]}_{ending}", "", ColumnType.TEXT, kind, GRADES[kind],
        meaning=say(_MEANINGS[ending], meaning=source.meaning), domain=labels, derived=rule, nullable=source.nullable,
    )  # fmt: skip
