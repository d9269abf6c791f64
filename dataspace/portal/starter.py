"""What the form for a script begins with: the contract's columns, and an example that runs as it stands."""

from __future__ import annotations

from django.utils.translation import gettext as _

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm, DatasetTerm
from dataspace.portal.questions import Names, full_meaning

SHOWN = 6  # values of a domain; the page lists them all


def starter(term: DatasetTerm, names: Names) -> str:
    """A script that leaves out records without a value, with the columns said in comments above."""
    wide = max(len(column.name) for column in term.columns)
    described = [f"#   {c.name:<{wide}}  {_described(c, (term.name, c.name), names)}" for c in term.columns]
    kept = next((c for c in term.columns if c.role is not ColumnRole.UNIT), term.columns[0])
    lines = [
        "# " + _("Read the records of one dataset, prepare them, and hand them over once by emit(table)."),
        "# " + _("The table you hand over has exactly these columns:"),
        *described,
        "",
        "import pyarrow.compute as pc",
        "",
        f'table = extracts["{term.name}"].to_table()',
        "# " + _("Your steps. Here: leave out records that have no value in this column."),
        f'table = table.filter(pc.is_valid(table["{kept.name}"]))',
        "emit(table)",
    ]
    return "\n".join(lines) + "\n"


def type_words(column: ColumnTerm) -> str:
    """As the script sees it."""
    if column.role is ColumnRole.UNIT:
        return _("whole number that stands for one contributor")
    if column.type is ColumnType.DECIMAL:
        return f"decimal(18, {column.scale})"
    return {
        ColumnType.TEXT: "string",
        ColumnType.INTEGER: "int64",
        ColumnType.DATE: "date32",
        ColumnType.TIMESTAMP: "timestamp",
        ColumnType.BOOLEAN: "bool",
    }[column.type]


def _described(column: ColumnTerm, ref: tuple[str, str], names: Names) -> str:
    said = [type_words(column)]
    told = full_meaning(ref, names)
    if told != column.name:
        said.append(" ".join(told.split()))
    if column.domain:
        more = " …" if len(column.domain) > SHOWN else ""
        said.append(_("one of: %(values)s") % {"values": ", ".join(column.domain[:SHOWN]) + more})
    return "; ".join(said)
