"""Quarterly social insurance of the enterprises: insured employees, contributions, arrears. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from dataspace.demo import words
from dataspace.demo.draws import decimals, texts
from dataspace.demo.enterprises import STATES, Enterprises
from dataspace.demo.places import DISTRICT_NAMES

_ENROLLED = np.array([1.0, 0.99, 0.93, 0.75])  # by size class
_RATE = 0.245  # employer's share of pension, medical, unemployment and injury insurance, rounded
_IN_ARREARS = 0.025
_IN_ARREARS_REVOKED = 0.45

SCHEMA: Final = Schema(
    (
        words.CREDIT_CODE,
        words.DISTRICT,
        words.dimension("quarter", "季度", "参保季度,如 2025Q1", words.QUARTER_NAMES),
        words.count("insured_count", "参保人数", "季度末在册参保职工人数"),
        words.bands_of("insured_band", "参保人数分档", "insured_count", ("10", "50", "200", "1000")),
        words.money("contribution_yuan", "应缴金额(元)", "季度应缴社会保险费(单位部分),单位元"),
        Column(
            "in_arrears",
            "欠费标志",
            ColumnType.BOOLEAN,
            ColumnKind.DIMENSION,
            Grade.GENERAL_3,
            "季度末是否欠费",
            nullable=False,
            domain=("true", "false"),
        ),
        words.money("arrears_yuan", "欠费金额(元)", "季度末欠缴金额,不欠费为 0,单位元"),
    )
)


def social_insurance(rng: np.random.Generator, city: Enterprises) -> pa.Table:
    """One row per enrolled enterprise and quarter whose last month it was active in."""
    number = len(city)
    enrolled = rng.random(number) < _ENROLLED[city.size]
    coverage = rng.uniform(0.75, 1.0, number)
    # Yuan a month that contributions are reckoned on
    wage = 4_800 * np.exp(0.25 * rng.standard_normal(number))
    revoked = city.state == STATES.index("吊销")
    prone = np.where(revoked, _IN_ARREARS_REVOKED, _IN_ARREARS * 2 * rng.random(number))

    who = np.tile(np.arange(number), words.QUARTERS)
    quarter = np.repeat(np.arange(words.QUARTERS), number)
    last_month = 3 * quarter + 2
    kept = enrolled[who] & city.active(who, last_month)
    who, quarter, last_month = who[kept], quarter[kept], last_month[kept]

    insured = np.maximum(np.rint(city.staff_in(who, last_month) * coverage[who]), 1).astype(np.int64)
    due = np.rint(insured * wage[who] * 3 * _RATE * 100).astype(np.int64)  # cents
    late = rng.random(len(who)) < prone[who]
    owed = np.where(late, np.ceil(due * rng.uniform(0.1, 1.0, len(who))), 0).astype(np.int64)
    return pa.table(
        {
            "统一社会信用代码": city.code.take(pa.array(who)),
            "区县": texts(DISTRICT_NAMES, city.district[who]),
            "季度": texts(words.QUARTER_NAMES, quarter),
            "参保人数": pa.array(insured),
            "应缴金额(元)": decimals(due, 2),
            "欠费标志": pa.array(late),
            "欠费金额(元)": decimals(owed, 2),
        }
    )
