"""One sheet of an XLSX workbook as a CSV file."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError

from audit.wording import say
from catalog.ingest.delimited import number_headers
from catalog.ingest.engine import Progress, silent
from catalog.ingest.errors import IngestError

UNPACKED_BYTES = (
    400_000_000  # a sheet is held in memory; a full one of 1,048,576 rows and 10 columns unpacks to less
)
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # OLE container: an old .xls or an encrypted .xlsx
_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_CHUNK = 1 << 20


def compound_refusal(path: Path) -> IngestError:
    """Which of the two kinds of OLE file this is: neither can be read."""
    with path.open("rb") as file:
        encrypted = _PACKAGE in file.read(_CHUNK) or _PACKAGE in _tail(path)
    if encrypted:
        return IngestError(
            "source.password", say("The workbook is protected by a password. Save it without one.")
        )
    return IngestError("source.old_excel", say("This is the old Excel format. Save it as XLSX or CSV."))


def _tail(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _CHUNK))
        return file.read()


def sheet_names(path: Path) -> tuple[str, ...]:
    """The names of the workbook's sheets, first to last."""
    _check_package(path)
    with _open(path) as workbook:
        return tuple(workbook.sheet_names)


def write_csv(
    path: Path, target: Path, *, sheet: str | None = None, progress: Progress = silent
) -> tuple[str, ...]:
    """Write the first sheet, or the one named, to `target` (UTF-8, commas, LF); return its headers.

    Blank rows above the header and below the last row are left out; others are kept, so that the n-th row of
    the CSV is the n-th row below the header. Dates become ISO 8601, whole numbers lose their ".0".
    """
    _check_package(path)
    with _open(path) as workbook:
        names = workbook.sheet_names
        if not names or (sheet is not None and sheet not in names):
            raise IngestError("source.sheet", say("The workbook has no such sheet."), sheets=tuple(names))
        try:
            return _write(workbook.get_sheet_by_name(sheet or names[0]), target, progress)
        except CalamineError:
            raise IngestError(
                "source.damaged", say("The sheet is damaged. Save the workbook again.")
            ) from None


def _open(path: Path) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(str(path))
    except PasswordError:
        raise IngestError(
            "source.password", say("The workbook is protected by a password. Save it without one.")
        ) from None
    except CalamineError:
        raise IngestError("source.damaged", say("The workbook is damaged. Save it again as XLSX.")) from None


def _check_package(path: Path) -> None:
    """Unpack every member once and count: the sizes a package declares need not be true."""
    total = 0
    try:
        with zipfile.ZipFile(path) as package:
            if "xl/workbook.xml" not in package.namelist():
                raise IngestError(
                    "source.unknown", say("This file is not a workbook. Upload CSV, XLSX or Parquet.")
                )
            for member in package.infolist():
                with package.open(member) as stream:
                    while chunk := stream.read(_CHUNK):
                        total += len(chunk)
                        if total > UNPACKED_BYTES:
                            raise IngestError(
                                "source.too_large",
                                say("The workbook unpacks to too much data. Export it as CSV."),
                            )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        raise IngestError("source.damaged", say("The workbook is damaged. Save it again as XLSX.")) from None


def _write(sheet: CalamineSheet, target: Path, progress: Progress) -> tuple[str, ...]:
    rows = _texts(sheet, progress)
    headers = next((row for row in rows if any(row)), None)
    if headers is None:
        raise IngestError("source.empty", say("The sheet is empty."))
    width = max(place for place, cell in enumerate(headers, 1) if cell)
    names, blank, written = number_headers(headers[:width]), 0, 0
    with target.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        out.writerow(names)
        for row in rows:
            if not any(row):
                blank += 1
                continue
            out.writerows([""] * width for _ in range(blank))
            last = max(place for place, cell in enumerate(row, 1) if cell)
            out.writerow(
                row[: max(width, last)]
            )  # cells beyond the header make the row ragged: reported later
            written, blank = written + 1, 0
    if not written:
        raise IngestError("source.no_rows", say("The sheet has no rows below its header."))
    return names


def _texts(sheet: CalamineSheet, progress: Progress) -> Iterator[list[str]]:
    height = max(sheet.height, 1)
    for number, row in enumerate(sheet.iter_rows()):
        if number % 10_000 == 0:
            progress("decode", number / height)
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    match cell:
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer() and abs(cell) < 2**53:
            return str(int(cell))
        case datetime():
            return cell.isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell.total_seconds())
        case _:
            return str(cell).replace("\0", "").strip()
