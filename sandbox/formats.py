"""A released table as CSV, XLSX or Parquet, each with its provenance. Pure: tables in, bytes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from sandbox.disclosure import MARKER

TOTAL = "合计"  # a dimension without a value stands in a row of totals
_FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
)  # a spreadsheet would run text that begins so (OWASP: CSV injection)

Provenance = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Format:
    suffix: str
    content_type: str


FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8"),
    "xlsx": Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": Format("parquet", "application/vnd.apache.parquet"),
    "json": Format("json", "application/json"),
}


def to_ipc(table: pa.Table) -> bytes:
    """Arrow IPC stream; the same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())


def from_ipc(body: bytes) -> pa.Table:
    with pa.ipc.open_stream(body) as reader:
        return reader.read_all()


def rows(table: pa.Table, dimensions: int) -> list[list[Any]]:
    """The table row by row; a measure that is not shown is None, a dimension in a row of totals is TOTAL."""
    columns = [table.column(i).to_pylist() for i in range(table.num_columns)]
    return [
        [TOTAL if value is None and j < dimensions else value for j, value in enumerate(row)]
        for row in zip(*columns, strict=True)
    ]


def render(name: str, table: pa.Table, dimensions: int, provenance: Provenance) -> bytes:
    """`name` is a key of FORMATS; the first `dimensions` columns are dimensions."""
    if name == "parquet":
        return _parquet(table, provenance)
    writer = {"csv": _csv, "xlsx": _xlsx, "json": _json}[name]
    return writer(table.column_names, rows(table, dimensions), provenance)


def _csv(names: list[str], body: list[list[Any]], provenance: Provenance) -> bytes:
    """UTF-8 with byte order mark (spreadsheets read Chinese by it); provenance follows the data after an empty line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_harmless(name) for name in names])
    for row in body:
        writer.writerow([MARKER if value is None else _harmless(value) for value in row])
    writer.writerow([])
    for label, text in provenance:
        writer.writerow([_harmless(f"# {label}"), _harmless(text)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _xlsx(names: list[str], body: list[list[Any]], provenance: Provenance) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    head = book.add_format({"bold": True, "bottom": 1})
    sheet = book.add_worksheet("数据 Data")
    sheet.write_row(0, 0, names, head)
    for i, row in enumerate(body, start=1):
        for j, value in enumerate(row):
            if value is None:
                sheet.write_string(i, j, MARKER)
            elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                sheet.write_number(i, j, value)
            else:
                sheet.write_string(i, j, str(value))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, max(len(names) - 1, 0), 18)
    about = book.add_worksheet("来源 Provenance")
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    about.set_column(0, 0, 26)
    about.set_column(1, 1, 90)
    for i, (label, text) in enumerate(provenance):
        about.write_string(i, 0, label, wrap)
        about.write_string(i, 1, text[:32_000], wrap)  # a cell holds at most 32,767 characters
    book.close()
    return out.getvalue()


def _by_label(provenance: Provenance) -> dict[str, str]:
    """For formats in which a label stands once: the texts of one label, a line each."""
    lines: dict[str, list[str]] = {}
    for label, text in provenance:
        lines.setdefault(label, []).append(text)
    return {label: "\n".join(texts) for label, texts in lines.items()}


def _json(names: list[str], body: list[list[Any]], provenance: Provenance) -> bytes:
    """Values that are not shown are null; exact decimals are text."""
    document = {"columns": names, "rows": body, "provenance": _by_label(provenance)}
    return json.dumps(document, ensure_ascii=False, default=str).encode()


def _parquet(table: pa.Table, provenance: Provenance) -> bytes:
    out = io.BytesIO()
    metadata = {label.encode(): text.encode() for label, text in _by_label(provenance).items()}
    pq.write_table(table.replace_schema_metadata(metadata), out, compression="zstd")
    return out.getvalue()
