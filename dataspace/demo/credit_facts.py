"""Credit facts of the enterprises: penalties, honours, breaches of trust. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from catalog.schema import Schema
from dataspace.demo import words
from dataspace.demo.draws import (
    Floats,
    Ints,
    dates_between,
    decimals,
    joined,
    only_where,
    pick,
    texts,
)
from dataspace.demo.enterprises import SIZES, STATES, Enterprises
from dataspace.demo.places import DISTRICT_NAMES

FACTS: Final = ("行政许可", "行政处罚", "荣誉表彰", "守信激励", "经营异常", "失信被执行")
_BY_SIZE = np.array(
    [  # facts per size class: 大型 中型 小型 微型
        [30.0, 12.0, 30.0, 22.0, 1.0, 1.0],
        [32.0, 15.0, 22.0, 18.0, 3.0, 3.0],
        [36.0, 20.0, 8.0, 10.0, 12.0, 6.0],
        [38.0, 22.0, 2.0, 4.0, 24.0, 8.0],
    ]
)
_REVOKED = np.array([0.4, 2.0, 0.1, 0.05, 4.0, 5.0])  # factor for enterprises whose licence was revoked
_MEAN_FACTS = np.array([9.0, 4.0, 1.9, 1.05])  # per enterprise over the years covered, by size class
_AMOUNT_MEDIAN = np.array([0.0, 8_000.0, 0.0, 20_000.0, 0.0, 180_000.0])  # yuan; 0: no amount is recorded

ISSUERS: Final = (
    "市场监督管理局",
    "生态环境局",
    "应急管理局",
    "住房和城乡建设局",
    "税务局",
    "人力资源和社会保障局",
    "工业和信息化局",
    "人民法院",
)
_ISSUED_BY = np.array(
    [  # issuers per fact
        [5, 1, 1, 2, 0, 1, 0.5, 0],
        [4, 2, 1.5, 2, 1.5, 1, 0, 0],
        [1, 0.5, 0.3, 1, 1, 0.5, 4, 0],
        [1, 0.3, 0, 0.5, 4, 1, 1, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ],
    dtype=np.float64,
)
_FIRST_DAY = np.datetime64("2021-01-01", "D")

SCHEMA: Final = Schema(
    (
        words.identifier("document_no", "文书号", "决定或证书编号,发布时删除"),
        words.CREDIT_CODE,
        words.DISTRICT,
        words.dimension("fact_type", "信用事项", "信用事项类别", FACTS),
        words.dimension("issuer", "认定部门", "作出决定的部门", ISSUERS),
        words.day("decided_on", "认定日期", "作出决定的日期"),
        words.year_of("year", "认定年份", "decided_on", range(2021, 2026)),
        words.money("amount_yuan", "涉及金额(元)", "罚款、奖励或执行金额,单位元;无金额为空", nullable=True),
    )
)


def credit_facts(rng: np.random.Generator, city: Enterprises) -> pa.Table:
    """One row per fact. A few enterprises gather many (gamma-mixed Poisson), most have none or one."""
    number = len(city)
    facts = rng.poisson(_MEAN_FACTS[city.size] * rng.gamma(0.7, 1 / 0.7, number))
    who = np.repeat(np.arange(number), facts)
    fact = pick(rng, _fact_weights(), city.state[who] * len(SIZES) + city.size[who])
    decided = dates_between(
        rng,
        np.maximum(city.founded[who], _FIRST_DAY),
        words.days_in(city.closed[who], np.ones(len(who), dtype=np.int64)) - 1,
    )
    order = np.argsort(decided, kind="stable")
    who, fact, decided = who[order], fact[order], decided[order]
    cents = _amounts(rng, fact, city.staff[who])
    return pa.table(
        {
            "文书号": _document_numbers(len(who)),
            "统一社会信用代码": city.code.take(pa.array(who)),
            "区县": texts(DISTRICT_NAMES, city.district[who]),
            "信用事项": texts(FACTS, fact),
            "认定部门": texts(ISSUERS, pick(rng, _ISSUED_BY, fact)),
            "认定日期": pa.array(decided),
            "涉及金额(元)": only_where(cents > 0, decimals(cents, 2)),
        }
    )


def _fact_weights() -> Floats:
    """Shape: states times size classes (state-major) by facts."""
    revoked = STATES.index("吊销")
    blocks = [_BY_SIZE * (_REVOKED if state == revoked else 1.0) for state in range(len(STATES))]
    return np.concatenate(blocks)


def _amounts(rng: np.random.Generator, fact: Ints, staff: Floats) -> Ints:
    """Cents; whole hundreds of yuan, heavy-tailed, growing with the square root of the staff."""
    spread = np.exp(1.3 * rng.standard_normal(len(fact))) * np.sqrt(staff / 5)
    amount: Ints = np.ceil(_AMOUNT_MEDIAN[fact] * spread / 100).astype(np.int64) * 10_000
    return amount


def _document_numbers(number: int) -> Any:
    return joined("合成信字", pa.array(np.arange(1_000_000, 1_000_000 + number)).cast(pa.string()), "号")
