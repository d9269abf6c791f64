"""The demonstration city: six datasets about the same made-up enterprises and citizens. Pure; no Django.

Everything here is synthetic (合成数据). Only the names of districts, industries and departments are real; no
record describes a real enterprise or person, and no figure is a statistic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from catalog.schema import Schema
from dataspace.demo import credit_facts, enterprises, hotline, social_insurance, utilities
from dataspace.demo.enterprises import Enterprises, found_enterprises


class Provider(StrEnum):
    """Which department provides a dataset."""

    MARKET_REGULATION = "market_regulation"  # 市场监督管理局
    POWER_UTILITY = "power_utility"  # 供电公司
    WATER_GROUP = "water_group"  # 水务集团
    HOTLINE_CENTRE = "hotline_centre"  # 市民热线中心
    SOCIAL_SECURITY = "social_security"  # 人力资源和社会保障局
    CREDIT_OFFICE = "credit_office"  # 公共信用信息中心


@dataclass(frozen=True, slots=True)
class DemoFile:
    """One file written, with all that is needed to publish it. `identifier` also serves as its table name."""

    path: Path
    rows: int
    identifier: str
    title_zh: str
    title_en: str
    description: str
    provider: Provider
    theme: str
    cadence: str  # daily, monthly, quarterly, irregular
    schema: Schema


@dataclass(frozen=True, slots=True)
class _Dataset:
    identifier: str
    suffix: str  # ".csv" or ".parquet"
    title_zh: str
    title_en: str
    about_zh: str
    about_en: str
    provider: Provider
    theme: str
    cadence: str
    schema: Schema
    make: Callable[[np.random.Generator, Enterprises, float], pa.Table]


_DATASETS: Final = (
    _Dataset(
        "enterprises",
        ".csv",
        "企业登记信息",
        "Enterprise registry",
        "企业登记基本信息,每家企业一行:区县、行业门类、规模、注册资本、成立日期、登记状态。",
        "One row per enterprise: district, industry, size, registered capital, founding date, status.",
        Provider.MARKET_REGULATION,
        "市场主体",
        "daily",
        enterprises.SCHEMA,
        lambda rng, city, _: enterprises.registry(rng, city),
    ),
    _Dataset(
        "electricity",
        ".parquet",
        "企业月度用电",
        "Monthly electricity of enterprises",
        "2024–2025 年企业月度用电量、谷段电量与电费,每家企业每月一行,含季节波动与少量异常。",
        "Monthly kWh, off-peak kWh and charge per enterprise, 2024 to 2025, with seasons and some anomalies.",
        Provider.POWER_UTILITY,
        "能源",
        "monthly",
        utilities.ELECTRICITY,
        lambda rng, city, _: utilities.electricity(rng, city),
    ),
    _Dataset(
        "water",
        ".csv",
        "企业月度用水",
        "Monthly water of enterprises",
        "2024–2025 年企业月度用水量与水费,每个用水户每月一行,约半数企业有独立用水户。",
        "Monthly cubic metres and charge, 2024 to 2025, for the half of the enterprises with an own account.",
        Provider.WATER_GROUP,
        "水务",
        "monthly",
        utilities.WATER,
        lambda rng, city, _: utilities.water(rng, city),
    ),
    _Dataset(
        "hotline",
        ".csv",
        "12345 热线工单",
        "12345 hotline tickets",
        "2024–2025 年 12345 市民服务热线工单:时间、区县、分类、承办单位、渠道、办结天数、满意度、诉求摘要。",
        "Hotline tickets, 2024 to 2025: time, district, category, agency, channel, days to close, rating.",
        Provider.HOTLINE_CENTRE,
        "民生诉求",
        "daily",
        hotline.SCHEMA,
        lambda rng, _, scale: hotline.hotline(rng, round(hotline.AT_SCALE_1 * scale)),
    ),
    _Dataset(
        "social_insurance",
        ".parquet",
        "企业社会保险参保",
        "Social insurance of enterprises",
        "2024–2025 年企业季度参保人数、应缴金额与欠费情况,每家参保企业每季度一行。",
        "Insured employees, contributions and arrears per enterprise and quarter, 2024 to 2025.",
        Provider.SOCIAL_SECURITY,
        "社会保障",
        "quarterly",
        social_insurance.SCHEMA,
        lambda rng, city, _: social_insurance.social_insurance(rng, city),
    ),
    _Dataset(
        "credit_facts",
        ".csv",
        "企业公共信用信息",
        "Public credit facts of enterprises",
        "2021–2025 年企业公共信用事项:行政许可、行政处罚、荣誉表彰、守信激励、经营异常、失信被执行。",
        "Public credit facts, 2021 to 2025: permits, penalties, honours, incentives, breaches of trust.",
        Provider.CREDIT_OFFICE,
        "信用",
        "irregular",
        credit_facts.SCHEMA,
        lambda rng, city, _: credit_facts.credit_facts(rng, city),
    ),
)


def write_city(out_dir: Path, *, seed: int = 2025, scale: float = 1.0) -> list[DemoFile]:
    """Write one file per dataset into `out_dir` (made if absent) and say what each of them is.

    The same `seed` and `scale` give the same bytes. `scale` 1 is about a million rows in all.
    Raise ValueError where it gives no enterprise, or more of them than there are names for.
    """
    number = round(enterprises.AT_SCALE_1 * scale)
    if not 1 <= number <= enterprises.MOST:
        raise ValueError(f"scale {scale} gives {number} enterprises, not 1 to {enterprises.MOST}")
    out_dir.mkdir(parents=True, exist_ok=True)
    first, *others = np.random.SeedSequence(seed).spawn(1 + len(_DATASETS))  # one stream per dataset
    city = found_enterprises(np.random.default_rng(first), number)
    return [
        _written(out_dir, dataset, dataset.make(np.random.default_rng(stream), city, scale))
        for dataset, stream in zip(_DATASETS, others, strict=True)
    ]


def _written(out_dir: Path, dataset: _Dataset, table: pa.Table) -> DemoFile:
    path = out_dir / f"synthetic_{dataset.identifier}{dataset.suffix}"
    if dataset.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        pq.write_table(table.replace_schema_metadata({"synthetic": "true"}), path, compression="zstd")
    return DemoFile(
        path=path,
        rows=table.num_rows,
        identifier=dataset.identifier,
        title_zh=f"{dataset.title_zh}(合成)",
        title_en=f"{dataset.title_en} (synthetic)",
        description=(
            f"合成数据 · synthetic。{dataset.about_zh}由程序生成,仅供演示,不对应任何真实企业或个人。\n"
            f"{dataset.about_en} Generated for demonstration; no record is about a real enterprise or person."
        ),
        provider=dataset.provider,
        theme=dataset.theme,
        cadence=dataset.cadence,
        schema=dataset.schema,
    )
