"""The one spelling of a value: what a domain may list, as DuckDB casts values to text. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from audit.wording import template
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm

MAX_VALUE: Final = 200  # characters of a dimension's value; a longer literal is not accepted in a query


def is_clean(text: str) -> bool:
    """Not blank, in Unicode NFC, without control characters, surrogates or unassigned code points."""
    hidden = {"Cc", "Cs", "Cn", "Cf"}  # Cf: characters that change the look of the text around them
    return (
        bool(text.strip())
        and unicodedata.is_normalized("NFC", text)
        and not any(unicodedata.category(character) in hidden for character in text)
    )


def fits(value: str, column: ColumnTerm) -> bool:
    """True where `value` is the one spelling of a value of the column's type (as DuckDB casts it to text)."""
    try:
        return len(value) <= MAX_VALUE and _SPELLING[column.type](value, column.scale) == value
    except (ValueError, InvalidOperation):
        return False


def _decimal(value: str, scale: int) -> str | None:
    number = Decimal(value)
    if not number.is_finite() or (number.is_zero() and number.is_signed()):
        return None
    return f"{number:.{scale}f}"


_SPELLING: Final[dict[ColumnType, Callable[[str, int], str | None]]] = {
    ColumnType.TEXT: lambda value, _: value if is_clean(value) else None,
    ColumnType.INTEGER: lambda value, _: str(int(value)),
    ColumnType.DECIMAL: _decimal,
    ColumnType.DATE: lambda value, _: date.fromisoformat(value).isoformat(),
    ColumnType.TIMESTAMP: lambda value, _: datetime.fromisoformat(value).replace(tzinfo=None).isoformat(" "),
    ColumnType.BOOLEAN: lambda value, _: value if value in {"true", "false"} else None,
}
WRITTEN: Final = {
    ColumnType.TEXT: template("Write a text as 1 to %(most)d visible characters."),
    ColumnType.INTEGER: template("Write a whole number like 42."),
    ColumnType.DECIMAL: template(
        "Write a number with all its digits after the point, like 1.50 for two digits."
    ),
    ColumnType.DATE: template("Write a date like 2026-03-01."),
    ColumnType.TIMESTAMP: template("Write a time like 2026-03-01 08:00:00."),
    ColumnType.BOOLEAN: template("Write true or false."),
}
