"""One entry by itself: canonical form and fields of profile AUD-1 (docs/audit-log.md). Pure.

The bytes must be the only ones that say what they say (RFC 8785 without fractions), so that no two readers see
different things: they are read, written again, and compared.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Never

LONGEST = 65_535  # bytes: C2SP tlog-tiles stores a length as uint16
_MAX_INT = 2**53 - 1
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_HEX = re.compile(r"[0-9a-f]{64}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ACT = re.compile(r"[a-z][a-z_]{0,31}(?:\.[a-z][a-z_]{0,31})?")
_OBJECT = re.compile(r"-|[a-z_]{1,32}:[^\s:]{1,200}")

Fields = dict[str, Any]


class NotForm(ValueError):
    """`code` is one of wording.py; the text says what is wrong."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def fields_of(entry: bytes) -> Fields:
    """Raises NotForm."""
    if len(entry) > LONGEST:
        raise NotForm("overlong", f"{len(entry)} bytes")
    try:
        fields = _canonical(entry.decode())
    except NotForm:
        raise
    except RecursionError:
        raise NotForm("not_json", "nested too deeply") from None
    except ValueError as error:
        raise NotForm("not_json", str(error)) from None
    _check_fields(fields)
    return fields


def is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def is_count(value: object) -> bool:
    """A number that counts: an integer, not negative. JSON's true and false are none."""
    return type(value) is int and value >= 0


def is_hash(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None


def _canonical(text: str) -> Fields:
    fields: Fields = _DECODE(text)
    if not isinstance(fields, dict):
        raise NotForm("not_json", "not an object")
    if _ENCODE(fields) != text:
        raise NotForm("canonical", "written again, it is other bytes")
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        _check_texts(fields)
    for key, value in fields.items():
        if type(value) is not str:
            _check_value(value)
        if key not in _KNOWN:
            raise NotForm("fields", f"{key!r} is no field of an entry")
    return fields


def _check_texts(value: Any) -> None:
    """Each text by itself: written out, the escape of a line's end and the mark behind it only look like a letter."""
    if isinstance(value, str) and not unicodedata.is_normalized("NFC", value):
        raise NotForm("canonical", "text is not in Unicode normal form C")
    if isinstance(value, dict):
        value = value.values()
    for item in () if isinstance(value, str | int | None) else value:
        _check_texts(item)


def _check_value(value: Any) -> None:
    """Keys and numbers of what an entry holds further in."""
    if type(value) is int:
        if abs(value) > _MAX_INT:
            raise NotForm("canonical", "an integer beyond 2^53-1")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _KEY.fullmatch(key):
                raise NotForm("canonical", f"the key {key!r} is not of the form [a-z][a-z0-9_]*")
            _check_value(item)
    elif isinstance(value, list):
        for item in value:
            _check_value(item)


def _check_fields(fields: Fields) -> None:
    if len(fields) < len(_NEEDED) or not fields.keys() >= _NEEDED:
        raise NotForm("fields", f"lacks {', '.join(sorted(_NEEDED - fields.keys()))}")
    for name, value in fields.items():
        if not _KNOWN[name](value):
            raise NotForm("fields", f"{name} is {value!r}")
    if fields["org"] in fields.get("cp", ()):
        raise NotForm("fields", "cp names the organization acted for")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _are_counterparties(value: object) -> bool:
    """At least one id, each once, sorted."""
    return (
        isinstance(value, list)
        and all(_is_text(one) for one in value)
        and len(value) > 0
        and all(a < b for a, b in pairwise(value))
    )


def _are_commitments(value: object) -> bool:
    return isinstance(value, dict) and len(value) > 0 and all(is_hash(one) for one in value.values())


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_KNOWN: dict[str, Callable[[Any], bool]] = {
    "_prev": is_hash,
    "_seq": is_count,
    "act": _matches(_ACT),
    "actor": _is_text,
    "cp": _are_counterparties,
    "id": is_uuid,
    "obj": _matches(_OBJECT),
    "org": lambda value: isinstance(value, str),
    "out": lambda value: value in ("ok", "refused"),
    "pc": _are_commitments,
    "t": is_count,
    "v": lambda value: type(value) is int and value == 1,
    "x": lambda value: isinstance(value, dict) and len(value) > 0,
}
_NEEDED = _KNOWN.keys() - {"cp", "pc", "x"}


def _no_fraction(text: str) -> Never:
    raise ValueError(f"a number with a fraction ({text[:40]}) cannot stand in an entry")


_DECODE = json.JSONDecoder(parse_float=_no_fraction, parse_constant=_no_fraction).decode
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
