"""The type of a column, guessed from a sample of its distinct values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog.ingest.cells import GROUPED, ISO_DATE, ISO_TIME, NO, NUMBER, YES, format_pattern
from catalog.schema import DECIMAL_COMMA, MAX_SCALE, ColumnType

ENOUGH = 0.95  # share of values a type must explain
COMMON = 0.99  # share of values whose digits a rounded scale keeps
DIGITS = 18
TRIED = 50  # values a date pattern must match one of to be looked at
MISSING = frozenset(
    {"NA", "N/A", "n/a", "NULL", "null", "NaN", "nan", "None", "#N/A"}
    | {"-", "--", "—", "——", "…", ".", "?", "/", "无", "缺", "暂无"}
)  # fmt: skip
DATES = (
    "", "%Y年%m月%d日", "%Y%m%d", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%b-%y", "%d-%b-%Y", "%d.%m.%Y", "%m/%d/%y",
)  # fmt: skip
TIMES = (
    "", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y年%m月%d日%H时%M分%S秒", "%Y年%m月%d日%H时%M分",
    "%Y%m%d%H%M%S", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M",
)  # fmt: skip
_NUMBER, _GROUPED = re.compile(NUMBER), re.compile(GROUPED)
_COMMA = re.compile(r"[+-]?[0-9]{1,3}(\.?[0-9]{3})*,[0-9]+")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_WORDS = frozenset(YES + NO) - {"1", "0"}


@dataclass(frozen=True, slots=True)
class TypeGuess:
    type: ColumnType
    format: str = ""
    scale: int = 0
    rounded: bool = False
    missing: tuple[str, ...] = ()


def guess_type(values: Sequence[str], *, code: bool = False) -> TypeGuess:
    """The narrowest type that explains at least 95 % of the distinct `values` (trimmed, none empty).

    Words for "no value" are set aside and returned as `missing` where the type is not text. `code` keeps digits text.
    """
    missing = tuple(sorted({v for v in values if v in MISSING}))
    rest = [v for v in values if v not in MISSING]
    found = None
    if rest:
        found = _boolean(rest) or _date(rest) or (None if code else _number(rest)) or _timestamp(rest)
    if found is None:
        return TypeGuess(ColumnType.TEXT)
    return TypeGuess(found.type, found.format, found.scale, found.rounded, missing)


def _boolean(values: list[str]) -> TypeGuess | None:
    words = {v.lower() for v in values}
    if words <= set(YES + NO) and words & _WORDS and len(words) > 1:
        return TypeGuess(ColumnType.BOOLEAN)
    return None


def _number(values: list[str]) -> TypeGuess | None:
    comma = [v for v in values if _COMMA.fullmatch(v) and not _GROUPED.fullmatch(v)]
    if comma and all(_COMMA.fullmatch(v) or _NUMBER.fullmatch(v) for v in values):
        texts, form = [v.replace(".", "").replace(",", ".") for v in values], DECIMAL_COMMA
    else:
        texts, form = [v.replace(",", "") if _GROUPED.fullmatch(v) else v for v in values], ""
    numbers = [v for v in texts if _NUMBER.fullmatch(v)]
    if len(numbers) < ENOUGH * len(values) or any(_LEADING_ZERO.fullmatch(v) for v in numbers):
        return None
    digits = sorted(fraction_digits(v) for v in numbers)
    if digits[-1] == 0 and not form:
        return TypeGuess(ColumnType.INTEGER)
    whole = max(len(v.lower().split("e")[0].split(".")[0].strip("+-")) for v in numbers)
    scale, rounded = choose_scale(digits, whole)
    return TypeGuess(ColumnType.DECIMAL, form, scale, rounded)


def choose_scale(digits: Sequence[int], whole: int) -> tuple[int, bool]:
    """(scale, rounded) for ascending counts of digits after the point and the most digits before it.

    All digits are kept where they fit; a few values with a float's tail do not widen the column: they are rounded.
    """
    room = max(0, min(MAX_SCALE, DIGITS - whole))
    if digits[-1] <= room:
        return digits[-1], False
    common = digits[min(len(digits) - 1, int(COMMON * len(digits)))]
    return min(common, room), True


def fraction_digits(number: str) -> int:
    """Digits after the point that count: "1.50" has 1, "2e-3" has 3."""
    mantissa, _, exponent = number.lower().partition("e")
    fraction = mantissa.partition(".")[2].rstrip("0")
    return max(0, len(fraction) - int(exponent or 0))


def _date(values: list[str]) -> TypeGuess | None:
    return _pattern(values, DATES, re.compile(ISO_DATE), ColumnType.DATE)


def _timestamp(values: list[str]) -> TypeGuess | None:
    return _pattern(values, TIMES, re.compile(ISO_TIME), ColumnType.TIMESTAMP)


def _pattern(
    values: list[str], formats: tuple[str, ...], iso: re.Pattern[str], kind: ColumnType
) -> TypeGuess | None:
    some = values[:TRIED]
    likely = [form for form in formats if any(_parses(v, form, iso) for v in some)]
    if not likely:
        return None
    matched = {form: {v for v in values if form in likely and _parses(v, form, iso)} for form in formats}
    ordered = sorted(formats, key=lambda form: -len(matched[form]))  # stable: earlier formats win ties
    best = ordered[0]
    if len(matched[best]) >= ENOUGH * len(values):
        return TypeGuess(kind, best)
    second = max(ordered[1:], key=lambda form: len(matched[form] - matched[best]))
    if best and second and len(matched[best] | matched[second]) >= ENOUGH * len(values):
        return TypeGuess(kind, f"{best}|{second}")
    return None


def _parses(value: str, form: str, iso: re.Pattern[str]) -> bool:
    if not form:
        return bool(iso.fullmatch(value)) and _real_day(value)
    if not re.fullmatch(format_pattern(form), value):
        return False
    try:
        parsed = datetime.strptime(value, form)  # noqa: DTZ007 - the source names no zone
    except ValueError:
        return False
    return form != "%Y%m%d" or 1900 <= parsed.year <= 2100


def _real_day(value: str) -> bool:
    year, month, day = (int(part) for part in re.split(r"[-/]", re.split(r"[ T]", value)[0]))
    try:
        datetime(year, month, day)  # noqa: DTZ001
    except ValueError:
        return False
    return True
