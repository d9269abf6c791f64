"""What must never stand in the log in the clear: resident id numbers, mobile numbers, e-mail addresses. Pure.

The log is for ever, so what looks like one of them is refused when it is written; `record(…, personal=…)` is the place
for it. Looked at are texts and names of keys. Integers are not: counts, sizes and moments have eleven and eighteen
digits every day, and nobody writes a telephone number as a number.

Digests, UUIDs, keys and signatures hold runs of digits by chance. A number only counts where no letter or digit
touches it. In hexadecimal that leaves nothing to chance; in the base64 of a signature a look-alike stands between two
of the signs + and / about once in 10^11.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import unquote

_NO_LETTER_BEFORE, _NO_LETTER_AFTER = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_GAP = r"[ .·\-‐‑–—()]{0,4}"  # what people put between digits

# (+86) 1[3-9], then nine digits. Behind the plus sign of +86 anything may stand: no base64 runs on like that.
_MOBILE = re.compile(
    rf"(?:{_NO_LETTER_BEFORE}(?:(?:00)?86{_GAP})?|\+{_GAP}86{_GAP})1{_GAP}[3-9](?:{_GAP}[0-9]){{9}}{_NO_LETTER_AFTER}"
)
# Candidates may overlap, hence the look-ahead. GB 11643-1999: 17 digits and a check digit.
_RESIDENT = re.compile(rf"{_NO_LETTER_BEFORE}(?=([1-9](?:{_GAP}[0-9]){{16}}{_GAP}[0-9Xx]){_NO_LETTER_AFTER})")
_EMAIL = re.compile(r"[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,8}\w{2,}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"  # by the weighted sum modulo 11

# What most texts of an entry are: `kind:uuid`, `sha256:…`. Known at a glance, and free of numbers by the above.
_OPAQUE = re.compile(r"(?:[a-z0-9_]+:)?(?:[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


class PersonalData(ValueError):
    """The log was about to hold personal data. The message names the key, never the value."""


def check(value: Any, path: str) -> None:
    """Raise PersonalData if a text within `value`, or the name of a key, looks like personal data."""
    match value:
        case str():
            what = found(value)
            if what:
                raise PersonalData(
                    f"{path} looks like {what}: give it as a personal field, or leave it out of the log"
                )
        case Mapping():
            for key, item in value.items():
                what = found(str(key))
                if what:
                    raise PersonalData(f"{path} has a key that looks like {what}")
                check(item, f"{path}.{key}")
        case list() | tuple():
            for i, item in enumerate(value):
                check(item, f"{path}[{i}]")


def found(text: str) -> str:
    """What kind of personal data stands in the text, in words; "" for none."""
    if len(text) < 6 or _OPAQUE.fullmatch(text):
        return ""
    text = _as_seen(text)
    if "@" in text and _EMAIL.search(text):
        return "an e-mail address"
    if _MOBILE.search(text):
        return "a mobile number"
    if any(_is_resident_number(match[1]) for match in _RESIDENT.finditer(text)):
        return "a resident identity number"
    return ""


def _as_seen(text: str) -> str:
    """As people read it: digits and signs of any width and script, nothing invisible between them, no %40."""
    if "%" in text:
        text = unquote(text)
    if text.isascii():
        return text
    seen = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(c, c)) for c in seen if unicodedata.category(c) != "Cf")


def _is_resident_number(candidate: str) -> bool:
    """Whether a date of birth stands in it and the check digit is right (GB 11643-1999, ISO 7064 MOD 11-2)."""
    number = re.sub(r"[^0-9Xx]", "", candidate).upper()
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True))
    return number[17] == _CHECK_DIGITS[total % 11]
