"""What may be told of an extract on its public page: shares, rough shapes, quality. Nothing that shows one record.

Assumes: the extract was built under the schema. Guarantees: every bar stands for at least LEAST distinct units (rows,
where there is no unit); sensitive columns, and columns without a declared domain, show no values; shares are rounded
to a hundredth. Does not guarantee: protection against subtracting the profiles of two versions that differ by few rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from catalog.ingest import cells
from catalog.ingest.engine import MEMORY_BYTES, Progress, literal, session, silent
from catalog.ingest.extract import Extract
from catalog.ingest.staging import kept
from catalog.schema import Column, ColumnKind, ColumnType, Schema

LEAST = 10
BINS = 8
SHARE_DIGITS = 2
TIMES = (ColumnType.DATE, ColumnType.TIMESTAMP)
_OPEN = {ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER}


@dataclass(frozen=True, slots=True)
class Bar:
    """A value of a domain (`label`), a numeric range [low, high), or, with label "", the values too rare to show."""

    label: str
    share: float  # of the rows with a value
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    name: str
    null_share: float
    distinct: int | None = None  # to two significant digits; None where it is nobody's business
    first_month: str = ""  # dates
    last_month: str = ""
    bars: tuple[Bar, ...] = ()
    constant: bool | None = (
        None  # whether each unit has one value of it, null counted as one; None: not looked at
    )


@dataclass(frozen=True, slots=True)
class Quality:
    """Shares in 0..1: cells filled, rows not repeated, rows that fitted the schema; the score is their mean."""

    completeness: float
    uniqueness: float
    validity: float

    @property
    def score(self) -> float:
        return round((self.completeness + self.uniqueness + self.validity) / 3, 3)


@dataclass(frozen=True, slots=True)
class Profile:
    rows: int
    units: int
    quality: Quality
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        return next((c for c in self.columns if c.name == name), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Profile:
        """Raise KeyError or TypeError on anything that `to_json` would not write."""
        columns = (
            ColumnProfile(**{**c, "bars": tuple(Bar(**b) for b in c["bars"])}) for c in data["columns"]
        )
        return cls(data["rows"], data["units"], Quality(**data["quality"]), tuple(columns))


def profile(
    extract: Extract,
    schema: Schema,
    *,
    folder: Path,
    progress: Progress = silent,
    memory_bytes: int = MEMORY_BYTES,
    threads: int | None = None,
) -> Profile:
    """The public profile of `extract`, which was built under `schema`. Reads only the extract; spills to `folder`."""
    path = extract.path.resolve()
    table = f"read_parquet({literal(str(path))})"
    unit = "_unit" if schema.unit else "_row"
    columns = kept(schema)
    profiles = []
    with session(folder=folder, reads=path, memory_bytes=memory_bytes, threads=threads) as connection:
        counts = ", ".join(f"count({cells.name(c)}), approx_count_distinct({cells.name(c)})" for c in columns)
        [found] = connection.execute(f"SELECT {counts} FROM {table}").fetchall()  # noqa: S608 - names quoted
        for place, column in enumerate(columns):
            nulls, distinct = extract.rows - found[2 * place], found[2 * place + 1]
            base = ColumnProfile(column.name, _share(nulls if nulls >= LEAST else 0, extract.rows))
            profiles.append(
                _describe(connection, table, unit, column, replace(base, distinct=_rough(distinct)))
            )
            progress("profile", (place + 1) / len(columns))
    own = [found[2 * place] for place, c in enumerate(columns) if c.derived is None]
    return Profile(extract.rows, extract.units, _quality(extract, own), tuple(profiles))


def _quality(extract: Extract, filled: Sequence[int]) -> Quality:
    rows = extract.rows
    return Quality(
        completeness=round(sum(filled) / (rows * len(filled)), 3),
        uniqueness=round(1 - extract.repeated_rows / rows, 3),
        validity=round(rows / (rows + extract.dropped_rows), 3),
    )


def _describe(
    connection: duckdb.DuckDBPyConnection, table: str, unit: str, column: Column, base: ColumnProfile
) -> ColumnProfile:
    if column.kind is ColumnKind.SENSITIVE:
        return replace(base, distinct=None)
    if column.kind in _OPEN and column.domain is not None:
        bars = _category_bars(connection, table, unit, column)
        return replace(base, bars=bars, constant=_is_constant(connection, table, unit, column))
    if column.kind in _OPEN and column.type in TIMES:
        name = cells.name(column)
        [(first, last)] = connection.execute(
            f"SELECT strftime(min({name}), '%Y-%m'), strftime(max({name}), '%Y-%m') FROM {table}"  # noqa: S608
        ).fetchall()
        return replace(base, first_month=first or "", last_month=last or "")
    if column.kind is ColumnKind.MEASURE and column.type in cells.NUMERIC:
        return replace(base, bars=_numeric_bars(connection, table, unit, column))
    return base


def _is_constant(connection: duckdb.DuckDBPyConnection, table: str, unit: str, column: Column) -> bool:
    """Exact. A contract whose terms say `level: unit` rests on it."""
    if unit == "_row":  # each row is a unit
        return True
    return not connection.execute(several_sql(table, unit, cells.name(column))).fetchall()


def several_sql(table: str, unit: str, name: str) -> str:
    """A row where some unit has several values of a column, null counted as one. All three quoted already."""
    return (
        f"SELECT 1 FROM {table} GROUP BY {unit} "  # noqa: S608 - names quoted
        f"HAVING min({name}) <> max({name}) OR count({name}) NOT IN (0, count(*)) LIMIT 1"
    )


def _category_bars(
    connection: duckdb.DuckDBPyConnection, table: str, unit: str, column: Column
) -> tuple[Bar, ...]:
    value = cells.canonical(column, cells.name(column))
    groups: list[tuple[str, int, int]] = connection.execute(
        f"SELECT {value} AS v, count(*), count(DISTINCT {unit}) FROM {table} "  # noqa: S608 - names quoted
        "WHERE v IS NOT NULL GROUP BY v ORDER BY 2 DESC, 1"
    ).fetchall()
    total = sum(rows for _, rows, _ in groups)
    shown = [g for g in groups if g[2] >= LEAST]
    rest = [g for g in groups if g[2] < LEAST]
    if rest and shown and sum(rows for _, rows, _ in rest) > 0 and max(units for _, _, units in rest) < LEAST:
        rest.append(shown.pop())  # the remainder could be worked out from the shares shown
    bars = [Bar(label, _share(rows, total)) for label, rows, _ in shown]
    if rest and (shown or max(units for _, _, units in rest) >= LEAST):
        bars.append(Bar("", _share(sum(rows for _, rows, _ in rest), total)))
    return tuple(bars)


def _numeric_bars(
    connection: duckdb.DuckDBPyConnection, table: str, unit: str, column: Column
) -> tuple[Bar, ...]:
    name = cells.name(column)
    [(low, high)] = connection.execute(
        f"SELECT quantile_cont(CAST({name} AS DOUBLE), 0.05), quantile_cont(CAST({name} AS DOUBLE), 0.95) FROM {table}"  # noqa: S608
    ).fetchall()
    edges = _round_edges(low, high) if low is not None else []
    if not edges:
        return ()
    steps = " ".join(f"WHEN {name} < {edge} THEN {place}" for place, edge in enumerate(edges))
    groups: list[tuple[int, int, int]] = connection.execute(
        f"SELECT CASE {steps} ELSE {len(edges)} END AS bin, count(*), count(DISTINCT {unit}) FROM {table} "  # noqa: S608
        f"WHERE {name} IS NOT NULL GROUP BY bin ORDER BY bin"
    ).fetchall()
    return _merge([str(edge) for edge in edges], {b: (rows, units) for b, rows, units in groups})


def _merge(edges: list[str], groups: dict[int, tuple[int, int]]) -> tuple[Bar, ...]:
    """Join neighbouring bins until each holds LEAST units. `groups`: bin → rows, units; bin i ends at edges[i]."""
    bounds = ["", *edges, ""]
    spans: list[tuple[str, str, int, int]] = []  # low, high, rows, units of its largest bin: a lower bound
    start, rows, units = bounds[0], 0, 0
    for place in range(len(edges) + 1):
        more_rows, more_units = groups.get(place, (0, 0))
        rows, units = rows + more_rows, max(units, more_units)
        if units >= LEAST:
            spans.append((start, bounds[place + 1], rows, units))
            start, rows, units = bounds[place + 1], 0, 0
    if not spans:
        return ()
    low, _, last, count = spans[-1]
    spans[-1] = (low, "", last + rows, count)
    total = sum(span[2] for span in spans)
    return tuple(Bar(_range(low, high), _share(rows, total), low, high) for low, high, rows, _ in spans)


def _range(low: str, high: str) -> str:
    if low and high:
        return f"{low}-{high}"
    return f"<{high}" if high else f">={low}" if low else "all"


def _round_edges(low: float, high: float) -> list[Decimal]:
    """About BINS edges at multiples of 1, 2 or 5 times a power of ten from about `low` to about `high`."""
    if not high > low:
        return []
    raw = (high - low) / BINS
    power = math.floor(math.log10(raw))
    step = next(Decimal(m).scaleb(power) for m in (1, 2, 5, 10) if m * 10.0**power >= raw)
    first, last = math.ceil(low / float(step)), math.floor(high / float(step))
    return [Decimal(f"{multiple * step:f}") for multiple in range(first, last + 1)]


def _share(part: int, whole: int) -> float:
    return round(part / whole, SHARE_DIGITS) if whole else 0.0


def _rough(number: int) -> int:
    """`number` to two significant digits."""
    return int(round(number, 2 - len(str(number)))) if number else 0
