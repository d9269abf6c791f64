"""What citizens call the 12345 hotline about, and the words their requests are written in. Pure.

The topics themselves stand in `hotline_topics.csv`, one a line.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import Final

# Weight of each calendar month, January first.
SEASONS: Final[dict[str, tuple[float, ...]]] = {
    "even": (1.0,) * 12,
    "heating": (2.6, 1.8, 1.4, 0.1, 0.02, 0.02, 0.02, 0.02, 0.05, 0.4, 4.2, 3.0),
    "summer": (0.5, 0.5, 0.6, 0.8, 1.1, 1.7, 2.1, 1.9, 1.1, 0.7, 0.5, 0.5),
    "rains": (0.2, 0.2, 0.3, 0.5, 0.8, 1.6, 3.4, 2.9, 1.1, 0.4, 0.3, 0.2),
    "year_end": (3.0, 1.2, 0.7, 0.7, 0.8, 0.8, 0.8, 0.8, 0.9, 0.9, 1.2, 2.2),
    "enrolment": (0.5, 0.7, 1.0, 0.9, 1.2, 2.4, 2.6, 2.3, 1.2, 0.5, 0.4, 0.4),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """`weight` is the relative frequency of the topic, `days` the typical time to close a ticket about it."""

    category: str
    subcategory: str
    agency: str
    weight: float
    days: float
    season: tuple[float, ...]
    problems: tuple[str, str]
    wish: str


def _topics() -> tuple[Topic, ...]:
    with resources.files(__package__).joinpath("hotline_topics.csv").open(encoding="utf-8") as lines:
        return tuple(
            Topic(
                category=row["category"],
                subcategory=row["subcategory"],
                agency=row["agency"],
                weight=float(row["weight"]),
                days=float(row["days"]),
                season=SEASONS[row["season"]],
                problems=(row["problem_1"], row["problem_2"]),
                wish=row["wish"],
            )
            for row in csv.DictReader(lines)
        )


TOPICS: Final = _topics()

CATEGORIES: Final = tuple(dict.fromkeys(t.category for t in TOPICS))
SUBCATEGORIES: Final = tuple(t.subcategory for t in TOPICS)
AGENCIES: Final = tuple(dict.fromkeys(t.agency for t in TOPICS))

CHANNELS: Final = ("电话", "微信小程序", "手机应用", "网站", "领导信箱")
VERBS: Final = ("来电反映", "通过微信反映", "通过手机应用反映", "在网站留言反映", "来信反映")

# Scores 5, 4, 3, 2, 1 and none
SATISFACTION: Final = ("非常满意", "满意", "基本满意", "不满意", "非常不满意", "未评价")

PLACES: Final = tuple(
    f"{name}{kind}"
    for kind in ("小区", "路", "花园", "街口", "市场")
    for name in ("泉澜", "岚青", "泓瑞", "禾穗", "云麓", "沐柏", "星曜", "松湖", "铭桐", "晟原")
)
EFFECTS: Final = ("影响居民正常生活", "已持续多日", "多次反映未解决", "存在安全隐患", "周边居民意见较大")
