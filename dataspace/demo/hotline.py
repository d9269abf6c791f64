"""Tickets of the 12345 hotline. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from dataspace.demo import words
from dataspace.demo.draws import Bools, Dates, Floats, Ints, joined, only_where, pick, pick_one, texts
from dataspace.demo.hotline_topics import (
    AGENCIES,
    CATEGORIES,
    CHANNELS,
    EFFECTS,
    PLACES,
    SATISFACTION,
    SUBCATEGORIES,
    TOPICS,
    VERBS,
)
from dataspace.demo.places import DISTRICT_NAMES, DISTRICTS

AT_SCALE_1: Final = 120_000
_CALLERS_PER_TICKET = 0.6
_CALLS_AT_HOME = 0.93  # share of tickets about the caller's own district
_OPEN_SHARE = 0.012  # tickets not closed when the file was written
_END: Final = np.datetime64("2026-01-01", "s")
_BY_CHANNEL = np.array([70.0, 15.0, 8.0, 5.0, 2.0])
_BY_HOUR = np.array(
    (
        *(0.6, 0.4, 0.3, 0.2, 0.3, 0.6, 1.5, 3.5, 7.2, 8.8, 8.4, 6.6),  # from midnight
        *(4.6, 5.2, 6.8, 7.2, 7.0, 6.2, 4.8, 4.4, 4.0, 3.0, 2.0, 1.2),  # from noon
    )
)
_RATINGS = np.array(
    [  # weights of SATISFACTION for tickets closed fast, in ordinary time, slowly, not yet
        [40.0, 26.0, 8.0, 4.0, 2.0, 20.0],
        [24.0, 28.0, 14.0, 8.0, 4.0, 22.0],
        [9.0, 18.0, 17.0, 20.0, 13.0, 23.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)

SCHEMA: Final = Schema(
    (
        words.identifier("ticket_no", "工单编号", "工单编号,发布时删除"),
        Column(
            "caller_id",
            "来电人标识",
            ColumnType.TEXT,
            ColumnKind.PRIVACY_UNIT,
            Grade.GENERAL_4,
            "来电人的去标识化编号,发布时再替换为假名",
            nullable=False,
            unit_space="person",
        ),
        Column(
            "received_at",
            "受理时间",
            ColumnType.TIMESTAMP,
            ColumnKind.QUASI_IDENTIFIER,
            Grade.GENERAL_3,
            "受理时间(北京时间)",
            nullable=False,
        ),
        words.month_of("received_at"),
        words.year_of("year", "受理年份", "received_at", range(2024, 2026)),
        words.hour_of("received_at"),
        words.DISTRICT,
        words.dimension("category", "一级分类", "诉求一级分类", CATEGORIES),
        words.dimension("subcategory", "二级分类", "诉求二级分类", SUBCATEGORIES),
        words.dimension("agency", "承办单位", "承办单位", AGENCIES),
        words.dimension("channel", "渠道", "受理渠道", CHANNELS),
        words.count("days_to_close", "办结天数", "受理到办结的天数;未办结为空", nullable=True),
        words.dimension("satisfaction", "满意度", "回访满意度", SATISFACTION),
        words.count("satisfaction_score", "满意度评分", "满意度评分 1 至 5;未评价为空", nullable=True),
        Column(
            "summary",
            "诉求摘要",
            ColumnType.TEXT,
            ColumnKind.SENSITIVE,
            Grade.GENERAL_4,
            "诉求摘要文本,可能含个人信息,不作分组使用",
            nullable=False,
        ),
    )
)


def hotline(rng: np.random.Generator, number: int) -> pa.Table:
    """`number` tickets in the order in which they were received."""
    received_at, topic = _calls(rng, number)
    caller, district = _callers(rng, number)
    channel = pick_one(rng, _BY_CHANNEL, number)
    typical = np.array([t.days for t in TOPICS])[topic]
    days = np.maximum(np.rint(typical * rng.gamma(1.6, 1 / 1.6, number)), 0).astype(np.int64)
    closed = (rng.random(number) >= _OPEN_SHARE) & (received_at + days * np.timedelta64(1, "D") <= _END)
    rating = pick(rng, _RATINGS, _pace(days, typical, closed))
    return pa.table(
        {
            "工单编号": joined("JN12345-", _serials(10_000_000, np.arange(number))),
            "来电人标识": joined("C", _serials(100_000_000, caller)),
            "受理时间": pa.array(received_at),
            "区县": texts(DISTRICT_NAMES, district),
            "一级分类": texts(tuple(t.category for t in TOPICS), topic),
            "二级分类": texts(SUBCATEGORIES, topic),
            "承办单位": texts(tuple(t.agency for t in TOPICS), topic),
            "渠道": texts(CHANNELS, channel),
            "办结天数": only_where(closed, pa.array(days)),
            "满意度": texts(SATISFACTION, rating),
            "满意度评分": only_where(rating < 5, pa.array(5 - rating)),
            "诉求摘要": _summaries(rng, topic, district, channel),
        }
    )


def _calls(rng: np.random.Generator, number: int) -> tuple[Dates, Ints]:
    """When each call came, in order, and what it was about: topics have their season, the day its hours."""
    topic = pick_one(rng, np.array([t.weight * np.mean(t.season) for t in TOPICS]), number)
    month = pick(rng, np.array([t.season for t in TOPICS]), topic)
    month += 12 * (rng.random(number) < 0.53)  # calls grow from one year to the next
    first = words.days_in(month, np.ones(number, dtype=np.int64))
    length = (words.days_in(month + 1, np.ones(number, dtype=np.int64)) - first).astype(np.int64)
    day = first + np.floor(rng.random(number) * length).astype(np.int64)
    seconds = pick_one(rng, _BY_HOUR, number) * 3600 + rng.integers(0, 3600, number)
    moment = day.astype("datetime64[s]") + seconds
    order = np.argsort(moment, kind="stable")
    return moment[order], topic[order]


def _callers(rng: np.random.Generator, number: int) -> tuple[Ints, Ints]:
    """Who calls and about which district. A few people call very often: their weights have a Pareto tail."""
    residents = np.array([d.residents for d in DISTRICTS])
    people = max(int(number * _CALLERS_PER_TICKET), 1)
    home = pick_one(rng, residents, people)
    edges = np.cumsum(np.minimum(1.0 + rng.pareto(1.3, people), 400.0))
    caller = np.searchsorted(edges, rng.random(number) * edges[-1], side="right")
    away = pick_one(rng, residents, number)
    district = np.where(rng.random(number) < _CALLS_AT_HOME, home[caller], away)
    # Numbers that say nothing about the order in which people were drawn
    return rng.permutation(people)[caller], district


def _pace(days: Ints, typical: Floats, closed: Bools) -> Ints:
    """Row of _RATINGS: 0 fast, 1 ordinary, 2 slow, 3 not yet closed.

    People expect something between four days for everything and what is typical of the topic.
    """
    expected = np.sqrt(4.0 * typical)
    pace = (days > 0.6 * expected).astype(np.int64) + (days > 1.5 * expected)
    return np.where(closed, pace, 3)


def _summaries(rng: np.random.Generator, topic: Ints, district: Ints, channel: Ints) -> Any:
    number = len(topic)
    variants = len(TOPICS[0].problems)
    problems = tuple(problem for t in TOPICS for problem in t.problems)
    return joined(
        "市民",
        texts(VERBS, channel),
        ":",
        texts(DISTRICT_NAMES, district),
        texts(PLACES, rng.integers(0, len(PLACES), number)),
        texts(problems, topic * variants + rng.integers(0, variants, number)),
        ",",
        texts(EFFECTS, rng.integers(0, len(EFFECTS), number)),
        ",希望",
        texts(tuple(t.wish for t in TOPICS), topic),
        "。",
    )


def _serials(first: int, index: Ints) -> Any:
    return pa.array(first + index).cast(pa.string())
