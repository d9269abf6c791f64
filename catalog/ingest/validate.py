"""Every row against the schema, and what is wrong by column, kind of fault and row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from catalog.ingest import cells, staging
from catalog.ingest.engine import MEMORY_BYTES, Progress, run, session, silent
from catalog.ingest.source import Source
from catalog.ingest.staging import Ragged
from catalog.schema import Column, ColumnKind, Schema

SAMPLES = 100  # rows named per column and code
SHOWN = 40  # characters of a value shown to the provider
_HIDDEN = {ColumnKind.DIRECT_IDENTIFIER, ColumnKind.SENSITIVE, ColumnKind.PRIVACY_UNIT}


@dataclass(frozen=True, slots=True)
class Sample:
    row: int  # data row of the file, 1-based, header not counted
    value: str | None  # shortened; None where the column's kind forbids showing it


@dataclass(frozen=True, slots=True)
class Fault:
    """`code`: missing, type, range, fraction, scale, long, domain; or, with column "", ragged, quotes, line."""

    column: str
    code: str
    count: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a validation found. For the provider's eyes: samples may show values of columns that are not protected."""

    rows: int  # data rows of the file, bad ones included
    bad_rows: int
    faults: tuple[Fault, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def validate(
    source: Source,
    schema: Schema,
    *,
    folder: Path,
    progress: Progress = silent,
    memory_bytes: int = MEMORY_BYTES,
    threads: int | None = None,
) -> Findings:
    """Read every row of `source` under `schema`; spill to `folder`. Raises IngestError schema.*, source.*."""
    staging.check(source, schema)
    with session(folder=folder, reads=source.path, memory_bytes=memory_bytes, threads=threads) as connection:
        rows, bad, broken = _count(connection, source, schema, progress)
        if not bad and not broken.doubtful:
            return Findings(rows + broken.count, broken.count, _broken_faults(broken))
        return _explain(connection, source, schema, progress)


def _count(
    connection: duckdb.DuckDBPyConnection, source: Source, schema: Schema, progress: Progress
) -> tuple[int, int, Ragged]:
    rejects = f"rejects_{uuid4().hex}"
    rows = staging.rows_sql(source, schema, precise=False, rejects=rejects)
    good = staging.good_sql(schema, precise=False)
    sql = f"SELECT count(*), count(*) FILTER (NOT ({good})) FROM ({rows})"  # noqa: S608 - names quoted
    [(total, bad)] = run(connection, sql, step="validate", progress=progress, span=(0.0, 0.4))
    return total, bad, staging.ragged(connection, source, rejects)


def _explain(
    connection: duckdb.DuckDBPyConnection, source: Source, schema: Schema, progress: Progress
) -> Findings:
    """The precise reading: a count of every kind of fault, then the first rows of those that occur. Bounded memory."""
    rejects = f"rejects_{uuid4().hex}"
    checks = [(column, code, sql) for column in schema.columns for code, sql in cells.checks(column)]
    counts = ["count(*)", f"count(*) FILTER ({' OR '.join(sql for _, _, sql in checks)})"]
    counts += [f"count(*) FILTER ({sql})" for _, _, sql in checks]
    rows = staging.rows_sql(source, schema, precise=True, rejects=rejects)
    sql = f"SELECT {', '.join(counts)} FROM ({rows})"  # noqa: S608 - names quoted
    [(total, bad, *numbers)] = run(connection, sql, step="validate", progress=progress, span=(0.4, 0.7))
    broken = staging.ragged(connection, source, rejects)
    met = [(check, count) for check, count in zip(checks, numbers, strict=True) if count]
    faults = _sampled(connection, source, schema, met, broken, progress) if met else ()
    return Findings(total + broken.count, bad + broken.count, (*_broken_faults(broken), *faults))


Check = tuple[Column, str, str]  # column, code, SQL that is true for a fault


def _sampled(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    schema: Schema,
    met: list[tuple[Check, int]],
    broken: Ragged,
    progress: Progress,
) -> tuple[Fault, ...]:
    wanted = []
    for (column, _, sql), _ in met:
        wanted.append(f"min(_row, {SAMPLES}) FILTER ({sql})")
        wanted.append(f"arg_min(coalesce({_shown(column, schema)}, ''), _row, {SAMPLES}) FILTER ({sql})")
    rows = staging.rows_sql(source, schema, precise=True, rejects=f"rejects_{uuid4().hex}", numbered=True)
    sql = f"SELECT {', '.join(wanted)} FROM ({rows})"  # noqa: S608 - names quoted
    [found] = run(connection, sql, step="validate", progress=progress, span=(0.7, 1.0))
    faults = []
    for place, ((column, code, _), count) in enumerate(met):
        numbers, values = found[2 * place], found[2 * place + 1]
        hidden = _hidden(column, schema)
        pairs = zip(staging.file_rows(numbers, broken), values, strict=True)
        samples = tuple(Sample(row, None if hidden else value) for row, value in pairs)
        faults.append(Fault(column.name, code, count, samples))
    return tuple(faults)


def _broken_faults(broken: Ragged) -> tuple[Fault, ...]:
    codes = sorted({code for _, code in broken.rows})
    grouped = {code: sorted({row for row, c in broken.rows if c == code}) for code in codes}
    return tuple(
        Fault("", code, len(rows), tuple(Sample(row, None) for row in rows[:SAMPLES]))
        for code, rows in grouped.items()
    )


def _hidden(column: Column, schema: Schema) -> bool:
    source = schema.column(column.derived.source) if column.derived else None
    return column.kind in _HIDDEN or (source is not None and source.kind in _HIDDEN)


def _shown(column: Column, schema: Schema) -> str:
    if _hidden(column, schema):
        return "''"
    text = cells.name(column) if column.derived else cells.text_name(column)
    return f"CASE WHEN length({text}) > {SHOWN} THEN left({text}, {SHOWN}) || '…' ELSE {text} END"
