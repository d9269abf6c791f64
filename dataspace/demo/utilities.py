"""Monthly electricity and water bills of the enterprises. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from catalog.schema import Schema
from dataspace.demo import words
from dataspace.demo.draws import Bools, Dates, Floats, Ints, decimals, joined, texts
from dataspace.demo.enterprises import Enterprises
from dataspace.demo.places import DISTRICT_NAMES, INDUSTRIES, INDUSTRY_NAMES, season_factors

VOLTAGES: Final = ("220/380V", "10kV", "35kV", "110kV")
_VOLTAGE_FROM = (20_000, 400_000, 3_000_000)  # mean kWh a month from which each higher level is taken
_TARIFF = np.array([78, 71, 67, 63])  # cents per kWh
_OFF_PEAK = {"plant": 0.42, "heat": 0.38, "farm": 0.33, "office": 0.18, "school": 0.15}

WATER_USES: Final = ("工业用水", "经营服务用水", "特种行业用水", "行政事业用水")
_WATER_TARIFF = np.array([525, 525, 1680, 420])  # cents per m³
_WATER_USE = {"B": 0, "C": 0, "D": 0, "E": 0, "A": 0, "P": 3, "Q": 3, "N": 3}  # sections; the rest: services

ELECTRICITY: Final = Schema(
    (
        words.CREDIT_CODE,
        words.identifier("account_no", "用户编号", "供电用户编号,发布时删除"),
        words.DISTRICT,
        words.INDUSTRY,
        words.dimension("voltage_class", "电压等级", "供电电压等级", VOLTAGES),
        words.day("read_on", "抄表日期", "抄表日期"),
        words.month_of("read_on"),
        words.year_of("year", "年份", "read_on", range(2024, 2026)),
        words.count("kwh", "用电量(kWh)", "当月用电量,单位千瓦时"),
        words.count("off_peak_kwh", "谷段电量(kWh)", "其中谷段电量,单位千瓦时"),
        words.money("charge_yuan", "电费(元)", "当月电费,单位元"),
    )
)

WATER: Final = Schema(
    (
        words.CREDIT_CODE,
        words.identifier("account_no", "用水户号", "用水户号,发布时删除"),
        words.DISTRICT,
        words.dimension("use_class", "用水性质", "用水性质", WATER_USES),
        words.day("read_on", "抄表日期", "抄表日期"),
        words.month_of("read_on"),
        words.year_of("year", "年份", "read_on", range(2024, 2026)),
        words.count("water_m3", "用水量(立方米)", "当月用水量,单位立方米"),
        words.money("charge_yuan", "水费(元)", "当月水费,单位元"),
    )
)


@dataclass(frozen=True, slots=True)
class _Bills:
    """One entry per bill, month by month: which enterprise, which month, read on which day."""

    enterprise: Ints
    month: Ints
    read_on: Dates


def electricity(rng: np.random.Generator, city: Enterprises) -> pa.Table:
    """One row per enterprise and month in which it was active."""
    mean = _mean_use(rng, city, np.array([i.kwh for i in INDUSTRIES]), spread=0.8)
    _add_the_steelworks(city, mean)
    bills = _bills(rng, city, np.ones(len(city), dtype=np.bool_))
    who = bills.enterprise
    used = _monthly_use(rng, city, bills, mean)
    kwh = np.floor(used * _anomalies(rng, bills, len(city), share=0.02)).astype(np.int64)
    share = np.array([_OFF_PEAK[i.season] for i in INDUSTRIES])[city.industry[who]]
    off_peak = np.floor(kwh * share * rng.uniform(0.8, 1.2, len(kwh))).astype(np.int64)
    voltage = np.searchsorted(_VOLTAGE_FROM, mean, side="right")
    # Off-peak energy costs half of the ordinary tariff
    cents = (2 * kwh - off_peak) * _TARIFF[voltage[who]] // 2
    return pa.table(
        {
            "统一社会信用代码": city.code.take(pa.array(who)),
            "用户编号": _account_numbers("37E", len(city)).take(pa.array(who)),
            "区县": texts(DISTRICT_NAMES, city.district[who]),
            "行业门类": texts(INDUSTRY_NAMES, city.industry[who]),
            "电压等级": texts(VOLTAGES, voltage[who]),
            "抄表日期": pa.array(bills.read_on),
            "用电量(kWh)": pa.array(kwh),
            "谷段电量(kWh)": pa.array(off_peak),
            "电费(元)": decimals(cents, 2),
        }
    )


def water(rng: np.random.Generator, city: Enterprises) -> pa.Table:
    """One row per month for about half of the enterprises: the others have no water account of their own."""
    use = np.array([_WATER_USE.get(i.section, 1) for i in INDUSTRIES])[city.industry]
    # Bathhouses and car washes among the personal services
    bathing = np.array([i.section == "O" for i in INDUSTRIES])[city.industry] & (rng.random(len(city)) < 0.15)
    use = np.where(bathing, 2, use)
    metered = rng.random(len(city)) < np.array([0.98, 0.92, 0.68, 0.44])[city.size]
    mean = _mean_use(rng, city, np.array([i.water for i in INDUSTRIES]), spread=0.7) * np.where(bathing, 8, 1)
    bills = _bills(rng, city, metered)
    who = bills.enterprise
    used = _monthly_use(rng, city, bills, mean)
    cubic = np.ceil(used * _anomalies(rng, bills, len(city), share=0.015)).astype(np.int64)
    return pa.table(
        {
            "统一社会信用代码": city.code.take(pa.array(who)),
            "用水户号": _account_numbers("37W", len(city)).take(pa.array(who)),
            "区县": texts(DISTRICT_NAMES, city.district[who]),
            "用水性质": texts(WATER_USES, use[who]),
            "抄表日期": pa.array(bills.read_on),
            "用水量(立方米)": pa.array(cubic),
            "水费(元)": decimals(cubic * _WATER_TARIFF[use[who]], 2),
        }
    )


def _mean_use(rng: np.random.Generator, city: Enterprises, per_head: Floats, *, spread: float) -> Floats:
    """Mean monthly use per employee of each enterprise, a lognormal around its industry's."""
    mean: Floats = per_head[city.industry] * np.exp(spread * rng.standard_normal(len(city))) * city.staff
    return mean


def _add_the_steelworks(city: Enterprises, mean: Floats) -> None:
    """The largest manufacturer of 钢城区 uses twenty times what all others of its cell use together."""
    district, industry = DISTRICT_NAMES.index("钢城区"), INDUSTRY_NAMES.index("制造业")
    cell = (city.district == district) & (city.industry == industry)
    rows = np.flatnonzero(cell & (city.opened == 0) & (city.closed == words.MONTHS))
    if len(rows):
        works = rows[np.argmax(city.staff[rows])]
        mean[works] = 20 * (mean[cell].sum() - mean[works]) + mean[works]


def _bills(rng: np.random.Generator, city: Enterprises, metered: Bools) -> _Bills:
    """Each metered enterprise is read once a month on its own day, the 1st to the 28th."""
    number = len(city)
    reading_day = rng.integers(1, 29, number)
    enterprise = np.tile(np.arange(number), words.MONTHS)
    month = np.repeat(np.arange(words.MONTHS), number)
    kept = metered[enterprise] & city.active(enterprise, month)
    enterprise, month = enterprise[kept], month[kept]
    return _Bills(enterprise, month, words.days_in(month, reading_day[enterprise]))


def _monthly_use(rng: np.random.Generator, city: Enterprises, bills: _Bills, mean: Floats) -> Floats:
    """Mean use by season, growth of the staff and a tenth of noise."""
    season = season_factors()[city.industry[bills.enterprise], bills.month % 12]
    noise = np.exp(0.1 * rng.standard_normal(len(bills.month)))
    use: Floats = mean[bills.enterprise] * city.growth[bills.enterprise] ** bills.month * season * noise
    return use


def _anomalies(rng: np.random.Generator, bills: _Bills, number: int, *, share: float) -> Floats:
    """Factor per bill. In `share` of the enterprises use falls away or multiplies for one to four months."""
    struck = rng.random(number) < share
    first = rng.integers(0, words.MONTHS, number)
    last = first + rng.integers(0, 4, number)
    factor = np.where(rng.random(number) < 0.6, rng.uniform(0.0, 0.12, number), rng.uniform(3.0, 6.0, number))
    who, month = bills.enterprise, bills.month
    inside = struck[who] & (month >= first[who]) & (month <= last[who])
    return np.where(inside, factor[who], 1.0)


def _account_numbers(prefix: str, number: int) -> Any:
    return joined(prefix, pa.array(np.arange(10_000_000, 10_000_000 + number)).cast(pa.string()))
