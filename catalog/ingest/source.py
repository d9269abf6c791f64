"""A provider's input as one file the engine can read: UTF-8 delimited text or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
from pyarrow import ArrowException, types

from audit.wording import say
from catalog.ingest import foreign_table, workbook
from catalog.ingest.delimited import breaks_in_quotes, number_headers, read_layout
from catalog.ingest.encoding import Encoding, detect, rewrite
from catalog.ingest.engine import Progress, identifier, literal, silent
from catalog.ingest.errors import IngestError

REJECTS = 100_000  # ragged lines told apart; with more, the file is not the table it seems to be
MAX_LINE_BYTES = 2_000_000
BUFFER_BYTES = 4_000_000  # a thread reads one at a time: small enough to share a small file, and the memory
MAX_CELLS = 50_000_000_000  # of a Parquet file, whose size says nothing of its rows
_ZIP, _PARQUET = b"PK\x03\x04", b"PAR1"
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input. `path` is the provider's own file where it can be read in place, else a copy in the work folder.

    `headers` are distinct: a repeated one is numbered "x (2)", an empty one is named "column 3".
    """

    path: Path
    origin: str  # csv, xlsx, parquet, postgresql
    headers: tuple[str, ...]
    delimiter: str = ""  # "" for Parquet
    newline: str = "\n"
    encoding: str = ""
    warnings: tuple[str, ...] = ()
    serial: bool = False  # lines may end inside quotes: the engine's threads would guess where records start
    copied: bool = False  # `path` is ours and may be removed after use
    floats: frozenset[int] = frozenset()  # Parquet: places of floating-point columns, whose NaN means null

    def relation(self, rejects: str = "", doubles: frozenset[int] = frozenset()) -> str:
        """SQL of a table with one text column c0, c1, … per header, in file order.

        `rejects` names the temporary table for ragged lines (`<rejects>_scans` beside it); "" skips them silently.
        `doubles`: places of a delimited file's columns to read as DOUBLE; a line whose cell is none is rejected.
        """
        if not self.delimiter:
            cells = ", ".join(self._cell(place, header) for place, header in enumerate(self.headers))
            return f"(SELECT {cells} FROM read_parquet({literal(str(self.path))}))"  # noqa: S608 - quoted
        columns = ", ".join(
            f"c{place}: '{'DOUBLE' if place in doubles else 'VARCHAR'}'" for place in range(len(self.headers))
        )
        newline = "\\r\\n" if self.newline == "\r\n" else "\\n"
        store = (
            f"store_rejects = true, rejects_table = {literal(rejects)}, "
            f"rejects_scan = {literal(rejects + '_scans')}, rejects_limit = {REJECTS}"
            if rejects
            else "ignore_errors = true"
        )
        return (
            f"read_csv({literal(str(self.path))}, auto_detect = false, header = true, new_line = '{newline}', "
            f"parallel = {'false' if self.serial else 'true'}, "
            f"delim = {literal(self.delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
            f"max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}, columns = {{{columns}}}, {store})"
        )

    def _cell(self, place: int, header: str) -> str:
        value = identifier(header)
        if place in self.floats:
            value = f"CASE WHEN NOT isnan({value}) THEN {value} END"
        return f"CAST({value} AS VARCHAR) AS c{place}"


def open_source(
    path: Path,
    *,
    folder: Path,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    progress: Progress = silent,
) -> Source:
    """Open a CSV, XLSX or Parquet file, told apart by content. Copies go to `folder`.

    `encoding` and `delimiter` override the guess. Raises IngestError source.*: empty, no_header, no_rows, encoding,
    nul_bytes, password, old_excel, damaged, quotes, too_large, too_wide, nested, sheet, packed, unknown, path.
    """
    progress("decode", 0.0)
    path = path.resolve()
    if set("*?[") & set(str(path)):
        raise IngestError("source.path", say("Rename the file: * ? and [ cannot be part of its name."))
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_PACKED):
        raise IngestError("source.packed", say("The file is compressed. Unpack it first."))
    if head.startswith(_PARQUET):
        source = _parquet(path)
    elif head.startswith(workbook.COMPOUND):
        raise workbook.compound_refusal(path)
    elif head.startswith(_ZIP):
        with _fresh(folder) as target:
            headers = workbook.write_csv(path, target, sheet=sheet, progress=progress)
            serial = breaks_in_quotes(target, ",")
        source = Source(target, "xlsx", headers, ",", encoding="utf-8", serial=serial, copied=True)
    else:
        source = _text(path, folder, encoding, delimiter, progress)
    progress("decode", 1.0)
    return source


def open_table(
    conninfo: str,
    schema: str,
    table: str,
    *,
    folder: Path,
    timeout_seconds: int = foreign_table.TIMEOUT_SECONDS,
    progress: Progress = silent,
) -> Source:
    """Copy a table or view of another PostgreSQL into `folder` and open it.

    Raises IngestError source.*: no_table, not_allowed, timeout, database, too_large, nested, no_rows.
    """
    progress("decode", 0.0)
    with _fresh(folder) as target:
        headers = foreign_table.write_csv(
            conninfo, schema, table, target, timeout_seconds=timeout_seconds, progress=progress
        )
        read_layout(target, ",")  # refuses a table without rows
        serial = breaks_in_quotes(target, ",")
    return Source(target, "postgresql", headers, ",", encoding="utf-8", serial=serial, copied=True)


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """A new file's path in `folder`; whatever was written is removed when the body fails."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder.resolve() / f"source-{uuid4().hex}.csv"
    try:
        yield target
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _text(
    path: Path, folder: Path, encoding: str | None, delimiter: str | None, progress: Progress
) -> Source:
    found = detect(path) if encoding is None else Encoding(encoding)
    warnings = (found.warning,) if found.warning else ()
    if found.plain:
        layout = read_layout(path, delimiter)
        serial = breaks_in_quotes(path, layout.delimiter)
        return Source(
            path, "csv", layout.headers, layout.delimiter, found.newline, found.name, warnings, serial
        )
    with _fresh(folder) as target:
        rewrite(path, found.name, target, progress=progress)
        layout = read_layout(target, delimiter)
        serial = breaks_in_quotes(target, layout.delimiter)
    return Source(
        target, "csv", layout.headers, layout.delimiter, "\n", found.name, warnings, serial, copied=True
    )


def _parquet(path: Path) -> Source:
    try:
        file = pq.ParquetFile(path)
    except (ArrowException, OSError, ValueError):
        raise IngestError(
            "source.damaged", say("The Parquet file is damaged or encrypted. Write it again.")
        ) from None
    with file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    kinds = [field.type for field in schema]
    if any(types.is_nested(t) or types.is_binary(t) or types.is_large_binary(t) for t in kinds):
        raise IngestError(
            "source.nested", say("Lists, structures and bytes cannot be columns. Flatten the file first.")
        )
    if not rows:
        raise IngestError("source.no_rows", say("The file has no rows."))
    if rows * len(kinds) > MAX_CELLS:
        raise IngestError("source.too_large", say("The file holds too many cells. Publish it in parts."))
    headers = number_headers(list(schema.names))
    if headers != tuple(schema.names):
        raise IngestError(
            "source.no_header", say("Name each column of the Parquet file once, without line breaks.")
        )
    floats = frozenset(place for place, kind in enumerate(kinds) if types.is_floating(kind))
    return Source(path, "parquet", headers, floats=floats)
