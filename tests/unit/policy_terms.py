"""Terms for the tests of the policy: one ordinary contract, and a strategy for every kind of valid one."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from catalog.schema import ColumnType
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)
from contracts.policy.validate import DISCLOSURE_BOUNDS, MAX_BOUND, MAX_BUDGET, PRIVACY_BOUNDS

UID = "urn:uuid:6f9619ff-8b86-4d01-b42d-00cf4fc964ff"

LOANS = DatasetTerm(
    "urn:dataset:loans",
    "loans",
    (
        ColumnTerm("enterprise", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("district", ColumnType.TEXT, ColumnRole.DIMENSION, domain=("历下区", "市中区", "other")),
        ColumnTerm(
            "amount",
            ColumnType.DECIMAL,
            ColumnRole.MEASURE,
            aggregates=(Aggregate.SUM, Aggregate.AVG),
            scale=2,
        ),
        ColumnTerm("grade", ColumnType.TEXT, ColumnRole.MEASURE, aggregates=(Aggregate.COUNT,)),
    ),
)
WATER = DatasetTerm(
    "urn:dataset:water",
    "water",
    (
        ColumnTerm("enterprise", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("meter", ColumnType.INTEGER, ColumnRole.JOIN_KEY),
        ColumnTerm("month", ColumnType.TEXT, ColumnRole.DIMENSION, domain=("2025-01", "2025-02")),
        ColumnTerm(
            "used", ColumnType.INTEGER, ColumnRole.MEASURE, aggregates=(Aggregate.COUNT, Aggregate.SUM)
        ),
    ),
)
TERMS = Terms(
    assigners=("urn:org:credit", "urn:org:water"),
    assignee="urn:org:bank",
    purpose="小微企业信贷风险评估",
    scenario="授信额度测算",
    datasets=(LOANS, WATER),
    joins=(JoinTerm(("loans", "enterprise"), ("water", "enterprise")),),
    disclosure=DisclosureTerms(),
    max_runs=100,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    retention_days=30,
)

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "M", "Z"), max_codepoint=0x9FFF),
    min_size=1,
    max_size=12,
).filter(lambda text: unicodedata.is_normalized("NFC", text))
uids = st.uuids().map(lambda uid: f"urn:uuid:{uid}")
disclosures = st.builds(
    DisclosureTerms, **{name: st.integers(low, high) for name, (low, high) in DISCLOSURE_BOUNDS.items()}
)

privacies = st.builds(
    PrivacyTerms, **{name: st.integers(low, high) for name, (low, high) in PRIVACY_BOUNDS.items()}
).filter(lambda privacy: privacy.query_budget <= privacy.contract_budget)
lanes = st.sampled_from(sorted(Lane))


@st.composite
def dimensions(draw: st.DrawFn, name: str) -> ColumnTerm:
    kind = draw(st.sampled_from(sorted(ColumnType)))
    scale = draw(st.integers(0, 9)) if kind is ColumnType.DECIMAL else 0
    written = {
        ColumnType.TEXT: texts,
        ColumnType.INTEGER: st.integers(-(10**15), 10**15).map(str),
        ColumnType.DECIMAL: st.integers(1, 10**15).map(
            lambda n: f"{n // 10**scale}.{n % 10**scale:0{scale}d}" if scale else str(n)
        ),
        ColumnType.DATE: st.dates().map(lambda day: day.isoformat()),
        ColumnType.TIMESTAMP: st.datetimes().map(lambda moment: moment.isoformat(" ")),
        ColumnType.BOOLEAN: st.sampled_from(("true", "false")),
    }[kind]
    domain = draw(st.lists(written, min_size=1, max_size=4, unique=True))
    level = draw(st.sampled_from(sorted(Level)))
    return ColumnTerm(name, kind, ColumnRole.DIMENSION, domain=tuple(domain), scale=scale, level=level)


@st.composite
def measures(draw: st.DrawFn, name: str) -> ColumnTerm:
    kind = draw(st.sampled_from(sorted(ColumnType)))
    numeric = kind in {ColumnType.INTEGER, ColumnType.DECIMAL}
    allowed = [Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG] if numeric else [Aggregate.COUNT]
    functions = draw(st.lists(st.sampled_from(allowed), min_size=1, unique=True))
    scale = draw(st.integers(0, 9)) if kind is ColumnType.DECIMAL else 0
    lane = draw(lanes)
    bounded = numeric and lane is Lane.PRIVATE
    return ColumnTerm(
        name,
        kind,
        ColumnRole.MEASURE,
        aggregates=tuple(functions),
        scale=scale,
        lane=lane,
        low=draw(st.integers(-MAX_BOUND, 0)) if bounded else 0,
        high=draw(st.integers(1, MAX_BOUND)) if bounded else 0,
    )


@st.composite
def datasets(draw: st.DrawFn, name: str) -> DatasetTerm:
    first, *rest = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    unit = ColumnTerm(first, ColumnType.TEXT, draw(st.sampled_from((ColumnRole.UNIT, ColumnRole.JOIN_KEY))))
    columns = [draw(st.one_of(dimensions(other), measures(other))) for other in rest]
    dataset = DatasetTerm(draw(uids), name, (*draw(st.permutations([unit, *columns])),), draw(lanes))
    if Lane.PRIVATE in dataset.lanes:
        return replace(dataset, budget=draw(st.integers(1, MAX_BUDGET)))
    return dataset


@st.composite
def valid_terms(draw: st.DrawFn) -> Terms:
    tables = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    found = tuple(draw(datasets(name)) for name in tables)
    keys = [
        (d.name, next(c.name for c in d.columns if c.role in {ColumnRole.UNIT, ColumnRole.JOIN_KEY}))
        for d in found
    ]
    joins = tuple(JoinTerm(keys[0], other) for other in keys[1:]) if draw(st.booleans()) else ()
    start = draw(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))
    private = any(Lane.PRIVATE in d.lanes for d in found)
    *assigners, assignee = draw(st.lists(uids, min_size=2, max_size=4, unique=True))
    return Terms(
        assigners=tuple(assigners),
        assignee=assignee,
        purpose=draw(texts),
        scenario=draw(texts),
        datasets=found,
        joins=joins,
        disclosure=draw(disclosures),
        max_runs=draw(st.integers(1, 100_000)),
        valid_from=start,
        valid_until=start + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=1825))),
        retention_days=draw(st.integers(1, 3650)),
        privacy=draw(privacies) if private else None,
    )
