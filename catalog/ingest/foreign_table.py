"""A table or view of another PostgreSQL as a CSV file."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from audit.wording import say, template
from catalog.ingest.delimited import number_headers
from catalog.ingest.engine import Progress, silent
from catalog.ingest.errors import IngestError

TIMEOUT_SECONDS = 1800
MAX_BYTES = 100_000_000_000
_BYTEA = 17  # its type's oid: bytes are not a column of a dataset
_REASONS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (psycopg.errors.UndefinedTable, "source.no_table", template("The database has no such table or view.")),
    (
        psycopg.errors.InvalidSchemaName,
        "source.no_table",
        template("The database has no such table or view."),
    ),
    (
        psycopg.errors.InsufficientPrivilege,
        "source.not_allowed",
        template("This database user may not read the table."),
    ),
    (psycopg.errors.QueryCanceled, "source.timeout", template("Reading the table took too long.")),
    (
        psycopg.OperationalError,
        "source.database",
        template("The database could not be reached. Check address and log-in."),
    ),
)


def write_csv(
    conninfo: str,
    schema: str,
    table: str,
    target: Path,
    *,
    timeout_seconds: int = TIMEOUT_SECONDS,
    progress: Progress = silent,
) -> tuple[str, ...]:
    """Copy schema.table into `target` in one read-only snapshot; return its headers.

    Values arrive as PostgreSQL writes them with DateStyle ISO in UTC. No error repeats `conninfo`.
    """
    try:
        with psycopg.connect(conninfo, connect_timeout=10, autocommit=False) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.cursor() as cursor:
                _settle(cursor, timeout_seconds)
                return _copy(cursor, sql.Identifier(schema, table), target, progress)
    except psycopg.Error as error:
        code, reason = next(
            ((c, r) for kind, c, r in _REASONS if isinstance(error, kind)),
            ("source.database", template("The database could not deliver the table.")),
        )
        raise IngestError(code, say(reason), sqlstate=error.sqlstate or "") from None


def _settle(cursor: psycopg.Cursor[tuple[object, ...]], timeout_seconds: int) -> None:
    for name, value in (
        ("statement_timeout", f"{timeout_seconds * 1000}"),
        ("lock_timeout", "10000"),
        ("DateStyle", "ISO, YMD"),
        ("TimeZone", "UTC"),
        ("client_encoding", "UTF8"),
    ):
        cursor.execute("SELECT set_config(%s, %s, true)", (name, value))


def _copy(
    cursor: psycopg.Cursor[tuple[object, ...]],
    name: sql.Identifier,
    target: Path,
    progress: Progress,
) -> tuple[str, ...]:
    cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name))
    described = cursor.description or []
    if any(column.type_code == _BYTEA for column in described):
        raise IngestError("source.nested", say("The table has columns of bytes. Offer a view without them."))
    headers = number_headers([column.name for column in described])
    size = 0
    with (
        target.open("wb") as file,
        cursor.copy(
            sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)").format(name)
        ) as rows,
    ):
        for data in rows:
            size += len(data)
            if size > MAX_BYTES:
                raise IngestError(
                    "source.too_large", say("The table is too large. Offer a view of a part of it.")
                )
            file.write(data)
    progress("decode", 1.0)
    return headers
