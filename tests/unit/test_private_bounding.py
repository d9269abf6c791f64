"""In the private lane no unit changes an answer by more than claimed, through the very SQL that runs."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal
from functools import cache
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from audit.refusals import Refused
from contracts.policy.terms import Level, Terms
from sandbox.disclosure.private.bounded import read_bounded
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.engines import generate_from_kept, layout_of
from sandbox.engines.bounding import groups_of
from sandbox.engines.private_sql import generate_private, private_schema
from sandbox.guard import check_sql
from sandbox.guard.query import AggregateQuery
from sandbox.kept.build import build
from sandbox.kept.first_level import NotKept
from tests.unit.guard_terms import DISTRICTS
from tests.unit.private_extracts import AIR, STATIONS, Extract, crowd, pseudonym, tables, without
from tests.unit.private_terms import PRIVATE, with_privacy

LIMITS = with_privacy(max_groups=2, max_rows=2)
QUERIES = [
    "select count(*), count(distinct enterprise), count(note), sum(amount) from loans",
    "select district, avg(amount), count(distinct enterprise) from loans group by 1",
    "select year, secured, sum(amount), count(*) from loans group by 1, 2",
    "select district, year, sum(amount), count(distinct enterprise) from loans where secured = true group by 1, 2",
    "select loans.year, sum(kwh), sum(amount), count(*) from loans join power on enterprise = firm group by 1",
    "select zone, sum(amount), count(distinct enterprise) from loans join stations on branch = code group by 1",
]
EXTREMES = [None, 0, 1, -1, 10**5, -(10**4), 10**18 - 1, -(10**18) + 1]


@cache
def engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def bounded(
    sql: str, registered: dict[str, pa.Table], query: AggregateQuery, terms: Terms
) -> list[np.ndarray]:
    for name, table in registered.items():
        engine().register(name, table)
    raw = engine().sql(sql).to_arrow_table()
    assert raw.schema.equals(private_schema(query, terms))
    return read_bounded(raw, query, terms, mechanisms_of(query, terms))


def exceeded(
    sql: str, one: dict[str, pa.Table], other: dict[str, pa.Table], query: AggregateQuery, terms: Terms
) -> list[str]:
    """The claims that two neighbours break."""
    return broken_claims(bounded(sql, one, query, terms), bounded(sql, other, query, terms), query, terms)


def broken_claims(
    one: list[np.ndarray], other: list[np.ndarray], query: AggregateQuery, terms: Terms
) -> list[str]:
    found = []
    pairs = zip(one, other, strict=True)
    for mechanism, (a, b) in zip(mechanisms_of(query, terms), pairs, strict=True):
        change = [abs(x - y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        l2 = sqrt(sum(c**2 for c in change))
        claims = {
            "l1": sum(change) <= mechanism.groups * mechanism.magnitude,
            "l2": l2 <= mechanism.sensitivity,
            "linf": max(change) <= mechanism.magnitude,
        }
        found += [f"{mechanism.statistic.kind} {norm}" for norm, kept in claims.items() if not kept]
    return found


@st.composite
def extracts(draw: st.DrawFn) -> Extract:
    """Districts are one per unit, as the build of an extract with such a level must have checked."""
    homes = draw(st.lists(st.sampled_from([*DISTRICTS, None, "undeclared"]), min_size=4, max_size=4))
    loan = st.fixed_dictionaries(
        {
            "unit": st.integers(0, 3),
            "year": st.sampled_from([2022, 2023, 2024, 2025]),
            "secured": st.booleans(),
            "amount": st.sampled_from(EXTREMES).map(lambda v: None if v is None else Decimal(v).scaleb(-2)),
            "note": st.sampled_from([None, "x"]),
            "branch": st.sampled_from(["a", "b", "c"]),
        }
    )
    use = st.fixed_dictionaries(
        {
            "unit": st.integers(0, 3),
            "year": st.just(2023),
            "kwh": st.sampled_from([None, 0, -5, 2**63 - 1, 10**6]),
        }
    )
    loans = draw(st.lists(loan, max_size=14))
    return {
        "loans": [{**row, "district": homes[row["unit"]]} for row in loans],
        "power": draw(st.lists(use, max_size=6)),
    }


@settings(max_examples=80, deadline=None)
@given(extracts(), st.integers(0, 3), st.sampled_from(QUERIES))
def test_no_unit_changes_an_answer_by_more_than_its_sensitivity(
    extract: Extract, unit: int, text: str
) -> None:
    query = check_sql(text, LIMITS)
    sql = generate_private(query, LIMITS)
    assert exceeded(sql, tables(extract), tables(without(extract, unit)), query, LIMITS) == []


@settings(max_examples=80, deadline=None)
@given(extracts(), st.integers(0, 3), st.sampled_from([text for text in QUERIES if " join " not in text]))
def test_no_unit_changes_an_answer_from_kept_tables_by_more_than_its_sensitivity(
    extract: Extract, unit: int, text: str
) -> None:
    """Each version has its own kept table, whose facts may differ, and with them the SQL."""
    query = check_sql(text, LIMITS)
    found = [
        read_bounded(from_kept(registered["loans"], query), query, LIMITS, mechanisms_of(query, LIMITS))
        for registered in (tables(extract), tables(without(extract, unit)))
    ]
    assert broken_claims(*found, query, LIMITS) == []


def from_kept(loans: pa.Table, query: AggregateQuery) -> pa.Table:
    """As the product has it: with the plain plan where no table can be kept of numbers so large."""
    layout = layout_of(query, LIMITS, "0" * 64)
    assert layout is not None
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "loans.parquet", Path(folder) / "kept.parquet"
        pq.write_table(loans.sort_by("_unit"), source)
        descriptor = os.open(source, os.O_RDONLY)
        try:
            facts = build(layout, descriptor, target, threads=1, keep_going=lambda: True)
        except NotKept:
            table, sql = loans, generate_private(query, LIMITS)
        else:
            table, sql = pq.read_table(target), generate_from_kept(query, LIMITS, layout, facts)
        finally:
            os.close(descriptor)
    engine().register("loans", table)
    raw = engine().sql(sql).to_arrow_table()
    assert raw.schema.equals(private_schema(query, LIMITS))
    return raw


TEXT = "select year, secured, sum(amount), count(*), count(distinct enterprise), count(note) from loans group by 1, 2"


def without_cap(tree: exp.Expr) -> exp.Expr:
    for select in tree.find_all(exp.Select):
        select.set("qualify", None)
    return tree


def without_clamp(tree: exp.Expr) -> exp.Expr:
    return tree.transform(lambda node: node.this if isinstance(node, exp.Least | exp.Greatest) else node)


def by_dense_code(tree: exp.Expr) -> exp.Expr:
    def other(node: exp.Expr) -> exp.Expr:
        return exp.column("u0") if isinstance(node, exp.Column) and node.name == "p" else node

    return tree.transform(other)


@pytest.mark.parametrize(
    ("broken", "claims"),
    [
        (lambda tree: tree, set()),
        (without_cap, {"sum l2", "rows l1", "units l2", "values l2"}),
        (without_clamp, {"sum linf", "rows linf", "values linf"}),
        (by_dense_code, {"sum l2", "rows l2", "units l2", "values l2"}),
    ],
)
def test_sql_without_one_of_its_bounds_is_found_out(broken: Any, claims: set[str]) -> None:
    """The last: were cells chosen by the dense code, a unit's absence would change which cells others keep."""
    query = check_sql(TEXT, LIMITS)
    sql = broken(sqlglot.parse_one(generate_private(query, LIMITS), read="duckdb")).sql(
        "duckdb", identify=True
    )
    extract = crowd(40)
    first = min(range(40), key=pseudonym)
    found = set(exceeded(sql, tables(extract), tables(without(extract, first)), query, LIMITS))
    assert found >= claims
    assert bool(found) == bool(claims)


def test_the_bounded_statistics_are_those_computed_by_hand() -> None:
    rng = np.random.default_rng(4)
    rows = [
        {
            "unit": int(u), "year": int(rng.choice([2023, 2024])), "district": DISTRICTS[u % 3], "secured": True,
            "amount": None if rng.random() < 0.2 else Decimal(int(rng.integers(-30000, 80000))).scaleb(-2),
            "note": "x" if rng.random() < 0.5 else None, "branch": "a",
        }
        for u in rng.integers(0, 40, 300)
    ]  # fmt: skip
    query = check_sql(
        "select district, year, sum(amount), count(distinct enterprise), count(*), count(amount) from loans group by 1, 2",
        LIMITS,
    )
    found = bounded(generate_private(query, LIMITS), tables({"loans": rows}), query, LIMITS)
    expected: dict[str, dict[tuple[str, str], int]] = {
        kind: {} for kind in ("rows", "sum", "units", "values")
    }
    for unit in range(40):
        for year in (2023, 2024):
            own = [r for r in rows if r["unit"] == unit and r["year"] == year]
            if not own:
                continue
            cell = (own[0]["district"], str(year))
            amounts = [r["amount"] for r in own if r["amount"] is not None]
            total = min(max(sum(amounts), -100), 1000)
            for kind, value in {
                "rows": min(2, len(own)),
                "sum": int(total * 100),
                "units": 1,
                "values": min(2, len(amounts)),
            }.items():
                expected[kind][cell] = expected[kind].get(cell, 0) + value
    cells = [(d, y) for d in DISTRICTS for y in ("2023", "2024", "2025")]
    for mechanism, vector in zip(mechanisms_of(query, LIMITS), found, strict=True):
        assert vector.tolist() == [expected[mechanism.statistic.kind].get(c, 0) for c in cells]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("select count(*) from loans", 1),
        ("select district, count(*) from loans group by 1", 1),
        ("select secured, count(*) from loans group by 1", 2),
        ("select district, year, opened, count(*) from loans group by 1, 2, 3", 3),
        ("select sector, district, sum(kwh) from loans join power on enterprise = firm group by 1, 2", 1),
        ("select zone, count(*) from loans join stations on branch = code group by 1", 2),
        ("select hour, avg(pm25) from air group by 1", 1),
        ("select zone, avg(pm25) from air join stations on station = code group by 1", 2),
    ],
)
def test_a_cap_is_set_only_where_one_unit_can_reach_more_cells(text: str, groups: int) -> None:
    query = check_sql(text, PRIVATE)
    assert groups_of(query, PRIVATE) == groups
    assert ("QUALIFY" in generate_private(query, PRIVATE)) == ("opened" in text)


def test_a_level_claimed_by_a_dataset_without_units_says_nothing_of_those_it_is_joined_to() -> None:
    claimed = []
    for dataset in PRIVATE.datasets:
        columns = tuple(replace(c, level=Level.UNIT) if c.name == "zone" else c for c in dataset.columns)
        claimed.append(replace(dataset, columns=columns))
    terms = replace(PRIVATE, datasets=tuple(claimed))
    query = check_sql("select zone, count(*) from loans join stations on branch = code group by 1", terms)
    assert groups_of(query, terms) == 2


def test_a_level_that_an_extract_does_not_keep_would_break_the_bound() -> None:
    """Why an extract is built only after a look at each unit: without a cap nothing else holds its cells together."""
    query = check_sql("select district, sum(amount), count(*) from loans group by 1", LIMITS)
    rows = [
        {"unit": 0, "district": d, "year": 2024, "secured": True, "amount": Decimal(10**6)} for d in DISTRICTS
    ]
    broken = exceeded(
        generate_private(query, LIMITS), tables({"loans": rows}), tables({"loans": []}), query, LIMITS
    )
    assert {"sum l2", "rows l1"} <= set(broken)


def test_a_row_of_a_dataset_without_unit_is_bounded_through_a_join_that_repeats_it() -> None:
    query = check_sql(
        "select zone, sum(pm25), count(pm25) from air join stations on station = code group by 1", LIMITS
    )
    rows = [{"_row": i, "_record_key": pseudonym(i), "station": "a", "pm25": Decimal(400)} for i in range(5)]
    stations = [{"_row": i, "code": "a", "zone": "north" if i % 2 else "south"} for i in range(8)]

    def extract(readings: list[dict[str, Any]]) -> dict[str, pa.Table]:
        return {
            "air": pa.Table.from_pylist(readings, AIR),
            "stations": pa.Table.from_pylist(stations, STATIONS),
        }

    fewer = [{**r, "_row": i} for i, r in enumerate(rows[1:])]
    sql = generate_private(query, LIMITS)
    assert exceeded(sql, extract(rows), extract(fewer), query, LIMITS) == []


@pytest.mark.parametrize(
    ("text", "terms", "code"),
    [
        ("select sum(height) from stations", PRIVATE, "private.bounds"),
        (
            "select zone, count(*) from air join stations on station = code group by 1",
            PRIVATE,
            "private.join",
        ),
        (
            "select zone, sum(height) from air join stations on station = code group by 1",
            PRIVATE,
            "private.join",
        ),
        ("select count(*) from loans", replace(PRIVATE, privacy=None), "private.lane"),
    ],
)
def test_what_cannot_be_bounded_is_refused(text: str, terms: Terms, code: str) -> None:
    with pytest.raises(Refused) as refused:
        generate_private(check_sql(text, terms), terms)
    assert refused.value.code == code
