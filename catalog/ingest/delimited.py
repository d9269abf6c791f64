"""The delimiter and the header of a UTF-8 delimited file."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from audit.wording import say
from catalog.ingest.errors import IngestError

DELIMITERS = (",", "\t", ";", "|")
MAX_COLUMNS = 1000
MAX_HEADER = 200  # characters
LOOK_AHEAD = 1 << 18  # characters looked at
RECORDS = 100
CHUNK = 1 << 20
END = "end of file"
_WIDE_GAP = re.compile(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])")  # Chinese needs no space where a line broke
_VALUE = re.compile(r"[-+]?[\d,.]+%?|\d{1,4}[-/.年]\d{1,2}([-/.月]\d{1,4}日?)?([ T][\d:.]+)?")


@dataclass(frozen=True, slots=True)
class Layout:
    delimiter: str
    headers: tuple[str, ...]  # distinct, none empty


def read_layout(path: Path, delimiter: str | None = None) -> Layout:
    """Guess the delimiter (unless given) and read the header, line breaks inside quotes included."""
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read(LOOK_AHEAD)
    cut = len(text) == LOOK_AHEAD
    tables = {d: _records(text, d, cut=cut) for d in ([delimiter] if delimiter else DELIMITERS)}
    chosen = max(tables, key=lambda d: _fit(tables[d]))
    records = tables[chosen]
    if len(records) < 2 and not cut:
        raise IngestError("source.no_rows", say("The file has no rows below its header."))
    if not records:
        raise IngestError(
            "source.no_header", say("The header does not end: look for a quotation mark too many.")
        )
    return Layout(chosen, number_headers(records[0]))


def _records(text: str, delimiter: str, *, cut: bool) -> list[list[str]]:
    """The first RECORDS whole records; what follows a record too long to be one is left to the validation."""
    records: list[list[str]] = []
    try:
        records.extend(islice(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), RECORDS + 1))
    except csv.Error:
        return records
    if cut and len(records) <= RECORDS:
        records.pop()
    return records[:RECORDS]


def _fit(records: list[list[str]]) -> tuple[float, int]:
    """A delimiter fits when it splits header and rows into the same number of cells; then the more the better."""
    if not records or len(records[0]) < 2:
        return (0.0, 0)
    width = len(records[0])
    rows = [r for r in records[1:] if r]
    even = sum(len(r) == width for r in rows) / len(rows) if rows else 1.0
    return (round(even, 1), width)


def breaks_in_quotes(path: Path, delimiter: str) -> bool:
    """Whether a line of the UTF-8 file may end inside quotation marks.

    Counts marks, so a lone one in a text also gives True; False is certain. Raises IngestError source.quotes when the
    file ends inside quotation marks: all that follows the open one would be a single cell.
    """
    found, marks = False, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found = found or _breaks(chunk, odd=marks % 2 == 1)
            marks += chunk.count(b'"')
    if marks % 2:
        _check_closed(path, delimiter)
    return found


def _breaks(chunk: bytes, *, odd: bool) -> bool:
    if b'"' not in chunk:
        return odd and b"\n" in chunk
    signs = np.frombuffer(chunk, dtype=np.uint8)
    passed = np.cumsum(signs == ord('"'), dtype=np.uint32) + odd
    return bool(np.any((passed % 2 == 1) & (signs == ord("\n"))))


def _check_closed(path: Path, delimiter: str) -> None:
    """Read the file with one more line: inside quotation marks it becomes part of the last cell."""
    number, last = -1, [""]
    with path.open(encoding="utf-8", newline="") as file:
        try:
            for last in csv.reader(chain(file, ["\n", END]), delimiter=delimiter):
                number += bool(last)
        except csv.Error:  # a cell beyond all measure
            last = [""]
    if last != [END]:
        reason = say("A quotation mark opened in row %(row)d is never closed. Correct the file.", row=number)
        raise IngestError("source.quotes", reason, row=number)


def number_headers(cells: list[str]) -> tuple[str, ...]:
    """The header made usable: empty cells are named by place, repeated ones numbered "x (2)".

    Raises IngestError source.no_header when the cells are absent or look like values.
    """
    texts = [_WIDE_GAP.sub("", " ".join(cell.split()))[:MAX_HEADER] for cell in cells]
    filled = [t for t in texts if t]
    if not filled or all(_VALUE.fullmatch(t) for t in filled):
        raise IngestError("source.no_header", say("The first line must name the columns."))
    if len(texts) > MAX_COLUMNS:
        raise IngestError("source.too_wide", say("A dataset has at most %(most)d columns.", most=MAX_COLUMNS))
    names: list[str] = []
    for place, text in enumerate(texts, 1):
        name, number = text or f"column {place}", 1
        while name in names:
            number += 1
            name = f"{text or f'column {place}'} ({number})"
        names.append(name)
    return tuple(names)
