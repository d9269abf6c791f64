"""The made-up enterprises every other dataset is about, and their registry. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from dataspace.demo import words
from dataspace.demo.credit_code import synthetic_codes
from dataspace.demo.draws import (
    Bools,
    Dates,
    Floats,
    Ints,
    dates_between,
    decimals,
    joined,
    pick,
    pick_one,
    texts,
)
from dataspace.demo.places import DISTRICT_NAMES, DISTRICTS, INDUSTRIES, INDUSTRY_NAMES, industry_weights

AT_SCALE_1: Final = 21_000
MOST: Final = 100_000  # so many distinct company names can be made for the largest industry

SIZES: Final = ("大型", "中型", "小型", "微型")
_SIZE_SHARE = np.array([0.6, 3.4, 26.0, 70.0])
_STAFF_MEDIAN = np.array([900.0, 220.0, 34.0, 5.0])
_STAFF_LEAST = np.array([500.0, 100.0, 10.0, 1.0])
_STAFF_MOST = np.array([9000.0, 999.0, 299.0, 19.0])
_CAPITAL_MEDIAN = np.array([20_000.0, 3_000.0, 500.0, 100.0])  # 10,000 yuan

STATES: Final = ("存续", "注销", "吊销", "迁出")
_STATE_SHARE = np.array([92.5, 4.5, 2.0, 1.0])
_STATES_CLOSED = (1, 3)

_YEARS = range(1992, 2026)

_REGIONS = ("济南", "泉城", "齐鲁", "岱北")
_FIRST = tuple("泉澜沣湛泓溪沐淳漪润恒瑞嘉晟铭鼎腾骏跃宏博睿卓启航云星辰曜昱旭朗清岚岱岳峻松柏桐楠梓青禾穗麦")
_SECOND = tuple("源川泽洋涛沛涌远达通盛兴隆昌茂丰裕泰和安康宁顺捷迅联创智科拓展峰岭原野林森晖映光耀图景信诚")

SCHEMA: Final = Schema(
    (
        words.CREDIT_CODE,
        words.identifier("name", "企业名称", "企业名称(虚构),发布时删除"),
        words.DISTRICT,
        words.INDUSTRY,
        Column(
            "size_class",
            "规模",
            ColumnType.TEXT,
            ColumnKind.QUASI_IDENTIFIER,
            Grade.GENERAL_2,
            "企业规模:大型、中型、小型、微型",
            nullable=False,
            domain=SIZES,
        ),
        Column(
            "registered_capital",
            "注册资本(万元)",
            ColumnType.DECIMAL,
            ColumnKind.MEASURE,
            Grade.GENERAL_2,
            "注册资本,单位万元",
            scale=2,
            nullable=False,
        ),
        words.bands_of(
            "capital_band", "注册资本分档(万元)", "registered_capital", ("50", "100", "500", "1000", "5000")
        ),
        words.day("founded_on", "成立日期", "成立日期"),
        words.year_of("founded_year", "成立年份", "founded_on", _YEARS),
        words.dimension("status", "登记状态", "登记状态:存续、注销、吊销、迁出", STATES),
    )
)


@dataclass(frozen=True, slots=True)
class Enterprises:
    """One entry per enterprise in each array; indexes point into the word lists of the same name."""

    code: Any  # Arrow text
    district: Ints
    industry: Ints
    size: Ints
    state: Ints
    staff: Floats  # employees in the first month
    growth: Floats  # factor on `staff` per month
    founded: Dates
    opened: Ints  # first month covered by utility bills, counted from words.FIRST_MONTH; never negative
    closed: Ints  # first month without any; words.MONTHS where the enterprise goes on

    def __len__(self) -> int:
        return len(self.district)

    def staff_in(self, enterprise: Ints, month: Ints) -> Floats:
        staff: Floats = self.staff[enterprise] * self.growth[enterprise] ** month
        return staff

    def active(self, enterprise: Ints, month: Ints) -> Bools:
        alive: Bools = (month >= self.opened[enterprise]) & (month < self.closed[enterprise])
        return alive


def found_enterprises(rng: np.random.Generator, number: int) -> Enterprises:
    """Draw `number` enterprises (at most `MOST`), one code each."""
    district = pick_one(rng, np.array([d.enterprises for d in DISTRICTS]), number)
    industry = pick(rng, industry_weights(), district)
    size = pick(rng, _size_weights(), industry)
    staff = _STAFF_MEDIAN[size] * np.exp(0.75 * rng.standard_normal(number))
    state = pick_one(rng, _STATE_SHARE, number)
    founded = _founded(rng, number)
    opened = np.maximum((founded.astype("datetime64[M]") - words.FIRST_MONTH).astype(np.int64) + 1, 0)
    closing = np.minimum(opened + rng.integers(1, words.MONTHS, number), words.MONTHS)
    serials = np.arange(number) + rng.integers(0, 10_000_000)
    return Enterprises(
        code=synthetic_codes(serials, tuple(d.code for d in DISTRICTS), district),
        district=district,
        industry=industry,
        size=size,
        state=state,
        staff=np.clip(staff, _STAFF_LEAST[size], _STAFF_MOST[size]),
        growth=np.exp(rng.normal(0.001, 0.006, number)),
        founded=founded,
        opened=opened,
        closed=np.where(np.isin(state, _STATES_CLOSED), closing, words.MONTHS),
    )


def registry(rng: np.random.Generator, city: Enterprises) -> pa.Table:
    """One row per enterprise."""
    capital = _CAPITAL_MEDIAN[city.size] * np.exp(0.9 * rng.standard_normal(len(city)))
    digit = 10.0 ** np.floor(np.log10(capital))
    capital = np.round(capital / digit, 1) * digit  # people register round sums
    return pa.table(
        {
            "统一社会信用代码": city.code,
            "企业名称": _names(rng, city.industry),
            "区县": texts(DISTRICT_NAMES, city.district),
            "行业门类": texts(INDUSTRY_NAMES, city.industry),
            "规模": texts(SIZES, city.size),
            "注册资本(万元)": decimals(np.rint(capital * 100).astype(np.int64), 2),
            "成立日期": pa.array(city.founded),
            "登记状态": texts(STATES, city.state),
        }
    )


def _size_weights() -> Floats:
    """Shape: industries by size classes. `larger` works most on the largest class."""
    tilt = np.array([[i.larger**2, i.larger, i.larger**0.5, 1.0] for i in INDUSTRIES])
    weights: Floats = _SIZE_SHARE * tilt
    return weights


def _founded(rng: np.random.Generator, number: int) -> Dates:
    """Most enterprises are young: the density grows towards the last year covered."""
    share = np.array([1.0 + 0.1 * (year - 1991) for year in _YEARS])
    year = np.array([f"{y}-01-01" for y in _YEARS], dtype="datetime64[D]")[pick_one(rng, share, number)]
    return dates_between(rng, year, year + 364)


def _names(rng: np.random.Generator, industry: Ints) -> Any:
    """Distinct made-up names, each ending in a mark that it is synthetic."""
    trades = tuple(trade for i in INDUSTRIES for trade in i.trades)
    kinds = len(INDUSTRIES[0].trades)
    choice = np.empty(len(industry), dtype=np.int64)
    for section in range(len(INDUSTRIES)):
        rows = np.flatnonzero(industry == section)
        # Numbers drawn without replacement within an industry, trade words differ between industries
        all_names = len(_REGIONS) * len(_FIRST) * len(_SECOND) * kinds
        choice[rows] = rng.choice(all_names, size=len(rows), replace=False)
    rest, trade = np.divmod(choice, kinds)
    rest, second = np.divmod(rest, len(_SECOND))
    region, first = np.divmod(rest, len(_FIRST))
    return joined(
        texts(_REGIONS, region),
        texts(_FIRST, first),
        texts(_SECOND, second),
        texts(trades, industry * kinds + trade),
        "有限公司(合成)",
    )
