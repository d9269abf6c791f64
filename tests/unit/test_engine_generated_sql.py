"""Generated SQL touches what the contract names and nothing else, and returns what pandas returns."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from audit.refusals import Refused
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm
from sandbox.engines import generate, raw_schema
from sandbox.engines.literals import literal
from sandbox.guard import check_sql
from tests.unit.guard_terms import DISTRICTS, LOANS, OPEN, POWER, TERMS

HIDDEN = {"_unit", "_row", "_record_key"}
TEXTS = [
    "select count(*) from loans",
    "select sum(amount), count(distinct enterprise) from loans where year = 2024",
    "select district, avg(amount), count(note) from loans where secured = true group by 1",
    "select rate, opened, secured, count(*) from loans group by 1, 2, 3",
    "select sector, district, sum(kwh), sum(amount) from loans join power on enterprise = firm group by 1, 2",
    "select hour, avg(pm25), count(pm25) from air group by hour",
    "select zone, hour, avg(pm25) from air join stations on station = code group by 1, 2",
    "select zone, count(*) from air join stations on station = code group by 1",
    "select zone, sum(amount) from loans join stations on branch = code where year in (2023, 2025) group by 1",
]


@pytest.mark.parametrize("text", TEXTS)
def test_every_name_in_generated_sql_is_a_name_of_the_contract_or_our_own(text: str) -> None:
    query = check_sql(text, TERMS)
    tree = sqlglot.parse_one(generate(query, TERMS), read="duckdb")
    tables = {table.name for table in tree.find_all(exp.Table)}
    assert tables == {*query.sources, "_contributors"}
    allowed = {name: {c.name for c in TERMS.dataset(name).columns} | HIDDEN for name in query.sources}
    for column in tree.find_all(exp.Column):
        if column.table:
            assert column.name in allowed[column.table]
        else:
            assert column.name in {alias.alias for alias in tree.find_all(exp.Alias)}
    domains = {value for d in TERMS.datasets for c in d.columns for value in c.domain}
    numbers = {"0", "2"}
    for constant in tree.find_all(exp.Literal):
        if constant.find_ancestor(exp.Where):
            assert constant.name in domains | {"1", "1.0"}, "only declared values are compared"
        elif not constant.find_ancestor(exp.DataType):
            assert constant.name in numbers
    assert not list(tree.find_all(exp.Anonymous))


def test_values_of_the_contract_cannot_break_out_of_their_quotes() -> None:
    hostile = ("' OR 1=1 --", "\\", "\\'", "a''b", '"', "$$", "\n;", "历'下")
    column = ColumnTerm("x", ColumnType.TEXT, ColumnRole.DIMENSION, hostile)
    for value in hostile:
        sql = "SELECT " + literal(column, value).sql(dialect="duckdb")
        assert duckdb.sql(sql).fetchall() == [(value,)]


def test_a_value_outside_the_domain_is_never_written_into_sql() -> None:
    query = check_sql("select count(*) from loans where year = 2024", TERMS)
    forged = replace(query, filters=(replace(query.filters[0], values=("1999",)),))
    with pytest.raises(Refused):
        generate(forged, TERMS)


def test_an_engine_that_is_not_offered_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        generate(check_sql(TEXTS[0], TERMS), TERMS, dialect="mysql")
    assert refused.value.code == "engine.dialect"


def loans_frame(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.sort(rng.integers(0, max(1, rows // 4), rows)).astype("int32")
    null = rng.random(rows)
    return pd.DataFrame(
        {
            "_unit": unit,
            "enterprise": (unit.astype("uint64") * np.uint64(0x9E3779B97F4A7C15)),
            "district": np.where(null < 0.1, None, rng.choice([*DISTRICTS, "undeclared"], rows)),
            "year": rng.choice([2022, 2023, 2024, 2025], rows),
            "opened": rng.choice([date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)], rows),
            "secured": rng.choice([True, False], rows),
            "rate": [Decimal(str(v)).quantize(Decimal("0.01")) for v in rng.choice([3.5, 4.25, -1, 9], rows)],
            "amount": [
                None if n > 0.8 else Decimal(int(v)).scaleb(-2)
                for n, v in zip(null, rng.integers(-(10**7), 10**9, rows), strict=True)
            ],
            "staff": rng.integers(0, 500, rows),
            "note": np.where(null > 0.5, "x", None),
            "branch": rng.choice(["a", "b"], rows),
        }
    )


def power_frame(units: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.arange(units, dtype="int32")
    return pd.DataFrame(
        {
            "_unit": unit[::-1].copy(),
            "firm": (unit.astype("uint64") * np.uint64(0x9E3779B97F4A7C15)),
            "sector": rng.choice(["industry", "trade"], units),
            "year": rng.choice([2023, 2024], units),
            "kwh": rng.integers(0, 10**12, units),
        }
    )


def run(text: str, frames: dict[str, pd.DataFrame], folder: Path) -> pa.Table:
    with duckdb.connect() as engine:
        for name, frame in frames.items():
            path = folder / f"{name}.parquet"
            pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
            engine.read_parquet(str(path)).create_view(name)
        query = check_sql(text, OPEN)
        table = engine.sql(generate(query, OPEN)).to_arrow_table()
    assert table.schema.equals(raw_schema(query, OPEN))
    return table


def cells(table: pa.Table) -> dict[tuple[str, ...], dict[str, object]]:
    keys = [name for name in table.column_names if name.startswith("d")]
    return {tuple(row[k] for k in keys): row for row in table.to_pylist()}


@pytest.mark.parametrize("seed", range(3))
def test_grouped_sums_equal_those_of_pandas(seed: int, tmp_path: Path) -> None:
    frame = loans_frame(4000, seed)
    text = (
        "select district, year, sum(amount), count(note) from loans where opened = '2024-01-01' group by 1, 2"
    )
    found = cells(run(text, {"loans": frame}, tmp_path))
    kept = frame[
        (frame.opened == date(2024, 1, 1))
        & frame.district.isin(DISTRICTS)
        & frame.year.isin([2023, 2024, 2025])
    ]
    expected = dict(iter(kept.groupby(["district", "year"])))
    assert set(found) == {(district, str(year)) for district, year in expected}
    for (district, year), part in expected.items():
        row = found[district, str(year)]
        per_unit = part.dropna(subset="amount").groupby("_unit")["amount"].sum().astype(object)
        sizes = sorted((abs(v) for v in per_unit), reverse=True)
        assert (row["k"], row["n"]) == (part["_unit"].nunique(), len(part))
        assert (row["m0_k"], row["m0_n"]) == (len(per_unit), part["amount"].notna().sum())
        assert (row["m0_sum"] or 0, row["m0_abs"] or 0) == (sum(per_unit), sum(sizes))
        assert (row["m0_top"] or []) == sizes[:2]
        noted = part[part["note"].notna()]
        assert (row["m1_k"], row["m1_n"]) == (noted["_unit"].nunique(), len(noted))


def test_joined_rows_count_each_unit_once(tmp_path: Path) -> None:
    loans, power = loans_frame(3000, 7), power_frame(600, 8)
    text = (
        "select sector, count(*), sum(kwh), sum(amount) from power join loans on firm = enterprise "
        "and loans.year = power.year where secured = false group by sector"
    )
    found = cells(run(text, {"loans": loans, "power": power}, tmp_path))
    joined = loans[~loans.secured].merge(power, left_on=["enterprise", "year"], right_on=["firm", "year"])
    assert set(found) == {("industry",), ("trade",)}
    for sector, part in joined.groupby("sector"):
        row = found[(sector,)]
        assert (row["k"], row["n"]) == (part["enterprise"].nunique(), len(part))
        assert row["m1_sum"] == int(part["kwh"].sum())
        assert row["m0_sum"] == sum(part["amount"].dropna())
        top = part.groupby("enterprise")["kwh"].sum().nlargest(2)
        assert row["m1_top"] == [int(v) for v in top]


def test_dimensions_of_every_type_come_back_as_their_declared_values(tmp_path: Path) -> None:
    frame = loans_frame(3000, 3)
    table = run(
        "select rate, opened, secured, count(*) from loans group by 1, 2, 3", {"loans": frame}, tmp_path
    )
    kept = frame[frame.rate.isin([Decimal("3.5"), Decimal("4.25"), Decimal(-1)])]
    kept = kept[kept.opened != date(2024, 3, 1)]
    sizes = kept.groupby(["rate", "opened", "secured"]).size()
    found = {
        (Decimal(r["d0"]), date.fromisoformat(r["d1"]), r["d2"] == "true"): r["n"] for r in table.to_pylist()
    }
    assert found == sizes.to_dict()


def test_rows_without_a_privacy_unit_are_each_their_own_contributor(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    air = pd.DataFrame(
        {
            "_row": np.arange(300),
            "station": rng.choice(["a", "b", "c"], 300),
            "hour": rng.choice(["00", "12"], 300),
            "pm25": [Decimal(int(v)).scaleb(-1) for v in rng.integers(0, 999, 300)],
        }
    )
    stations = pd.DataFrame(
        {"_row": [0, 1, 2], "code": ["a", "b", "c"], "zone": ["north", "north", "south"], "height": [3, 4, 5]}
    )
    frames = {"air": air, "stations": stations}
    join = "from air join stations on station = code group by zone"
    counted = cells(run(f"select zone, count(*), avg(pm25) {join}", frames, tmp_path))
    assert counted[("south",)]["k"] == (air.station == "c").sum()
    heights = cells(run(f"select zone, sum(height) {join}", frames, tmp_path))
    assert heights[("north",)]["k"] == 2, "two stations, however many readings they are joined to"
    rows = cells(run(f"select zone, count(*) {join}", frames, tmp_path))
    assert rows[("north",)]["k"] == air.station.isin(["a", "b"]).sum()


def test_an_empty_selection_is_one_row_of_nobody(tmp_path: Path) -> None:
    frame = loans_frame(50, 1)
    frame = frame[frame.year != 2024]
    table = run("select count(*), sum(amount) from loans where year = 2024", {"loans": frame}, tmp_path)
    assert table.to_pylist() == [
        {"k": 0, "n": 0, "m0_k": 0, "m0_n": 0, "m0_sum": None, "m0_abs": None, "m0_top": None}
    ]


def test_sums_of_the_widest_numbers_stay_exact(tmp_path: Path) -> None:
    wide = Decimal("9999999999999999.99")
    frame = loans_frame(400, 2)
    frame["amount"] = [wide] * 400
    frame["staff"] = np.full(400, 2**63 - 1, dtype="int64")
    (row,) = run("select sum(amount), sum(staff) from loans", {"loans": frame}, tmp_path).to_pylist()
    assert (row["m0_sum"], row["m1_sum"]) == (400 * wide, 400 * (2**63 - 1))


parts = st.tuples(
    st.lists(st.sampled_from(["district", "year", "secured", "rate"]), max_size=3, unique=True),
    st.lists(
        st.sampled_from(
            ["count(*)", "count(distinct enterprise)", "sum(amount)", "avg(amount)", "count(note)"]
        ),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    st.lists(st.sampled_from(["year = 2024", "secured = true", "district in ('历下', '市中')"]), unique=True),
)


@settings(max_examples=40, deadline=None)
@given(parts)
def test_any_query_of_the_language_runs_and_returns_the_promised_schema(
    parts: tuple[list[str], list[str], list[str]],
) -> None:
    dimensions, measures, filters = parts
    text = f"select {', '.join(dimensions + measures)} from loans"
    text += f" where {' and '.join(filters)}" if filters else ""
    text += f" group by {', '.join(dimensions)}" if dimensions else ""
    query = check_sql(text, OPEN)
    with duckdb.connect() as engine:
        engine.register("loans", pa.Table.from_pandas(loans_frame(200, 5), preserve_index=False))
        table = engine.sql(generate(query, OPEN)).to_arrow_table()
    assert table.schema.equals(raw_schema(query, OPEN))


def test_datasets_are_as_the_tests_describe_them() -> None:
    assert {c.name for c in LOANS.columns} <= set(loans_frame(5, 0).columns)
    assert {c.name for c in POWER.columns} <= set(power_frame(5, 0).columns)
