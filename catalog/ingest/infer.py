"""A proposed schema for a source: names, types, kinds, grades, domains. The provider corrects it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from catalog.ingest import cells
from catalog.ingest.derive import proposals
from catalog.ingest.engine import MEMORY_BYTES, Progress, run, session, silent
from catalog.ingest.kinds import GRADES, Guess, Hint, guess, is_code
from catalog.ingest.naming import machine_names
from catalog.ingest.source import Source
from catalog.ingest.types import ENOUGH, MISSING, guess_type
from catalog.schema import Column, ColumnKind, ColumnType, Schema

SAMPLE_ROWS = 20_000
SAMPLE_VALUES = 2_000  # distinct ones looked at per column
DOMAIN = 200  # values of a proposed domain at most
FEW = 62  # distinct integers that still look like a classification
APPROXIMATE = 1.1  # how far an approximate count may be off
FREE_TEXT = 25  # mean characters of a text that is written, not chosen
DENSE = 3  # a classification fills at least a third of its range
BY_HINT = {
    Hint.IDENTIFIER: ColumnKind.DIRECT_IDENTIFIER,
    Hint.SENSITIVE: ColumnKind.SENSITIVE,
    Hint.QUASI: ColumnKind.QUASI_IDENTIFIER,
}
_ANY = Column("any", "", ColumnType.TEXT, ColumnKind.DIMENSION)
BY_TYPE = {
    ColumnType.BOOLEAN: ColumnKind.DIMENSION,
    ColumnType.DECIMAL: ColumnKind.MEASURE,
    ColumnType.DATE: ColumnKind.QUASI_IDENTIFIER,
    ColumnType.TIMESTAMP: ColumnKind.QUASI_IDENTIFIER,
}
NUMBERS = (ColumnType.INTEGER, ColumnType.DECIMAL)
TIMES = (ColumnType.DATE, ColumnType.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one pass over all rows says of a column under its guessed type."""

    filled: int  # cells with a text
    wrong: int  # of them, not of the type
    distinct: int  # approximate
    length: float  # mean characters
    too_fine: int = 0  # cells with more digits after the point than the guessed scale
    low: str | None = None  # least and greatest value of dates and integers, as text
    high: str | None = None


def infer_schema(
    source: Source,
    *,
    folder: Path,
    progress: Progress = silent,
    memory_bytes: int = MEMORY_BYTES,
    threads: int | None = None,
) -> Schema:
    """Propose a schema from a bounded sample and two or three passes of aggregates over all rows.

    At most one privacy unit; derived months, hours and age bands where they help. Everything is a guess.
    """
    with session(folder=folder, reads=source.path, memory_bytes=memory_bytes, threads=threads) as connection:
        columns, guesses = _sampled(connection, source)
        progress("infer", 0.2)
        rows, facts = _measure(connection, source, columns, progress)
        columns = [_retype(connection, source, c, f) for c, f in zip(columns, facts, strict=True)]
        unit = _choose_unit(columns, guesses, facts, rows)
        columns = [
            _classify(c, g, f, rows, is_unit=c is unit)
            for c, g, f in zip(columns, guesses, facts, strict=True)
        ]
        few = {c.name for c, f in zip(columns, facts, strict=True) if f.distinct <= DOMAIN * APPROXIMATE}
        columns = _with_domains(connection, source, columns, few, progress)
    spans = {c.name: (f.low, f.high) for c, f in zip(columns, facts, strict=True)}
    return Schema((*columns, *proposals(columns, spans)))


def _sampled(connection: duckdb.DuckDBPyConnection, source: Source) -> tuple[list[Column], list[Guess]]:
    words = connection.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    ).fetchall()
    names = machine_names(source.headers, frozenset(word for (word,) in words))
    connection.execute(f"CREATE TEMP TABLE sample AS SELECT * FROM {source.relation()} LIMIT {SAMPLE_ROWS}")  # noqa: S608
    columns, guesses = [], []
    for place, (header, name) in enumerate(zip(source.headers, names, strict=True)):
        values = [
            value
            for (value,) in connection.execute(
                f"SELECT {cells.text(_ANY, f'c{place}', precise=True)} AS v FROM sample WHERE v <> '' GROUP BY v "  # noqa: S608
                f"ORDER BY count(*) DESC, v LIMIT {SAMPLE_VALUES}"
            ).fetchall()
        ]
        found = guess(header, name, values)
        code = is_code(header, name) or found.hint in {Hint.UNIT, Hint.IDENTIFIER}
        kind = guess_type(values, code=code)
        columns.append(
            Column(
                name, header, kind.type, ColumnKind.DIMENSION, meaning=header,
                scale=kind.scale, format=kind.format, missing=kind.missing, rounded=kind.rounded,
            )
        )  # fmt: skip
        guesses.append(found)
    connection.execute("DROP TABLE sample")
    return columns, guesses


def _typed(source: Source, columns: list[Column], *, precise: bool = True) -> str:
    """Every column's text and value from all rows."""
    texts = ", ".join(
        f"{cells.text(c, f'c{source.headers.index(c.header)}', precise=precise)} AS {cells.text_name(c)}"
        for c in columns
    )
    values = ", ".join(f"{cells.value(c, cells.text_name(c))} AS {cells.name(c)}" for c in columns)
    return f"(SELECT *, {values} FROM (SELECT {texts} FROM {source.relation()}))"  # noqa: S608 - names quoted


def _wrong(column: Column, codes: frozenset[str] = frozenset({"type", "range", "fraction"})) -> str:
    return " OR ".join(sql for code, sql in cells.checks(column) if code in codes) or "false"


def _measure(
    connection: duckdb.DuckDBPyConnection, source: Source, columns: list[Column], progress: Progress
) -> tuple[int, list[Facts]]:
    """The number of rows and the facts of each column: a fast pass, and a precise one over what it doubted."""
    rows, facts = _pass(connection, source, columns, progress, (0.2, 0.5), precise=False)
    doubted = [
        place
        for place, (c, f) in enumerate(zip(columns, facts, strict=True))
        if c.type in cells.NUMERIC and f.wrong
    ]
    if doubted:
        again = [columns[place] for place in doubted]
        _, exact = _pass(connection, source, again, progress, (0.5, 0.7), precise=True)
        for place, fact in zip(doubted, exact, strict=True):
            facts[place] = fact
    return rows, facts


def _pass(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    columns: list[Column],
    progress: Progress,
    span: tuple[float, float],
    *,
    precise: bool,
) -> tuple[int, list[Facts]]:
    wanted = ["count(*)"]
    for column in columns:
        value, text = cells.name(column), cells.text_name(column)
        ends = [f"CAST(min({value}) AS VARCHAR)", f"CAST(max({value}) AS VARCHAR)"]
        wrong, fine = _wrong(column), _wrong(column, frozenset({"scale"}))
        if not precise and column.type in cells.NUMERIC:
            wrong, fine = f"NOT ({' AND '.join(cells.sound(column, precise=False))})", "false"
        wanted += [f"count({text})", f"count(*) FILTER ({wrong})", f"approx_count_distinct({text})"]
        wanted += [f"avg(length({text}))", f"count(*) FILTER ({fine})"]
        wanted += ends if column.type in (*TIMES, ColumnType.INTEGER) else ["NULL", "NULL"]
    sql = f"SELECT {', '.join(wanted)} FROM {_typed(source, columns, precise=precise)}"  # noqa: S608 - names quoted
    [found] = run(connection, sql, step="infer", progress=progress, span=span)
    width = 7
    facts = [found[1 + width * place : 1 + width * (place + 1)] for place in range(len(columns))]
    return found[0], [Facts(f[0], f[1], f[2], f[3] or 0.0, f[4], f[5], f[6]) for f in facts]


def _retype(connection: duckdb.DuckDBPyConnection, source: Source, column: Column, facts: Facts) -> Column:
    """Mend a guess that the rows after the sample contradict: more words for "no value", or text after all."""
    column = replace(column, rounded=column.rounded or facts.too_fine > 0)
    if not facts.wrong:
        return column
    words = connection.execute(
        f"SELECT DISTINCT {cells.text_name(column)} FROM {_typed(source, [column])} "  # noqa: S608 - names quoted
        f"WHERE {_wrong(column)} LIMIT {len(MISSING)}"
    ).fetchall()
    found = {word for (word,) in words}
    if found <= MISSING:
        return replace(column, missing=tuple(sorted({*column.missing, *found})))
    if facts.wrong > (1 - ENOUGH) * facts.filled:
        return replace(column, type=ColumnType.TEXT, format="", scale=0, rounded=False, missing=())
    return column


def _choose_unit(columns: list[Column], guesses: list[Guess], facts: list[Facts], rows: int) -> Column | None:
    """Of the columns that look like a subject's number: the best named, then the one that repeats, then the first."""
    candidates = [
        (g.strength, f.distinct < rows * 0.98, -place)
        for place, (c, g, f) in enumerate(zip(columns, guesses, facts, strict=True))
        if g.hint is Hint.UNIT and f.distinct > 1 and c.type in {ColumnType.TEXT, ColumnType.INTEGER}
    ]
    return columns[-max(candidates)[2]] if candidates else None


def _classify(column: Column, found: Guess, facts: Facts, rows: int, *, is_unit: bool) -> Column:
    kind = ColumnKind.PRIVACY_UNIT if is_unit else _kind(column, found, facts, rows)
    return replace(
        column,
        kind=kind,
        grade=GRADES[kind],
        unit_space=found.unit_space if is_unit else "",
        nullable=not is_unit and (facts.filled < rows or bool(column.missing)),
    )


def _kind(column: Column, found: Guess, facts: Facts, rows: int) -> ColumnKind:
    few = facts.distinct <= DOMAIN * APPROXIMATE
    if found.hint in BY_HINT:
        return BY_HINT[found.hint]
    if (
        found.hint is Hint.UNIT and not few
    ):  # the number of something else than the unit: it singles out records
        return ColumnKind.DIRECT_IDENTIFIER
    if column.type is ColumnType.INTEGER:
        return ColumnKind.DIMENSION if _classifies(facts, rows) else ColumnKind.MEASURE
    if column.type is ColumnType.TEXT:
        return _text_kind(facts, few=few)
    return BY_TYPE[column.type]


def _text_kind(facts: Facts, *, few: bool) -> ColumnKind:
    if facts.length > FREE_TEXT and facts.distinct * (5 if few else 20) > facts.filled:
        return ColumnKind.DIRECT_IDENTIFIER  # written, not chosen: it may name anybody
    return ColumnKind.DIMENSION if few else ColumnKind.QUASI_IDENTIFIER


def _classifies(facts: Facts, rows: int) -> bool:
    """Integers that are few, dense and often repeated are a classification (years, hours, classes)."""
    if facts.low is None or facts.high is None or facts.distinct > FEW or rows < 2 * facts.distinct:
        return False
    return int(facts.high) - int(facts.low) < DENSE * max(facts.distinct, 2)


def _with_domains(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    columns: list[Column],
    few: set[str],
    progress: Progress,
) -> list[Column]:
    """Declare the domain of every dimension and quasi-identifier of at most DOMAIN values; days have none."""
    kinds = {ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER}
    asked = [
        c for c in columns if c.name in few and c.kind in kinds and c.type not in (*TIMES, ColumnType.DECIMAL)
    ]
    if not asked:
        return columns
    wanted = ", ".join(f"list_sort(list(DISTINCT {cells.name(c)}))" for c in asked)
    [found] = run(
        connection,
        f"SELECT {wanted} FROM {_typed(source, asked)}",  # noqa: S608 - names quoted
        step="infer",
        progress=progress,
        span=(0.7, 1.0),
    )
    domains = {c.name: _domain(values) for c, values in zip(asked, found, strict=True)}
    return [_settle(c, domains.get(c.name)) for c in columns]


def _domain(values: list[Any] | None) -> tuple[str, ...] | None:
    known = [v for v in values or [] if v is not None]
    if not 0 < len(known) <= DOMAIN:
        return None
    return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in known)


def _settle(column: Column, domain: tuple[str, ...] | None) -> Column:
    if domain is None and column.kind is ColumnKind.DIMENSION and column.type in NUMBERS:
        return replace(column, kind=ColumnKind.MEASURE, grade=GRADES[ColumnKind.MEASURE])
    if domain is None and column.kind is ColumnKind.DIMENSION:
        return replace(column, kind=ColumnKind.QUASI_IDENTIFIER, grade=GRADES[ColumnKind.QUASI_IDENTIFIER])
    return replace(column, domain=domain)
