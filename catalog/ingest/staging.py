"""The source read once, typed and checked, into a temporary table of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import duckdb

from audit.wording import say
from catalog.ingest import cells, keys
from catalog.ingest.engine import Progress, identifier, run
from catalog.ingest.errors import IngestError
from catalog.ingest.source import REJECTS, Source
from catalog.schema import Column, ColumnKind, Schema, problems

TABLE = "staged"
UNIT, FIRST_KEY, GOOD = "_unit_text", "_first_key", "_good"


@dataclass(frozen=True, slots=True)
class Ragged:
    """Records that are not the header's width or not well quoted: data row (1-based, file order) and code.

    The engine counts blank lines here and nowhere else, so in a file that has both blank lines and ragged records the
    numbers of rows after the first blank line are off by the blank lines before them.
    """

    rows: tuple[tuple[int, str], ...] = ()
    doubtful: bool = False  # the fast reading met cells that are no plain numbers: read again, precisely

    @property
    def count(self) -> int:
        return len({row for row, _ in self.rows})


def check(source: Source, schema: Schema) -> None:
    """Raise IngestError schema.* when the schema has problems or reads a header the source does not have."""
    found = problems(schema)
    if found:
        raise IngestError(found[0].code, found[0].reason, columns=tuple(p.column for p in found))
    absent = tuple(c.name for c in schema.columns if c.derived is None and c.header not in source.headers)
    if absent:
        raise IngestError(
            "schema.header", say("The source has no column for some of the schema's."), columns=absent
        )


def kept(schema: Schema) -> tuple[Column, ...]:
    """The columns an extract has: all but the direct identifiers."""
    return tuple(c for c in schema.columns if c.kind is not ColumnKind.DIRECT_IDENTIFIER)


def rows_sql(source: Source, schema: Schema, *, precise: bool, rejects: str, numbered: bool = False) -> str:
    """A SELECT with, for each column, its value and its text (see `cells`), and `_row` (place among readable rows)."""
    own = [c for c in schema.columns if c.derived is None]
    texts = [
        f"{cells.text(c, f'c{source.headers.index(c.header)}', precise=precise)} AS {cells.text_name(c)}"
        for c in own
    ]
    if numbered:
        texts.append("row_number() OVER () AS _row")
    values = [f"{cells.value(c, cells.text_name(c))} AS {cells.name(c)}" for c in own]
    made = [
        f"{cells.derived(c.derived, identifier(c.derived.source))} AS {cells.name(c)}"
        for c in schema.columns
        if c.derived is not None
    ]
    doubles = frozenset(source.headers.index(c.header) for c in own if not precise and cells.by_double(c))
    sql = f"SELECT {', '.join(texts)} FROM {source.relation(rejects, doubles)}"  # noqa: S608 - every name is quoted
    for more in (values, made):
        if more:
            sql = f"SELECT *, {', '.join(more)} FROM ({sql})"  # noqa: S608
    return sql


def good_sql(schema: Schema, *, precise: bool) -> str:
    """A condition over `rows_sql` that holds for a good row."""
    return " AND ".join(part for c in schema.columns for part in cells.sound(c, precise=precise)) or "true"


def stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    schema: Schema,
    *,
    subkey: str,
    precise: bool,
    progress: Progress,
) -> tuple[int, int, Ragged]:
    """Fill TABLE with the kept values, UNIT, FIRST_KEY and GOOD; return rows read, rows not good, ragged records."""
    rejects = f"rejects_{uuid4().hex}"
    columns = [cells.name(c) for c in kept(schema) if c.kind is not ColumnKind.PRIVACY_UNIT]
    content = [
        cells.canonical(c, cells.name(c))
        for c in sorted(kept(schema), key=lambda c: c.name)
        if c.derived is None
    ]
    unit = schema.unit
    columns += [f"{cells.canonical(unit, cells.name(unit))} AS {UNIT}"] if unit else []
    columns += [
        f"{keys.record_sql(content)} AS {FIRST_KEY}",
        f"{good_sql(schema, precise=precise)} AS {GOOD}",
    ]
    rows = rows_sql(source, schema, precise=precise, rejects=rejects)
    connection.execute("SET preserve_insertion_order = false")  # the order is made anew, by unit and key
    run(
        connection,
        f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT {', '.join(columns)} FROM ({rows})",  # noqa: S608
        {"subkey": subkey},
        step="validate",
        progress=progress,
    )
    connection.execute("SET preserve_insertion_order = true")
    counts = f"SELECT count(*), count(*) FILTER (NOT {GOOD}) FROM {TABLE}"  # noqa: S608
    [(total, bad)] = connection.execute(counts).fetchall()
    return total, bad, ragged(connection, source, rejects)


_CODES = {"MISSING COLUMNS": "ragged", "TOO MANY COLUMNS": "ragged", "UNQUOTED VALUE": "quotes"}


def ragged(connection: duckdb.DuckDBPyConnection, source: Source, rejects: str) -> Ragged:
    """What the last reading stored in the table `rejects`. Raises IngestError source.ragged when the table is full."""
    if not source.delimiter:
        return Ragged()
    lines = connection.execute(f"SELECT DISTINCT line, error_type FROM {rejects} ORDER BY ALL").fetchall()  # noqa: S608
    if any(kind == "CAST" for _, kind in lines):
        return Ragged(doubtful=True)
    if len(lines) >= REJECTS:
        raise IngestError(
            "source.ragged", say("Too many lines do not have the header's width. Check the delimiter.")
        )
    return Ragged(tuple((line - 1, _CODES.get(kind, "line")) for line, kind in lines))


def file_rows(places: Iterable[int], broken: Ragged) -> list[int]:
    """The data rows in the file of rows known by their place among the readable ones (ascending places)."""
    skipped, out = sorted({row for row, _ in broken.rows}), []
    passed = 0
    for place in places:
        while passed < len(skipped) and skipped[passed] <= place + passed:
            passed += 1
        out.append(place + passed)
    return out
