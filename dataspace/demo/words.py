"""Columns that several of the city's datasets share, and the months they cover. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Grade
from dataspace.demo.draws import Dates, Ints
from dataspace.demo.places import DISTRICT_NAMES, INDUSTRY_NAMES

MONTHS: Final = 24
FIRST_MONTH: Final = np.datetime64("2024-01", "M")
MONTH_NAMES: Final = tuple(str(FIRST_MONTH + m) for m in range(MONTHS))
QUARTERS: Final = MONTHS // 3
QUARTER_NAMES: Final = tuple(f"{2024 + q // 4}Q{q % 4 + 1}" for q in range(QUARTERS))

CREDIT_CODE: Final = Column(
    "credit_code",
    "统一社会信用代码",
    ColumnType.TEXT,
    ColumnKind.PRIVACY_UNIT,
    Grade.GENERAL_3,
    "企业的统一社会信用代码(GB 32100),发布时替换为假名,可用于与其他企业数据关联",
    nullable=False,
    unit_space="enterprise",
)
DISTRICT: Final = Column(
    "district",
    "区县",
    ColumnType.TEXT,
    ColumnKind.QUASI_IDENTIFIER,
    Grade.GENERAL_2,
    "所在区县",
    nullable=False,
    domain=DISTRICT_NAMES,
)
INDUSTRY: Final = Column(
    "industry",
    "行业门类",
    ColumnType.TEXT,
    ColumnKind.QUASI_IDENTIFIER,
    Grade.GENERAL_2,
    "国民经济行业门类(GB/T 4754)",
    nullable=False,
    domain=INDUSTRY_NAMES,
)


def identifier(name: str, header: str, meaning: str) -> Column:
    """A number or name that points at one record: dropped when the dataset is published."""
    return Column(
        name, header, ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER, Grade.GENERAL_4, meaning, nullable=False
    )


def dimension(
    name: str, header: str, meaning: str, domain: tuple[str, ...], grade: Grade = Grade.GENERAL_1
) -> Column:
    return Column(
        name, header, ColumnType.TEXT, ColumnKind.DIMENSION, grade, meaning, nullable=False, domain=domain
    )


def count(name: str, header: str, meaning: str, *, nullable: bool = False) -> Column:
    """A whole number that may be aggregated."""
    return Column(
        name,
        header,
        ColumnType.INTEGER,
        ColumnKind.MEASURE,
        Grade.GENERAL_3,
        meaning,
        nullable=nullable,
    )


def money(name: str, header: str, meaning: str, *, nullable: bool = False) -> Column:
    """An amount with two decimals that may only be aggregated."""
    return Column(
        name,
        header,
        ColumnType.DECIMAL,
        ColumnKind.SENSITIVE,
        Grade.GENERAL_3,
        meaning,
        scale=2,
        nullable=nullable,
    )


def day(name: str, header: str, meaning: str) -> Column:
    """A date too fine to group by; its year or month is derived."""
    return Column(
        name,
        header,
        ColumnType.DATE,
        ColumnKind.QUASI_IDENTIFIER,
        Grade.GENERAL_2,
        meaning,
        nullable=False,
    )


def month_of(source: str) -> Column:
    return _bin("month", "年月,如 2025-03", MONTH_NAMES, Derivation(source, DeriveRule.YEAR_MONTH))


def year_of(name: str, meaning: str, source: str, years: range) -> Column:
    return _bin(name, meaning, tuple(str(y) for y in years), Derivation(source, DeriveRule.YEAR))


def hour_of(source: str) -> Column:
    hours = tuple(f"{h:02d}" for h in range(24))
    return _bin("hour", "小时,00 至 23", hours, Derivation(source, DeriveRule.HOUR))


def bands_of(name: str, meaning: str, source: str, edges: tuple[str, ...]) -> Column:
    rule = Derivation(source, DeriveRule.BANDS, edges=edges)
    return _bin(name, meaning, rule.labels(), rule)


def _bin(name: str, meaning: str, domain: tuple[str, ...], rule: Derivation) -> Column:
    return Column(
        name,
        "",
        ColumnType.TEXT,
        ColumnKind.DIMENSION,
        Grade.GENERAL_1,
        f"{meaning}(由 {rule.source} 派生)",
        domain=domain,
        derived=rule,
    )


def days_in(month: Ints, day_of_month: Ints) -> Dates:
    """Dates in the covered months: `month` counts from 0, `day_of_month` from 1."""
    first: Dates = (FIRST_MONTH + month).astype("datetime64[D]")
    return first + (day_of_month - 1)
