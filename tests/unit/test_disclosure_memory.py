"""P9: of two answers, no two numbers differ by the contributions of a few, and what is compared is all that is told."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Terms
from sandbox.disclosure import protect
from sandbox.disclosure.memory import Remembered, candidates
from sandbox.engines import generate, overlap
from sandbox.engines.overlap import EARLIER, outline_schema
from sandbox.guard import bare, check_sql
from sandbox.guard.query import AggregateQuery, ColumnRef
from tests.unit.guard_terms import TERMS

TOWNS, MONTHS, BANDS = ("e", "w"), ("01", "02", "03"), ("low", "high")
K = 3
FIRMS = DatasetTerm(
    "d-firms",
    "firms",
    (
        ColumnTerm("firm", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("town", ColumnType.TEXT, ColumnRole.DIMENSION, TOWNS),
        ColumnTerm("month", ColumnType.TEXT, ColumnRole.DIMENSION, MONTHS),
        ColumnTerm("band", ColumnType.TEXT, ColumnRole.DIMENSION, BANDS),
        ColumnTerm("tax", ColumnType.INTEGER, ColumnRole.MEASURE, (), tuple(Aggregate)[2:]),
    ),
)
LIMITS = replace(
    TERMS.disclosure, min_contributors=K, complement_contributors=1, dominance_percent=100, p_percent=0
)
GUARDED: Terms = replace(TERMS, datasets=(FIRMS,), joins=(), disclosure=LIMITS)

records = st.tuples(
    st.integers(0, 11),
    st.sampled_from([*TOWNS, None]),
    st.sampled_from([*MONTHS, None, "13"]),
    st.sampled_from(BANDS),
    st.sampled_from([None, 0, 1, 2, 100]),
)
tables = st.lists(records, min_size=1, max_size=60)


@st.composite
def questions(draw: st.DrawFn) -> AggregateQuery:
    grouped = draw(st.lists(st.sampled_from(["town", "month", "band"]), unique=True, max_size=2))
    measures = draw(
        st.lists(
            st.sampled_from(["count(*)", "sum(tax)", "count(distinct firm)", "avg(tax)"]),
            min_size=1,
            unique=True,
        )
    )
    filters = []
    for name, domain in (("town", TOWNS), ("month", MONTHS), ("band", BANDS)):
        if draw(st.booleans()):
            values = draw(st.lists(st.sampled_from(domain), min_size=1, unique=True))
            filters.append(f"{name} in ({', '.join(repr(v) for v in values)})")
    text = f"select {', '.join([*grouped, *measures])} from firms"
    text += f" where {' and '.join(filters)}" if filters else ""
    text += f" group by {', '.join(grouped)}" if grouped else ""
    return bare(check_sql(text, GUARDED), GUARDED)


def frame(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    data = pd.DataFrame(rows, columns=["firm", "town", "month", "band", "tax"])
    data["tax"] = data["tax"].astype("Int64")
    # Dense codes differ from version to version, as in an extract; the pseudonym stays.
    data["_unit"] = data["firm"].rank(method="dense").astype("int32")
    data["firm"] = data["firm"].astype("uint64")
    return data


def remember(query: AggregateQuery, data: pd.DataFrame) -> Remembered:
    with duckdb.connect() as engine:
        engine.register("firms", pa.Table.from_pandas(data, preserve_index=False))
        raw = engine.sql(generate(query, GUARDED)).to_arrow_table()
        outline = engine.sql(overlap.outline(query, GUARDED)).to_arrow_table()
    assert outline.schema.equals(outline_schema(query))
    return Remembered(query, GUARDED, protect(raw, query, GUARDED).table, outline)


def close_pairs(
    new: Remembered, now: pd.DataFrame, old: Remembered, then: pd.DataFrame
) -> set[tuple[object, ...]]:
    """By the product's own way: candidates, then exact differences in the engine."""
    pairs = candidates(new, old)
    if not pairs:
        return set()
    with duckdb.connect() as engine:
        engine.register("firms", pa.Table.from_pandas(now, preserve_index=False))
        engine.register(f"{EARLIER}firms", pa.Table.from_pandas(then, preserve_index=False))
        sql = overlap.differences(new.query, new.terms, old.query, old.terms, pairs)
        units = {row["pair"]: row["units"] for row in engine.sql(sql).to_arrow_table().to_pylist()}
    return {
        (pair.new.at, pair.old.at, pair.measured.column if pair.measured else "")
        for i, pair in enumerate(pairs)
        if 0 < units[i] < K
    }


def numbers(
    memory: Remembered, data: pd.DataFrame, measured: str
) -> dict[tuple[str | None, ...], dict[int, object]]:
    """Cell or total that is told → contributor → contribution, worked out row by row."""
    query = memory.query
    kept = data
    for f in query.filters:
        kept = kept[kept[f.column.column].isin(f.values)]
    names = [d.column.column for d in query.dimensions]
    filled = not measured and has_values(kept, names)
    labels = [
        m.label
        for m in query.measures
        if (m.column.column if m.column else "") == measured or (filled and m.aggregate is Aggregate.COUNT)
    ]
    told = {}
    for row in memory.answer.to_pylist():
        cell = tuple(row[f"firms.{name}"] for name in names)
        told[cell] = any(row[label] is not None for label in labels)
    leaves = {cell: of(kept, names, cell, measured) for cell in told}
    found = {cell: who for cell, who in leaves.items() if who and told[cell]}
    for summed in range(1, 2 ** len(names)):
        axes = [i for i in range(len(names)) if not summed >> i & 1]
        for total in {tuple(c[i] if i in axes else None for i in range(len(names))) for c in told}:
            parts = [c for c in told if all(total[i] in (None, c[i]) for i in range(len(names)))]
            if all(told[c] or not leaves[c] for c in parts):
                declared = kept
                for name in names:
                    declared = declared[declared[name].isin(memory_domain(name))]
                if who := of(declared, names, total, measured):
                    found[total] = who
    return found


def has_values(data: pd.DataFrame, names: list[str]) -> bool:
    """Whether every contributor of every declared cell has a tax in it."""
    for name in names:
        data = data[data[name].isin(memory_domain(name))]
    return all(g["tax"].notna().any() for _, g in data.groupby([*names, "firm"]))


def memory_domain(name: str) -> tuple[str, ...]:
    column = FIRMS.column(name)
    assert column is not None
    return column.domain


def of(
    data: pd.DataFrame, names: list[str], cell: tuple[str | None, ...], measured: str
) -> dict[int, object]:
    for name, value in zip(names, cell, strict=True):
        if value is not None:
            data = data[data[name] == value]
    if measured:
        data = data[data[measured].notna()]
        return {firm: (len(g), int(g[measured].sum())) for firm, g in data.groupby("firm")}
    return {firm: len(g) for firm, g in data.groupby("firm")}


@settings(max_examples=120, deadline=None)
@given(questions(), questions(), tables, st.data())
def test_every_pair_of_numbers_that_differs_by_few_is_found_and_no_other(
    new: AggregateQuery, old: AggregateQuery, rows: list[tuple[object, ...]], data: st.DataObject
) -> None:
    changed = [row for row in rows if data.draw(st.integers(0, 9)) > 0] or rows
    then, now = frame(rows), frame(changed)
    one, two = remember(new, now), remember(old, then)
    expected = set()
    for measured in ("", "tax"):
        if ("firms", measured) not in one.measured & two.measured:
            continue
        mine, theirs = numbers(one, now, measured), numbers(two, then, measured)
        for (cell, who), (other, whose) in product(mine.items(), theirs.items()):
            differing = {firm for firm in who.keys() | whose.keys() if who.get(firm) != whose.get(firm)}
            if 0 < len(differing) < K:
                expected.add((cell, other, measured))
    assert close_pairs(one, now, two, then) == expected


def people(count: int) -> list[tuple[object, ...]]:
    return [(n, TOWNS[n % 2], MONTHS[n % 3], BANDS[n % 2], 10 + n) for n in range(count)]


@pytest.mark.parametrize(("gone", "close"), [(0, False), (1, True), (2, True), (3, False)])
def test_a_new_version_that_lacks_a_few_is_close(gone: int, close: bool) -> None:
    query = bare(check_sql("select count(*), sum(tax) from firms", GUARDED), GUARDED)
    then, now = frame(people(40)), frame(people(40)[gone:])
    assert bool(close_pairs(remember(query, now), now, remember(query, then), then)) is close


def test_a_changed_amount_of_one_person_is_close_for_the_sum_and_not_for_the_count() -> None:
    query = bare(check_sql("select count(*), sum(tax) from firms", GUARDED), GUARDED)
    rows = people(40)
    then, now = frame(rows), frame([(*rows[0][:4], 99), *rows[1:]])
    assert close_pairs(remember(query, now), now, remember(query, then), then) == {((), (), "tax")}


def test_the_total_of_a_table_is_compared_although_nobody_asked_for_it() -> None:
    """Two rows without a month: the count of all less the published months would tell them."""
    rows = [*people(40), (3, "e", None, "low", 7), (4, "e", None, "low", 8)]
    data = frame(rows)
    by_month = remember(
        bare(check_sql("select month, count(*), sum(tax) from firms group by 1", GUARDED), GUARDED), data
    )
    everyone = remember(bare(check_sql("select count(*), sum(tax) from firms", GUARDED), GUARDED), data)
    assert close_pairs(everyone, data, by_month, data) == {((), (None,), ""), ((), (None,), "tax")}


def test_numbers_of_different_measures_are_not_compared() -> None:
    then, now = frame(people(40)), frame(people(40)[1:])
    count = bare(check_sql("select count(*) from firms", GUARDED), GUARDED)
    total = bare(check_sql("select sum(tax) from firms", GUARDED), GUARDED)
    assert candidates(remember(count, now), remember(total, then)) == []


def test_a_count_of_a_column_that_is_never_empty_is_compared_with_counts_of_rows() -> None:
    then, now = frame(people(40)), frame(people(40)[1:])
    rows = bare(check_sql("select count(*) from firms", GUARDED), GUARDED)
    values = bare(check_sql("select count(tax) from firms", GUARDED), GUARDED)
    assert close_pairs(remember(values, now), now, remember(rows, then), then) == {((), (), "")}
    assert close_pairs(remember(rows, now), now, remember(values, then), then) == {((), (), "")}


def test_the_outline_has_no_personal_row() -> None:
    data = frame(people(40))
    query = bare(check_sql("select town, band, sum(tax) from firms group by 1, 2", GUARDED), GUARDED)
    memory = remember(query, data)
    assert memory.outline.num_rows <= (len(TOWNS) + 1) * (len(BANDS) + 1)
    assert set(memory.outline.column_names) == {"summed", "d0", "d1", "k", "f", "m0_k", "m0_f"}
    assert memory.measured == {("firms", "tax")}
    assert query.measured == (ColumnRef("firms", "tax"),)
