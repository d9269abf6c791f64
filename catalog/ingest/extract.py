"""The immutable Parquet extract of a source under a schema.

File: `<sha256>.parquet` in the given folder, mode 0444, zstd, row groups of 122,880. Columns in the schema's order
without the direct identifiers; the privacy unit as its pseudonym (UBIGINT); then `_unit` INTEGER 0..n-1 (where there
is a unit) or `_row` BIGINT 0..n-1 (where there is none), and `_record_key` UBIGINT (see `keys`). Rows are sorted by
`_unit`, then by `_record_key`, which tells nothing of their order in the source. Same source, schema and key: same
bytes (with the same version of the engine).

Until it has its name the file is `.extract-<hex>.tmp`; `sweep` removes what a crash left.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

import duckdb

from audit.wording import say
from catalog.ingest import cells, keys, staging
from catalog.ingest.digest import Digests, digest
from catalog.ingest.engine import MEMORY_BYTES, Progress, literal, run, session, silent
from catalog.ingest.errors import IngestError
from catalog.ingest.source import Source
from catalog.ingest.staging import FIRST_KEY, GOOD, TABLE, UNIT
from catalog.schema import ColumnKind, Schema

ROW_GROUP = 122_880
UNITS, AGAIN, SORTED = "units", "again", "sorted"
STALE_SECONDS = 86_400


class OnBadRows(StrEnum):
    REJECT_ALL = "reject_all"
    DROP_ROWS = "drop_rows"


@dataclass(frozen=True, slots=True)
class Extract:
    """A published file and what is on record of it."""

    path: Path
    rows: int
    dropped_rows: int  # did not fit the schema and were left out
    repeated_rows: int  # have the same content as another row
    units: int  # distinct privacy units; 0 where there is no unit
    bytes: int
    sha256: str
    sm3: str


def build(
    source: Source,
    schema: Schema,
    *,
    out_dir: Path,
    space_key: bytes,
    on_bad_rows: OnBadRows = OnBadRows.REJECT_ALL,
    progress: Progress = silent,
    memory_bytes: int = MEMORY_BYTES,
    threads: int | None = None,
) -> Extract:
    """Read, check, write and name the extract. Doing it again gives the same file.

    Requires: `out_dir` on one file system with its own folder `tmp`. Raises IngestError rows.invalid (bad rows and
    REJECT_ALL; nothing is published), rows.none_left, extract.key, extract.memory, schema.*, source.*.
    """
    keys.check(space_key)
    staging.check(source, schema)
    out_dir.mkdir(parents=True, exist_ok=True)
    temporary = out_dir.resolve() / f".extract-{uuid4().hex}.tmp"
    try:
        with session(
            folder=out_dir, reads=source.path, memory_bytes=memory_bytes, threads=threads
        ) as connection:
            rows, dropped = _stage(connection, source, schema, space_key, on_bad_rows, progress)
            units = _number_units(connection, schema, space_key)
            repeated = _number_repetitions(connection, space_key)
            _write(connection, schema, temporary, repeated=bool(repeated), progress=progress)
        digests = digest(temporary, progress=progress)
        path = name_durably(temporary, digests, out_dir)
    finally:
        temporary.unlink(missing_ok=True)
    return Extract(path, rows, dropped, repeated, units, digests.bytes, digests.sha256, digests.sm3)


def sweep(out_dir: Path, *, older_than_seconds: float = STALE_SECONDS) -> int:
    """Remove what crashed builds left in `out_dir`; return how many things. Age protects the builds under way."""
    limit, removed = time.time() - older_than_seconds, 0
    for path in [
        *out_dir.glob(".extract-*.tmp"),
        *out_dir.glob("tmp/spill-*"),
        *out_dir.glob("source-*.csv"),
    ]:
        if path.stat().st_mtime < limit:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed += 1
    return removed


def _stage(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    schema: Schema,
    space_key: bytes,
    on_bad_rows: OnBadRows,
    progress: Progress,
) -> tuple[int, int]:
    """Rows that will be published and rows dropped. The precise reading follows only where the fast one had doubts."""
    subkey = keys.record_subkey(space_key)
    total, bad, broken = staging.stage(
        connection, source, schema, subkey=subkey, precise=False, progress=progress
    )
    if bad or broken.doubtful:
        total, bad, broken = staging.stage(
            connection, source, schema, subkey=subkey, precise=True, progress=progress
        )
    dropped = bad + broken.count
    if dropped and on_bad_rows != OnBadRows.DROP_ROWS:
        raise IngestError(
            "rows.invalid",
            say("Some rows do not fit the schema. Correct them, or decide to publish without them."),
            bad_rows=dropped,
        )
    if total == bad:
        raise IngestError("rows.none_left", say("No row fits the schema. Correct the schema or the file."))
    if bad:  # a table of its own: the writer goes by the table's statistics, in which a deleted row lives on
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT * FROM {TABLE} WHERE {GOOD}")  # noqa: S608
    return total - bad, dropped


def _number_units(connection: duckdb.DuckDBPyConnection, schema: Schema, space_key: bytes) -> int:
    unit = schema.unit
    if unit is None:
        return 0
    coded = keys.pseudonym_sql(UNIT)
    connection.execute(
        f"CREATE TEMP TABLE {UNITS} AS SELECT *, "  # noqa: S608 - names quoted
        f"CAST(row_number() OVER (ORDER BY pseudonym, {UNIT}) - 1 AS INTEGER) AS code "
        f"FROM (SELECT {UNIT}, {coded} AS pseudonym FROM (SELECT DISTINCT {UNIT} FROM {TABLE}))",
        keys.pseudonym_parameters(space_key, unit.unit_space),
    )
    return int(connection.execute(f"SELECT count(*) FROM {UNITS}").fetchall()[0][0])  # noqa: S608


def _number_repetitions(connection: duckdb.DuckDBPyConnection, space_key: bytes) -> int:
    """Fill AGAIN with a new key for each further record of the same content; return their number.

    Equal content means equal rows, so it does not matter which of them gets which number.
    """
    connection.execute(
        f"CREATE TEMP TABLE {AGAIN} AS SELECT place, {keys.repeated_sql(FIRST_KEY, 'number')} AS new_key FROM ("  # noqa: S608
        f"SELECT rowid AS place, {FIRST_KEY}, row_number() OVER (PARTITION BY {FIRST_KEY}) AS number FROM {TABLE} "
        f"WHERE {FIRST_KEY} IN (SELECT {FIRST_KEY} FROM {TABLE} GROUP BY ALL HAVING count(*) > 1)"
        ") WHERE number > 1",
        {"subkey": keys.record_subkey(space_key)},
    )
    return int(connection.execute(f"SELECT count(*) FROM {AGAIN}").fetchall()[0][0])  # noqa: S608


def _write(
    connection: duckdb.DuckDBPyConnection, schema: Schema, target: Path, *, repeated: bool, progress: Progress
) -> None:
    key = f"coalesce(new_key, {FIRST_KEY})" if repeated else FIRST_KEY
    columns = [
        f"pseudonym AS {cells.name(c)}" if c.kind is ColumnKind.PRIVACY_UNIT else cells.name(c)
        for c in staging.kept(schema)
    ]
    tables = f"{TABLE} LEFT JOIN {AGAIN} ON {TABLE}.rowid = place" if repeated else TABLE
    if schema.unit is not None:
        columns += ["code AS _unit", f"{key} AS _record_key"]
        tables, order = f"{tables} JOIN {UNITS} USING ({UNIT})", "ORDER BY _unit, _record_key"
    else:  # sorted into a table first: its row numbers are the numbers wanted
        columns.append(f"{key} AS _record_key")
        connection.execute(
            f"CREATE TEMP TABLE {SORTED} AS SELECT {', '.join(columns)} FROM {tables} ORDER BY _record_key"  # noqa: S608
        )
        columns, tables, order = ["* EXCLUDE (_record_key)", "rowid AS _row", "_record_key"], SORTED, ""
    run(
        connection,
        f"COPY (SELECT {', '.join(columns)} FROM {tables} {order}) "  # noqa: S608 - names quoted
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})",
        step="build",
        progress=progress,
    )


def name_durably(temporary: Path, digests: Digests, out_dir: Path) -> Path:
    """Make the file durable and read-only, then give it its name: there is no moment with half a file under it."""
    temporary.chmod(0o444)
    path = out_dir / f"{digests.sha256}.parquet"
    for target in (temporary, out_dir):
        if target is out_dir:
            temporary.replace(path)
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path
