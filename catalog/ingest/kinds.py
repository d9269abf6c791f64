"""What a column may reveal, guessed from its header and its values. A proposal: the provider decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from catalog.schema import ColumnKind, Grade

MOSTLY = 0.8  # share of sampled values that must look like an identifier


class Hint(StrEnum):
    """What a column seems to be about."""

    IDENTIFIER = "identifier"
    UNIT = "unit"
    SENSITIVE = "sensitive"
    QUASI = "quasi"
    CODE = "code"
    NONE = "none"


GRADES = {
    ColumnKind.DIRECT_IDENTIFIER: Grade.GENERAL_4,
    ColumnKind.SENSITIVE: Grade.GENERAL_3,
    ColumnKind.QUASI_IDENTIFIER: Grade.GENERAL_2,
    ColumnKind.PRIVACY_UNIT: Grade.GENERAL_2,
    ColumnKind.MEASURE: Grade.GENERAL_1,
    ColumnKind.DIMENSION: Grade.GENERAL_1,
}

# Words are matched in the header with its parts separated by "_", so that "age" is not found in "usage".
_DIRECT = re.compile(
    r"姓名|联系人|法定代表人|法人代表|电话|手机|邮箱|邮件|身份证|证件号|护照|地址|住址|车牌|银行卡|账号|户名|微信"
    r"|(^|_)(phone|mobile|tel|telephone|e?mail|email|address|addr|passport|ssn|id_card|id_number|fullname|surname|ip)(_|$)"
    r"|(^|_)(person|customer|client|contact|first|last|full|user|owner|building|property|borrower|patient|student)_?name(_|$)"
    r"|^name$|taxpayer|tax_parcel"
)
_NUMBERED = "(编号|代码|编码|标识|号|id)"
_SPACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("enterprise", re.compile(f"统一社会信用代码|(企业|公司|单位|商户|纳税人){_NUMBERED}|uscc|credit_code")),
    ("enterprise", re.compile(r"(enterprise|company|firm|merchant)_?(id|no|code)")),
    ("person", re.compile(f"(人员|居民|个人|职工|学生|患者|参保人){_NUMBERED}")),
    ("person", re.compile(r"(person|resident|citizen|patient|student|employee)_?(id|no|key)")),
    ("customer", re.compile(f"(用户|客户){_NUMBERED}|(customer|client|user|account|consumer)_?(id|no)")),
    ("household", re.compile(f"户号|家庭{_NUMBERED}|(household|meter)_?(id|no)")),
    ("building", re.compile(f"(建筑|楼宇|房屋){_NUMBERED}|building_?(id|no)")),
)
_RECORD = re.compile(r"编号|流水|工单号|订单号|单号|(^|_)(id|key|uuid)$|[a-z]id$")
_SENSITIVE = re.compile(
    r"工资|薪|收入|存款|病|诊断|健康|残疾|宗教|信用评分|信用分|违约|失信|处罚|犯罪"
    r"|salary|income|wage|diagnos|disease|health|disab|religio|credit_score|(loan|credit|in|is)_default(_|$)|mis_status|chg_?off|(^|_)race(_|$)"
)
_QUASI = re.compile(
    r"年龄|性别|出生|邮编|邮政编码|学历|职业|婚姻|民族|国籍|籍贯|街道|社区|经度|纬度|小区"
    r"|(^|_)(age|sex|gender|birth\w*|dob|zip|zip_?code|postcode|education|occupation|marital\w*|ethnic\w*|nationality"
    r"|native\w*|relationship|neighbou?rhood|ward|street|latitude|longitude|lat|lon|lng)(_|$)"
)
_QUANTITY = re.compile(r"(数|量|额|率|比重|占比|面积|支出|产值|增加值|用户数)$")
_CODE = re.compile(r"代码|编码|编号|邮编|号$|(^|_)(code|zip|zip_?code|naics|postcode)(_|$)|code$")
_ID_CARD = re.compile(r"[1-9]\d{5}(19|20)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])\d{3}[\dXx]")
_MOBILE = re.compile(r"(\+?86[- ]?)?1[3-9]\d{9}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}")
_CREDIT_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class Guess:
    hint: Hint
    unit_space: str = ""
    strength: int = 0  # of a unit candidate: 2 names a subject, 1 numbers records


def guess(header: str, name: str, values: Sequence[str]) -> Guess:
    """From the header, the machine name and sampled values that are not null."""
    parts = [name, re.sub(r"[^0-9a-z\u4e00-\u9fff]+", "_", header.lower())]
    by_values = _by_values(values)
    return by_values or _by_subject(parts) or _by_words(header, name, parts)


def _by_values(values: Sequence[str]) -> Guess | None:
    if _mostly(values, credit_code):
        return Guess(Hint.UNIT, "enterprise", 2)
    if any(_mostly(values, looks) for looks in (id_card, _MOBILE.fullmatch, _EMAIL.fullmatch)):
        return Guess(Hint.IDENTIFIER)
    return None


def _by_subject(parts: list[str]) -> Guess | None:
    for space, pattern in _SPACES:
        if any(pattern.search(part) for part in parts):
            return Guess(Hint.UNIT, space, 2)
    return None


def _by_words(header: str, name: str, parts: list[str]) -> Guess:
    if _QUANTITY.search(re.split(r"[(（_]", header)[0]) and not _SENSITIVE.search(header):
        return Guess(Hint.NONE)  # 移动电话用户数 counts telephones, it is not one
    for hint, pattern in ((Hint.IDENTIFIER, _DIRECT), (Hint.SENSITIVE, _SENSITIVE), (Hint.QUASI, _QUASI)):
        if any(pattern.search(part) for part in parts):
            return Guess(hint)
    if any(_RECORD.search(part) for part in parts):
        return Guess(Hint.UNIT, _record_space(name), 1)
    return Guess(Hint.CODE if any(_CODE.search(part) for part in parts) else Hint.NONE)


def is_code(header: str, name: str) -> bool:
    """Whether the header speaks of codes, whose leading zeros count: "007" is text."""
    return any(_CODE.search(part) for part in (header.lower(), name))


def id_card(value: str) -> bool:
    """An 18-digit citizen identity number with its check digit (GB 11643-1999)."""
    if not _ID_CARD.fullmatch(value):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(value[:17], weights, strict=True))
    return "10X98765432"[total % 11] == value[17].upper()


def credit_code(value: str) -> bool:
    """An 18-character unified social credit code with its check character (GB 32100-2015)."""
    if not _CREDIT_CODE.fullmatch(value):
        return False
    total = sum(_CREDIT_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(value[:17]))
    return _CREDIT_SIGNS[(31 - total % 31) % 31] == value[17]


def _mostly(values: Sequence[str], looks: Callable[[str], object]) -> bool:
    if not values:
        return False
    return sum(bool(looks(value)) for value in values) >= MOSTLY * len(values)


def _record_space(name: str) -> str:
    stem = re.sub(r"_?(id|key|uuid|no|code)$", "", name)
    return stem or "record"
