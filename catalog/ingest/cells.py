"""What one source cell means under its column: SQL for its value and for each way it can be wrong.

Two readings of numbers exist. The fast one takes the cell as a double and asks whether the typed value is that very
double. It may raise a false alarm (16 digits, "1,234"). The precise one goes by the text and is used when the fast one
raised any alarm. Both agree: below 2^48 units of the last declared digit a double settles the decimal, and there a
digit past the scale that no double can show (the tail of 0.30649999999999999) is not held against a cell.
"""

from __future__ import annotations

import re
from functools import cache

from catalog.ingest.engine import identifier, literal
from catalog.schema import DECIMAL_COMMA, Column, ColumnKind, ColumnType, Derivation, DeriveRule

EXACT_UNITS = 2**48
TEXT_BYTES = 65_536  # of a cell; a longer one is what follows a quotation mark that nothing closes
NUMERIC = frozenset({ColumnType.INTEGER, ColumnType.DECIMAL})
BLANK = " \t\r\n\u00a0\u3000"  # stripped from both ends of a cell
BLANK_END = f"^[{BLANK}]|[{BLANK}]$"
YES = ("true", "t", "yes", "y", "1", "是", "真")
NO = ("false", "f", "no", "n", "0", "否", "假")
NUMBER = r"[+-]?([0-9]+(_[0-9]+)*(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
GROUPED = r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"
ISO_DATE = r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}([ T]00:00(:00(\.0+)?)?)?"
ISO_TIME = (
    r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
    r"([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?)?"
)
_PARTS = {
    "%Y": "[0-9]{4}",
    "%m": "[0-9]{1,2}",
    "%d": "[0-9]{1,2}",
    "%H": "[0-9]{1,2}",
    "%M": "[0-9]{2}",
    "%S": "[0-9]{2}",
    "%y": "[0-9]{2}",
    "%b": "[A-Za-z]{3}",
}


def name(column: Column) -> str:
    """The SQL name of the column's typed value."""
    return identifier(column.name)


def text_name(column: Column) -> str:
    """The SQL name of the column's cleaned source text; no column's own name starts with "_"."""
    return identifier(f"_text_{column.name}")


def text(column: Column, raw: str, *, precise: bool) -> str:
    """The cleaned text of the SQL expression `raw`: null when empty or one of the column's missing words."""
    if column.missing:
        words = _list(tuple(word.strip() for word in column.missing))
        raw = f"CASE WHEN {_trim(raw)} NOT IN {words} THEN {raw} END"
    if column.type in NUMERIC and not precise and not column.format:
        return raw
    trimmed = f"nullif({_trim(raw)}, '')"
    if column.type not in NUMERIC:
        return trimmed
    if column.format == DECIMAL_COMMA:
        return f"replace(replace({trimmed}, '.', ''), ',', '.')"
    grouped = f"regexp_full_match({trimmed}, {literal(GROUPED)})"
    return f"CASE WHEN {grouped} THEN replace({trimmed}, ',', '') ELSE {trimmed} END"


def _trim(raw: str) -> str:
    """`raw` without blanks at its ends; asked first, because the engine's trim is slow and seldom needed."""
    return f"CASE WHEN regexp_matches({raw}, {literal(BLANK_END)}) THEN trim({raw}, {literal(BLANK)}) ELSE {raw} END"


def value(column: Column, text: str) -> str:
    """The typed value of the cleaned SQL `text`; null where it does not parse."""
    match column.type:
        case ColumnType.TEXT:
            return text
        case ColumnType.INTEGER:
            return f"TRY_CAST({text} AS BIGINT)"
        case ColumnType.DECIMAL:
            return f"TRY_CAST({text} AS DECIMAL(18, {column.scale:d}))"
        case ColumnType.BOOLEAN:
            return f"CASE WHEN lower({text}) IN {_list(YES)} THEN true WHEN lower({text}) IN {_list(NO)} THEN false END"
        case ColumnType.DATE | ColumnType.TIMESTAMP:
            kind = column.type.value.upper()
            if column.format:
                formats = ", ".join(literal(p) for p in column.format.split("|"))
                parsed = f"CAST(try_strptime({text}, [{formats}]) AS {kind})"
            else:
                parsed = f"TRY_CAST({text} AS {kind})"
            return f"CASE WHEN regexp_full_match({text}, {literal(time_pattern(column))}) THEN {parsed} END"


def derived(derivation: Derivation, source: str) -> str:
    """The derived text made from the typed SQL value `source`; null where that is."""
    match derivation.rule:
        case DeriveRule.YEAR:
            return f"strftime({source}, '%Y')"
        case DeriveRule.YEAR_MONTH:
            return f"strftime({source}, '%Y-%m')"
        case DeriveRule.HOUR:
            return f"strftime({source}, '%H')"
        case DeriveRule.PREFIX:
            return f"left({source}, {derivation.length:d})"
        case DeriveRule.BANDS:
            labels = derivation.labels()
            steps = zip(derivation.edges, labels[:-1], strict=True)
            cases = "".join(f" WHEN {source} < {edge} THEN {literal(label)}" for edge, label in steps)
            return f"CASE WHEN {source} IS NULL THEN NULL{cases} ELSE {literal(labels[-1])} END"


def checks(column: Column) -> tuple[tuple[str, str], ...]:
    """The precise reading: (code, SQL that is true when a cell is wrong in that way), over `name` and `text_name`.

    Codes: missing, type, range, fraction (of an integer), scale (of a decimal), long (of a text), domain.
    """
    found = []
    value, text = name(column), text_name(column)
    if column.derived is None:
        if not may_be_null(column):
            found.append(("missing", f"{text} IS NULL"))
        if column.type in NUMERIC:
            found += _number_checks(column, text, value)
        elif column.type is ColumnType.TEXT:
            found += [] if column.domain else [("long", f"strlen({text}) > {TEXT_BYTES}")]
        else:
            found.append(("type", f"{text} IS NOT NULL AND {value} IS NULL"))
    if column.domain is not None:
        found.append(("domain", f"{value} IS NOT NULL AND NOT {_member(column, value)}"))
    return tuple((code, f"coalesce({sql}, false)") for code, sql in found)


def sound(column: Column, *, precise: bool) -> list[str]:
    """SQL conditions that all hold for a good cell, over `name` and `text_name`."""
    if precise or column.type not in NUMERIC or column.derived is not None:
        return [f"NOT {sql}" for _, sql in checks(column)]
    value, text = name(column), text_name(column)
    double = f"TRY_CAST({text} AS DOUBLE)"
    same = f"CAST({value} AS DOUBLE) = {double} AND abs({double}) < {_bound(column)}"
    exact = f"{value} IS NOT NULL" if column.rounded else f"coalesce({same}, false)"
    parts = [f"({exact} OR {text} IS NULL)" if may_be_null(column) else exact]
    return parts + [f"NOT {sql}" for code, sql in checks(column) if code == "domain"]


def _bound(column: Column) -> int:
    """Below it a double is exact to 1/16 of the last declared digit: equal doubles mean equal rounded decimals."""
    return EXACT_UNITS // int(10**column.scale)


def by_double(column: Column) -> bool:
    """Whether the fast reading may take the column's cells as doubles; rounding needs the digits of the text."""
    return column.type in NUMERIC and not (column.rounded or column.missing or column.format)


def may_be_null(column: Column) -> bool:
    """A record without its privacy unit could not be counted, so a unit is never null."""
    return column.nullable and column.kind is not ColumnKind.PRIVACY_UNIT


def canonical(column: Column, value: str) -> str:
    """The typed `value` as the text under which domains list it and record keys are made."""
    return value if column.type is ColumnType.TEXT else f"CAST({value} AS VARCHAR)"


@cache
def format_pattern(pattern: str) -> str:
    """A regular expression for exactly what the strptime `pattern` should match.

    The engine reads "2024115" by %Y%m%d; parts that touch must have their full width.
    """
    parts = re.split(r"(%[A-Za-z])", pattern)
    out = []
    for place, part in enumerate(parts):
        if not part.startswith("%"):
            out.append(re.escape(part))
            continue
        touches = (place > 1 and parts[place - 1] == "") or (
            place + 2 < len(parts) and parts[place + 1] == ""
        )
        out.append(_PARTS[part].replace("{1,2}", "{2}") if touches else _PARTS[part])
    return "".join(out)


def time_pattern(column: Column) -> str:
    """A regular expression for the source text of a date or timestamp column."""
    if column.format:
        return "|".join(f"({format_pattern(p)})" for p in column.format.split("|"))
    return ISO_DATE if column.type is ColumnType.DATE else ISO_TIME


def _list(texts: tuple[str, ...]) -> str:
    return "(" + ", ".join(literal(t) for t in texts) + ")"


def _number_checks(column: Column, text: str, value: str) -> list[tuple[str, str]]:
    number = f"regexp_full_match({text}, {literal(NUMBER)})"
    double = f"TRY_CAST({text} AS DOUBLE)"
    seen = f"CAST({value} AS DOUBLE) <> {double}"
    longer = f"regexp_matches({text}, '\\.[0-9]{{{column.scale:d}}}[0-9]*[1-9]')"
    excess = (
        f"CASE WHEN contains(lower({text}), 'e') THEN {seen} "
        f"ELSE {longer} AND ({seen} OR abs({double}) >= {_bound(column)}) END"
    )
    found = [("type", f"{text} IS NOT NULL AND NOT {number}"), ("range", f"{number} AND {value} IS NULL")]
    if column.type is ColumnType.INTEGER:
        found.append(("fraction", f"{number} AND {value} IS NOT NULL AND {excess}"))
    elif not column.rounded:
        found.append(("scale", f"{number} AND {value} IS NOT NULL AND {excess}"))
    return found


def _member(column: Column, value: str) -> str:
    domain = column.domain or ()
    if column.type is ColumnType.INTEGER:
        return f"({value} IN ({', '.join(str(int(v)) for v in domain)}))"
    return f"({canonical(column, value)} IN {_list(domain)})"
