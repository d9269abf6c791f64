"""Rows in the likeness of a dataset, made from what is public of it and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import Any

from catalog.ingest.profile import Bar, ColumnProfile, Profile
from catalog.ingest.staging import kept
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Schema

PLAIN = Bar("", 1.0, "0", "100")  # the range of a number of which nothing is public
TIMES = (ColumnType.DATE, ColumnType.TIMESTAMP)


def synthetic_rows(schema: Schema, profile: Profile, n: int = 20, seed: int = 0) -> list[dict[str, Any]]:
    """`n` invented rows with the extract's columns; the same for the same arguments.

    Columns are drawn on their own from declared domains and the rounded profile: no joint distribution of
    the data is shown, and no value of a column without public values ever occurs other than by chance.
    """
    chance = Random(f"synthetic {seed}")  # noqa: S311 - a sample, not a secret
    units = [chance.getrandbits(64) for _ in range(max(1, min(n, profile.units)))]
    alone = profile.units >= profile.rows  # a row for each unit
    return [
        _row(schema, profile, chance, units[i % len(units)] if alone else chance.choice(units))
        for i in range(n)
    ]


def _row(schema: Schema, profile: Profile, chance: Random, unit: int) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    columns = kept(schema)
    for column in columns:
        if column.derived is None:
            known = profile.column(column.name) or ColumnProfile(column.name, 0.0)
            drawn[column.name] = _value(column, known, chance, unit)
    for column in columns:
        if column.derived is not None:
            drawn[column.name] = _derived(column, column.derived, drawn, chance)
    return {column.name: drawn[column.name] for column in columns}


def _value(column: Column, known: ColumnProfile, chance: Random, unit: int) -> Any:
    if column.kind is ColumnKind.PRIVACY_UNIT:
        return unit
    if chance.random() < known.null_share:
        return None
    if column.domain is not None:
        return _PARSERS[column.type](_from_domain(column.domain, known.bars, chance))
    if column.type in {ColumnType.INTEGER, ColumnType.DECIMAL}:
        return _number(column, known.bars, chance)
    if column.type in TIMES:
        return _moment(column, known, chance)
    return (
        chance.random() < 0.5 if column.type is ColumnType.BOOLEAN else f"sample {chance.randrange(1, 1000)}"
    )


def _from_domain(domain: tuple[str, ...], bars: tuple[Bar, ...], chance: Random) -> str:
    if not bars:
        return chance.choice(domain)
    [bar] = chance.choices(bars, [bar.share + 0.001 for bar in bars])
    rare = [value for value in domain if all(value != b.label for b in bars)]
    return bar.label or chance.choice(rare or list(domain))


_PARSERS: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.TEXT: str,
    ColumnType.INTEGER: int,
    ColumnType.DECIMAL: Decimal,
    ColumnType.BOOLEAN: "true".__eq__,
    ColumnType.DATE: date.fromisoformat,
    ColumnType.TIMESTAMP: datetime.fromisoformat,
}


def _number(column: Column, bars: tuple[Bar, ...], chance: Random) -> int | Decimal:
    [bar] = chance.choices(bars or (PLAIN,), [b.share + 0.001 for b in bars or (PLAIN,)])
    low, high = _range(bar, bars)
    scale = column.scale if column.type is ColumnType.DECIMAL else 0
    number = low + (high - low) * Decimal(str(chance.random()))
    number = number.quantize(Decimal(1).scaleb(-scale), ROUND_FLOOR)
    return number if scale else int(number)


def _range(bar: Bar, bars: tuple[Bar, ...]) -> tuple[Decimal, Decimal]:
    """An open end is drawn as wide as the narrowest bar beside it, and not across nought: tails are not public."""
    if not bar.low and not bar.high:
        return Decimal(PLAIN.low), Decimal(PLAIN.high)
    if bar.low and bar.high:
        return Decimal(bar.low), Decimal(bar.high)
    edge = Decimal(bar.low or bar.high)
    width = min(
        (Decimal(b.high) - Decimal(b.low) for b in bars if b.low and b.high), default=abs(edge) or Decimal(1)
    )
    if bar.low:
        return edge, edge + width
    return (max(edge - width, Decimal(0)) if edge > 0 else edge - width), edge


def _moment(column: Column, known: ColumnProfile, chance: Random) -> date | datetime:
    first = datetime.strptime(known.first_month or "2024-01", "%Y-%m").replace(tzinfo=UTC)
    last = datetime.strptime(known.last_month or "2024-12", "%Y-%m").replace(tzinfo=UTC)
    days = max((last - first).days, 0) + 28
    moment = first + timedelta(days=chance.randrange(days), minutes=chance.randrange(1440))
    return moment.date() if column.type is ColumnType.DATE else moment.replace(tzinfo=None)


def _derived(column: Column, rule: Derivation, drawn: dict[str, Any], chance: Random) -> str | None:
    """By the rule from the drawn source; from the domain where the source is not part of the extract."""
    domain = column.domain or ("",)
    if rule.source not in drawn:
        return chance.choice(domain)
    source = drawn[rule.source]
    made = None if source is None else _apply(rule, source)
    return made if made is None or made in domain else chance.choice(domain)


def _apply(rule: Derivation, source: Any) -> str:
    """The engine's `cells.derived` on a Python value."""
    match rule.rule:
        case DeriveRule.YEAR:
            return f"{source.year:04d}"
        case DeriveRule.YEAR_MONTH:
            return f"{source.year:04d}-{source.month:02d}"
        case DeriveRule.HOUR:
            return f"{source.hour:02d}"
        case DeriveRule.PREFIX:
            return str(source)[: rule.length]
        case DeriveRule.BANDS:
            passed = sum(Decimal(source) >= Decimal(edge) for edge in rule.edges)
            return rule.labels()[passed]
