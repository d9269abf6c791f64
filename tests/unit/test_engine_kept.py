"""A kept table gives the raw table of the plain plan: always, and to the last digit."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy.terms import ColumnTerm, DatasetTerm, Lane, Level, Terms
from sandbox.engines import (
    Facts,
    generate,
    generate_from_kept,
    layout_of,
    outline_from_kept,
    overlap,
    raw_schema,
)
from sandbox.engines.layout import Layout
from sandbox.guard import AggregateQuery, check_sql
from sandbox.guard.lanes import lane_of
from sandbox.kept import build as building
from sandbox.kept.build import Stopped, build
from sandbox.kept.first_level import NotKept
from tests.unit.guard_terms import DISTRICTS, LOANS, OPEN
from tests.unit.private_terms import private, with_privacy

TYPES = {
    "_unit": pa.int32(), "enterprise": pa.uint64(), "district": pa.string(), "year": pa.int64(), "opened": pa.date32(),
    "secured": pa.bool_(), "rate": pa.decimal128(18, 2), "amount": pa.decimal128(18, 2), "staff": pa.int64(),
    "note": pa.string(), "branch": pa.string(), "_record_key": pa.uint64(),
}  # fmt: skip
MIX = 0x9E3779B97F4A7C15

rows = st.tuples(
    st.integers(0, 6),  # unit
    st.sampled_from([None, *DISTRICTS, "undeclared", ""]),
    st.sampled_from([None, 2022, 2023, 2024, 2025]),
    st.sampled_from([None, date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, Decimal("3.50"), Decimal("4.25"), Decimal("-1.00"), Decimal("9.00")]),
    st.none() | st.decimals(-(10**9), 10**9, places=2),
    st.none() | st.integers(-(10**6), 10**6),
    st.sampled_from([None, "x"]),
)
FILTERS = [
    "year = 2024", "year in (2023, 2025)", "secured = true", "district in ('历下', '市中')", "rate in (3.5, -1)",
    "opened = '2024-01-01'", "district = '天桥'",
]  # fmt: skip
MEASURES = [
    "count(*)",
    "count(distinct enterprise)",
    "sum(amount)",
    "sum(staff)",
    "count(note)",
    "count(amount)",
]
questions = st.tuples(
    st.lists(st.sampled_from(["district", "year", "secured", "rate", "opened"]), max_size=3, unique=True),
    st.lists(st.sampled_from(MEASURES), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(FILTERS), max_size=3, unique_by=lambda text: text.split()[0]),
)


def extract(given: list[tuple], path: Path) -> Path:
    given = sorted(given, key=lambda row: row[0])
    columns = dict(zip(list(TYPES)[2:10], zip(*(row[1:] for row in given), strict=True), strict=True))
    unit = [row[0] for row in given]
    columns |= {"_unit": unit, "enterprise": [u * MIX % 2**64 for u in unit], "branch": ["a"] * len(unit)}
    columns |= {"_record_key": [(i + 1) * MIX % 2**64 for i in range(len(unit))]}
    table = pa.table({name: pa.array(list(columns[name]), kind) for name, kind in TYPES.items()})
    pq.write_table(table, path, row_group_size=7)
    return path


def kept(layout: Layout, source: Path) -> tuple[Path, Facts]:
    target = source.parent / "kept.parquet"
    descriptor = os.open(source, os.O_RDONLY)
    try:
        return target, build(layout, descriptor, target, threads=1, keep_going=lambda: True)
    finally:
        os.close(descriptor)


def answer(sql: str, table: str, path: Path) -> pa.Table:
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.read_parquet(str(path)).create_view(table)
        found = engine.sql(sql).to_arrow_table()
    keys = [(name, "ascending") for name in found.column_names if name == "summed" or name.startswith("d")]
    return found.sort_by(keys) if keys else found


def same(query: AggregateQuery, terms: Terms, source: Path) -> Facts:
    """Both plans' raw tables are equal, and their outlines; what was seen while the table was built."""
    layout = layout_of(query, terms, "0" * 64)
    assert layout is not None
    table, facts = kept(layout, source)
    plain = answer(generate(query, terms), query.sources[0], source)
    assert plain.schema.equals(raw_schema(query, terms))
    found = answer(generate_from_kept(query, terms, layout, facts), query.sources[0], table)
    assert found.schema.equals(plain.schema)
    assert found.to_pylist() == plain.to_pylist()
    if lane_of(query, terms) is Lane.TABLE:
        outline = answer(overlap.outline(query, terms), query.sources[0], source)
        assert outline.schema.equals(overlap.outline_schema(query))
        found = answer(outline_from_kept(query, terms, layout, facts), query.sources[0], table)
        assert found.schema.equals(outline.schema)
        assert found.to_pylist() == outline.to_pylist()
    return facts


@settings(max_examples=120, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), questions, st.integers(1, 9), st.integers(1, 3))
def test_both_plans_give_the_same_raw_table_and_outline(given, question, batch, largest) -> None:
    terms = replace(OPEN, disclosure=replace(OPEN.disclosure, dominance_n=largest))
    in_batches(text_of(*question), terms, given, batch)


@settings(max_examples=120, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), questions, st.integers(1, 9), st.integers(1, 4))
def test_both_plans_bound_a_contributor_alike(given, question, batch, groups) -> None:
    terms = with_privacy(max_groups=groups, max_rows=2)
    in_batches(text_of(*question), terms, given, batch)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), questions)
def test_both_outlines_are_the_same_where_districts_are_declared_constant(given, question) -> None:
    """The plain plan relies on what the contract says, the other on what was seen."""
    given = [(row[0], DISTRICTS[row[0] % 3], *row[2:]) for row in given]
    columns = tuple(replace(c, level=Level.UNIT) if c.name == "district" else c for c in LOANS.columns)
    terms = replace(OPEN, datasets=(replace(LOANS, columns=columns),), joins=())
    in_batches(text_of(*question), terms, given, 100)


def text_of(dimensions: list[str], measures: list[str], filters: list[str]) -> str:
    text = f"select {', '.join(dimensions + measures)} from loans"
    text += f" where {' and '.join(filters)}" if filters else ""
    return text + (f" group by {', '.join(dimensions)}" if dimensions else "")


def in_batches(text: str, terms: Terms, given: list[tuple], batch: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "BATCH_ROWS", batch)
        same(check_sql(text, terms), terms, extract(given, Path(folder) / "loans.parquet"))


def test_a_kept_rank_is_used_where_the_filters_leave_it_as_it_is_and_taken_anew_elsewhere(
    tmp_path: Path,
) -> None:
    """Each unit in one district and all years, at two rates; one cell of each counts."""
    terms = with_privacy(max_groups=1, max_rows=2)
    given = [
        (unit, DISTRICTS[unit % 3], year, None, None, Decimal(rate), Decimal(unit), unit, "x")
        for unit in range(30) for year in (2023, 2024, 2025) for rate in ("3.50", "-1.00")
    ]  # fmt: skip
    source = extract(given, tmp_path / "loans.parquet")
    for filters, anew in {
        "": False,
        "where rate = 3.5": False,
        "where rate = 3.5 and district in ('历下', '市中')": False,
        "where rate in (3.5, -1)": True,
        "where year in (2023, 2024)": True,
    }.items():
        query = check_sql(f"select year, count(*), sum(amount) from loans {filters} group by 1", terms)
        same(query, terms, source)
        layout = layout_of(query, terms, "0" * 64)
        sql = generate_from_kept(query, terms, layout, kept(layout, source)[1])
        assert ('"g" <= 1' in sql, "QUALIFY" in sql) == (not anew, anew), filters


def test_more_groups_than_a_rank_counts_are_ranked_anew(tmp_path: Path) -> None:
    years = tuple(str(year) for year in range(600))
    columns = tuple(replace(c, domain=years) if c.name == "year" else c for c in private(LOANS).columns)
    terms = replace(with_privacy(max_groups=300, max_rows=2), joins=())
    terms = replace(terms, datasets=(replace(private(LOANS), columns=columns),))
    given = [(n // 400, "历下", n % 400, None, None, None, Decimal(n), 1, "x") for n in range(800)]
    query = check_sql("select year, sum(amount), count(*) from loans group by 1", terms)
    same(query, terms, extract(given, tmp_path / "loans.parquet"))


def test_a_unit_in_several_cells_that_a_filter_joins_is_one_contributor(tmp_path: Path) -> None:
    given = [
        (unit, "历下", year, None, True, None, Decimal(year), 1, "x")
        for unit in (0, 1)
        for year in (2023, 2025)
    ]
    query = check_sql("select district, sum(amount) from loans where year in (2023, 2025) group by 1", OPEN)
    facts = same(query, OPEN, extract(given, tmp_path / "loans.parquet"))
    assert facts == Facts(frozenset({"district"}), frozenset({"amount"}))


def test_where_dimensions_are_constant_the_table_has_one_row_for_each_unit(tmp_path: Path) -> None:
    given = [(n // 5, DISTRICTS[n // 5 % 4], 2024, None, None, None, Decimal(n), 1, "x") for n in range(100)]
    query = check_sql("select district, sum(amount) from loans where year in (2023, 2024) group by 1", OPEN)
    source = extract(given, tmp_path / "loans.parquet")
    assert same(query, OPEN, source).constant == {"district", "year"}
    assert pq.read_metadata(tmp_path / "kept.parquet").num_rows == 20


def test_rows_without_a_privacy_unit_are_each_their_own_contributor(tmp_path: Path) -> None:
    table = pa.table(
        {
            "_row": pa.array(range(300), pa.int64()),
            "_record_key": pa.array([(n + 1) * MIX % 2**64 for n in range(300)], pa.uint64()),
            "station": ["a", "b", "c"] * 100,
            "hour": ["00", "12", "06", None] * 75,
            "pm25": pa.array(
                [None if n % 7 == 0 else Decimal(n - 150).scaleb(-1) for n in range(300)],
                pa.decimal128(18, 1),
            ),
        }
    )
    pq.write_table(table, tmp_path / "air.parquet")
    for text in (
        "select hour, avg(pm25) from air group by 1",
        "select count(*), sum(pm25) from air where hour = '12'",
    ):
        same(check_sql(text, OPEN), OPEN, tmp_path / "air.parquet")
        terms = with_privacy(max_groups=1, max_rows=2)
        same(check_sql(text, terms), terms, tmp_path / "air.parquet")


def test_numbers_too_wide_and_rows_out_of_order_are_left_to_the_plain_plan(tmp_path: Path) -> None:
    query = check_sql("select sum(amount) from loans", OPEN)
    wide = [(0, "历下", 2024, None, None, None, Decimal("9999999999999999.99"), 1, "x")] * 3
    with pytest.raises(NotKept):
        same(query, OPEN, extract(wide, tmp_path / "wide.parquet"))
    table = pq.read_table(extract([(n, *wide[0][1:]) for n in (0, 1)], tmp_path / "loans.parquet"))
    pq.write_table(table.take([1, 0]), tmp_path / "loans.parquet")
    with pytest.raises(NotKept):
        same(query, OPEN, tmp_path / "loans.parquet")


def test_columns_may_be_called_as_those_of_a_kept_table(tmp_path: Path) -> None:
    names = {
        "district": "x0",
        "year": "cell",
        "amount": "u",
        "staff": "m0",
        "note": "n",
        "secured": "d0",
        "enterprise": "p",
    }
    columns = tuple(replace(c, name=names.get(c.name, c.name)) for c in LOANS.columns)
    terms = replace(OPEN, datasets=(replace(LOANS, columns=columns),), joins=())
    given = [
        (n // 4, DISTRICTS[n % 3], 2022 + n % 4, None, n % 2 == 0, None, Decimal(n - 20), n, None)
        for n in range(60)
    ]
    table = pq.read_table(extract(given, tmp_path / "loans.parquet"))
    pq.write_table(
        table.rename_columns([names.get(c, c) for c in table.column_names]), tmp_path / "loans.parquet"
    )
    text = (
        "select x0, sum(u), sum(m0), count(n) from loans where cell in (2023, 2025) and d0 = true group by x0"
    )
    same(check_sql(text, terms), terms, tmp_path / "loans.parquet")


def test_a_declared_value_with_more_digits_than_its_column_is_left_to_the_plain_plan() -> None:
    columns = tuple(replace(c, domain=("3.501", "4.25")) if c.name == "rate" else c for c in LOANS.columns)
    terms = replace(OPEN, datasets=(replace(LOANS, columns=columns),), joins=())
    assert layout_of(check_sql("select rate, count(*) from loans group by 1", terms), terms, "0" * 64) is None


def test_joins_and_too_many_cells_have_no_layout() -> None:
    join = "select sector, sum(kwh) from power join loans on firm = enterprise group by 1"
    assert layout_of(check_sql(join, OPEN), OPEN, "0" * 64) is None
    wide = tuple(ColumnTerm(c.name, c.type, c.role, tuple(map(str, range(2**15)))) if c.name in {"year", "district"} else c
                 for c in LOANS.columns)  # fmt: skip
    terms = replace(OPEN, datasets=(replace(LOANS, columns=wide),), joins=())
    assert (
        layout_of(check_sql("select count(*) from loans where year = 3", terms), terms, "0" * 64) is not None
    )
    both = check_sql("select count(*) from loans where year = 3 and district = '4'", terms)
    assert layout_of(both, terms, "0" * 64) is None


def test_the_key_is_over_all_that_decides_the_table() -> None:
    def key(text: str, terms: Terms = OPEN, extract: str = "0" * 64) -> str:
        layout = layout_of(check_sql(text, terms), terms, extract)
        assert layout is not None
        return layout.key

    base = "select year, sum(amount) from loans where district = '历下' group by 1"
    assert key(base) == key("select district, avg(amount), count(*) from loans where year = 2024 group by 1")
    narrower = replace(
        LOANS,
        columns=tuple(replace(c, domain=c.domain[1:]) if c.name == "year" else c for c in LOANS.columns),
    )
    ranked = with_privacy()
    others = [
        key(base, extract="1" * 64), key("select year, sum(amount) from loans group by 1"),
        key(base.replace("amount", "staff")), key(base, replace(OPEN, datasets=(narrower,), joins=())),
        key(base, ranked), key(base.replace("year", "rate").replace("group by 1", "and year = 2024 group by 1"), ranked),
        key("select year, rate, sum(amount) from loans where district = '历下' group by 1, 2", ranked),
    ]  # fmt: skip
    assert len({key(base), *others}) == 8


def in_lane(dataset: DatasetTerm, lane: Lane) -> Terms:
    return replace(OPEN, datasets=(replace(dataset, lane=lane),), joins=())


def test_what_other_lanes_need(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    given = [(int(u), DISTRICTS[d], 2024, None, None, None, None, 1, "x")
             for u, d in zip(rng.integers(0, 50, 600), rng.integers(0, 4, 600), strict=True)]  # fmt: skip
    source = extract(given, tmp_path / "loans.parquet")
    text = "select district, count(*) from loans group by 1"
    terms = in_lane(LOANS, Lane.PERTURBED)
    table, _facts = kept(layout_of(check_sql(text, terms), terms, "0" * 64), source)
    cells = "select d0, u, p, r from kept order by all"
    places = ", ".join(f"'{d}'" for d in DISTRICTS)
    plain = f"""select list_position([{places}], district) - 1, _unit, enterprise, sum(_record_key % 256) % 256
        from loans group by all order by all"""
    assert answer(cells, "kept", table).to_pydict().values() != []
    assert [tuple(r.values()) for r in answer(cells, "kept", table).to_pylist()] == [
        tuple(r.values()) for r in answer(plain, "loans", source).to_pylist()
    ]
    terms = in_lane(LOANS, Lane.PRIVATE)
    table, _facts = kept(layout_of(check_sql(text, terms), terms, "0" * 64), source)
    order = "hash(hash(enterprise, code)) >> 48, code"
    ranked = f"""select _unit u, code d0, row_number() over (partition by _unit order by {order}) g
        from (select distinct _unit, enterprise, (list_position([{places}], district) - 1)::ubigint code from loans)
        order by all"""
    found = answer("select u, d0, g from kept order by all", "kept", table).to_pylist()
    assert found == answer(ranked, "loans", source).to_pylist()
    assert {row["g"] for row in found} == {1, 2, 3, 4}


def test_a_build_that_is_stopped_leaves_no_spilled_data(tmp_path: Path) -> None:
    source = extract([(0, "历下", 2024, None, None, None, None, 1, "x")], tmp_path / "loans.parquet")
    layout = layout_of(check_sql("select count(*) from loans", OPEN), OPEN, "0" * 64)
    descriptor = os.open(source, os.O_RDONLY)
    with pytest.raises(Stopped):
        build(layout, descriptor, tmp_path / "kept.parquet", threads=1, keep_going=lambda: False)
    os.close(descriptor)
    assert list((tmp_path / "tmp").iterdir()) == []
