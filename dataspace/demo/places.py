"""The city's districts and its industries, with the weights that give the made-up city its shape. Pure.

District names and division codes are Jinan's (GB/T 2260). Weights are rough, chosen for likeness, and are no
statistics. Industries are the sections of GB/T 4754-2017 that hold enterprises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from dataspace.demo.draws import Floats


@dataclass(frozen=True, slots=True)
class District:
    """`residents` and `enterprises` are relative weights; `strong` are sections over-represented here."""

    name: str
    code: str
    residents: float
    enterprises: float
    strong: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Industry:
    """`kwh` and `water` are typical monthly use per employee (kWh, m³); `larger` tilts the size classes."""

    section: str
    name: str
    share: float
    kwh: float
    water: float
    season: str
    larger: float
    trades: tuple[str, ...]  # trade words for company names


DISTRICTS: Final = (
    District("历下区", "370102", 82, 17.0, {"J": 4, "I": 1.8, "L": 1.6, "M": 1.3, "A": 0.05, "B": 0.02}),
    District("市中区", "370103", 90, 13.0, {"J": 2.5, "L": 1.4, "K": 1.3, "A": 0.1, "B": 0.05}),
    District("槐荫区", "370104", 66, 9.0, {"Q": 2, "F": 1.2, "A": 0.2, "B": 0.05}),
    District("天桥区", "370105", 73, 10.0, {"F": 1.5, "G": 1.6, "A": 0.3, "B": 0.05}),
    District("历城区", "370112", 148, 19.5, {"I": 2.2, "M": 1.8, "C": 1.1, "A": 0.5, "B": 0.1}),
    District("长清区", "370113", 59, 5.0, {"P": 2.2, "A": 2, "B": 0.5}),
    District("章丘区", "370114", 106, 9.0, {"C": 2.2, "G": 1.3, "A": 1.6, "B": 1.5}),
    District("济阳区", "370115", 48, 4.5, {"C": 1.9, "A": 3}),
    District("莱芜区", "370116", 84, 6.5, {"C": 1.7, "A": 1.8, "B": 5}),
    District("钢城区", "370117", 29, 2.2, {"C": 2.2, "B": 6, "J": 0.4, "I": 0.3}),
    District("平阴县", "370124", 33, 2.3, {"C": 1.7, "A": 3, "J": 0.4, "I": 0.3, "B": 1.5}),
    District("商河县", "370126", 48, 2.0, {"A": 5, "C": 1.1, "J": 0.3, "I": 0.2, "B": 0.3}),
)

INDUSTRIES: Final = (
    Industry("A", "农、林、牧、渔业", 2.2, 260, 9, "farm", 0.6, ("农业", "林果", "牧业", "种苗")),
    Industry("B", "采矿业", 0.35, 1900, 14, "plant", 2.5, ("矿业", "石材", "矿产", "砂石")),
    Industry("C", "制造业", 16.0, 950, 8, "plant", 1.8, ("机械", "新材料", "食品", "电子")),
    Industry(
        "D",
        "电力、热力、燃气及水生产和供应业",
        0.5,
        2600,
        40,
        "heat",
        3.0,
        ("热力", "燃气", "能源", "供水"),
    ),
    Industry("E", "建筑业", 9.0, 130, 4, "plant", 1.3, ("建筑", "市政工程", "装饰", "园林工程")),
    Industry("F", "批发和零售业", 27.0, 170, 2.2, "office", 0.6, ("商贸", "百货", "超市", "贸易")),
    Industry("G", "交通运输、仓储和邮政业", 4.2, 240, 2.5, "office", 1.1, ("物流", "运输", "仓储", "货运")),
    Industry("H", "住宿和餐饮业", 4.5, 420, 13, "office", 0.8, ("餐饮", "酒店", "宾馆", "饮食")),
    Industry(
        "I", "信息传输、软件和信息技术服务业", 7.5, 210, 1.6, "office", 1.0, ("信息", "软件", "网络", "数据")
    ),
    Industry("J", "金融业", 0.9, 230, 1.8, "office", 1.6, ("投资", "典当", "融资担保", "小额贷款")),
    Industry("K", "房地产业", 3.2, 260, 3, "office", 1.1, ("置业", "房地产", "物业", "地产经纪")),
    Industry("L", "租赁和商务服务业", 10.5, 120, 1.8, "office", 0.7, ("商务", "租赁", "广告", "人力资源")),
    Industry("M", "科学研究和技术服务业", 6.8, 190, 1.8, "office", 0.9, ("科技", "检测", "设计", "工程咨询")),
    Industry(
        "N", "水利、环境和公共设施管理业", 0.9, 220, 10, "office", 1.2, ("环保", "水利", "环境", "保洁")
    ),
    Industry("O", "居民服务、修理和其他服务业", 2.8, 150, 5, "office", 0.5, ("汽修", "家政", "维修", "洗涤")),
    Industry("P", "教育", 1.4, 110, 3.5, "school", 1.2, ("教育", "培训", "文化教育", "学前教育")),
    Industry("Q", "卫生和社会工作", 0.9, 330, 6, "office", 1.5, ("医疗", "健康", "养老", "护理")),
    Industry("R", "文化、体育和娱乐业", 1.6, 240, 3, "office", 0.7, ("文化", "传媒", "体育", "演艺")),
)

# Use in each calendar month against the yearly mean: cooling in July and August, heating from mid-November
# to mid-March, plants idle at the Spring Festival.
SEASONS: Final[dict[str, tuple[float, ...]]] = {
    "plant": (0.95, 0.66, 1.00, 1.03, 1.04, 1.05, 1.08, 1.08, 1.04, 1.02, 1.03, 1.02),
    "office": (1.12, 0.95, 0.90, 0.80, 0.86, 1.08, 1.36, 1.38, 1.02, 0.78, 0.82, 0.93),
    "heat": (1.60, 1.45, 1.15, 0.70, 0.60, 0.65, 0.75, 0.75, 0.65, 0.70, 1.30, 1.70),
    "farm": (0.70, 0.70, 1.05, 1.25, 1.25, 1.35, 1.10, 1.00, 1.05, 1.05, 0.80, 0.70),
    "school": (0.95, 0.65, 1.10, 1.05, 1.10, 1.25, 0.80, 0.65, 1.20, 1.00, 1.10, 1.15),
}

DISTRICT_NAMES: Final = tuple(d.name for d in DISTRICTS)
INDUSTRY_NAMES: Final = tuple(i.name for i in INDUSTRIES)


def industry_weights() -> Floats:
    """Weight of each industry in each district; shape: districts by industries."""
    return np.array([[i.share * d.strong.get(i.section, 1.0) for i in INDUSTRIES] for d in DISTRICTS])


def season_factors() -> Floats:
    """Shape: industries by twelve calendar months."""
    return np.array([SEASONS[i.season] for i in INDUSTRIES])
