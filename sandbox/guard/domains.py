"""Declared domains: what a value written as text means under its column's type. Pure.

Domains are public and stored as text. Two texts are the same value when their keys are equal, so `1.50`
written by an engine and `1.5` declared in a contract meet.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import date, datetime
from decimal import Decimal

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,12})?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?\Z")
_BOOLEAN = {"true": True, "false": False}

MAX_VALUE_LENGTH = 200  # characters of a literal; longer text cannot be a domain value anyone typed


def key(kind: ColumnType, text: str) -> Hashable | None:
    """The value that `text` means as `kind`; None where it means nothing. Never raises."""
    try:
        return _key(kind, text)
    except ValueError:  # such as 2025-02-30
        return None


def _key(kind: ColumnType, text: str) -> Hashable | None:
    if kind is ColumnType.TEXT:
        return text
    if kind is ColumnType.INTEGER:
        return int(text) if _INTEGER.match(text) else None
    if kind is ColumnType.DECIMAL:
        return Decimal(text) if _DECIMAL.match(text) else None
    if kind is ColumnType.DATE:
        return date.fromisoformat(text) if _DATE.match(text) else None
    if kind is ColumnType.TIMESTAMP:
        return datetime.fromisoformat(text) if _TIMESTAMP.match(text) else None
    return _BOOLEAN.get(text.lower())


def declared(column: ColumnTerm) -> dict[Hashable, str]:
    """Key to text of each value of the column's domain, in declared order, the first of equals kept.

    A text that means nothing under the column's type is left out: no row could match it.
    """
    values: dict[Hashable, str] = {}
    for text in column.domain:
        found = key(column.type, text)
        if found is not None:
            values.setdefault(found, text)
    return values
