"""The cell keys of generated SQL: those of the record keys, from nothing else, independent of one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm
from sandbox.engines import generate
from sandbox.engines.cell_keys import multiplier
from sandbox.guard import check_sql
from sandbox.guard.query import ColumnRef
from tests.unit.guard_terms import DISTRICTS, TERMS, YEARS
from tests.unit.perturbed_lane import PERTURBED, PERTURBED_OPEN, frames, keyed, perturbed, raw
from tests.unit.test_engine_generated_sql import HIDDEN, TEXTS, parts


def sum_keys(words: list[int], column: ColumnRef) -> int:
    a = multiplier(column, PERTURBED)
    return sum((word % 2**32 * a % 2**32) >> 24 for word in words) % 256


def row_key(keys: list[int]) -> int:
    return sum(keys) % 256


def test_a_cells_keys_are_the_sums_of_its_records_keys() -> None:
    data = frames(3000, 4)
    text = "select district, year, count(*), count(note), sum(amount), count(distinct enterprise) from loans group by 1, 2"
    loans = data["loans"]
    declared = loans[loans.district.isin(DISTRICTS) & loans.year.isin([2023, 2024, 2025])]
    groups = {(d, str(y)): part for (d, y), part in declared.groupby(["district", "year"])}
    rows = raw(text, data, PERTURBED).to_pylist()
    assert len(rows) == len(groups) == len(DISTRICTS) * len(YEARS)
    for row in rows:
        part = groups[row["d0"], row["d1"]]
        assert row["r"] == row_key(part["_record_key"].tolist())
        assert row["t"] == part["_unit"].value_counts().max()
        assert row["u"] == row_key(part["enterprise"].unique().tolist())
        valued = part[part["amount"].notna()]
        assert row["m0_r"] == row_key(valued["_record_key"].tolist())
        assert row["m0_t"] == valued["_unit"].value_counts().max()
        words = [key >> 8 for key in valued["_record_key"].tolist()]
        assert row["m0_q"] == sum_keys(words, ColumnRef("loans", "amount"))
        assert row["m1_r"] == row_key(part[part["note"].notna()]["_record_key"].tolist())
        assert "m1_q" not in row


def test_a_joined_row_has_the_keys_of_all_its_sources() -> None:
    data = frames(2000, 5)
    text = "select count(*), sum(kwh), count(distinct enterprise) from loans join power on enterprise = firm"
    (row,) = raw(text, data, PERTURBED).to_pylist()
    joined = data["loans"].merge(data["power"], left_on="enterprise", right_on="firm")
    left, right = joined["_record_key_x"].tolist(), joined["_record_key_y"].tolist()
    assert row["r"] == row_key(left + right)
    words = [(a >> 8) % 2**32 + (b >> 8) % 2**32 for a, b in zip(left, right, strict=True)]
    assert row["m0_q"] == sum_keys(words, ColumnRef("power", "kwh"))
    assert row["u"] == row_key(joined["enterprise"].unique().tolist())


def test_the_unit_key_is_the_same_whatever_rows_are_chosen_or_joined() -> None:
    data = frames(2000, 6)
    data["loans"] = data["loans"].assign(year=2024, secured=data["loans"].groupby("_unit").cumcount() == 0)
    text = "select count(distinct enterprise) from loans"
    found = {
        raw(text + end, data, PERTURBED)["u"][0].as_py()
        for end in ("", " where secured = true", " where year = 2024", " join power on enterprise = firm")
    }
    assert len(found) == 1


def test_keys_of_rows_and_of_each_sum_are_uniform_and_independent() -> None:
    """62,500 cells of one record: each pair of keys, by eighths, is as frequent as chance has it."""
    values = tuple(str(i) for i in range(250))
    grid = tuple(ColumnTerm(n, ColumnType.INTEGER, ColumnRole.DIMENSION, values) for n in ("a", "b"))
    loans = replace(PERTURBED.datasets[0], columns=(*PERTURBED.datasets[0].columns, *grid))
    limits = replace(PERTURBED.disclosure, max_cells=10**6)
    terms = replace(PERTURBED, datasets=(loans, *PERTURBED.datasets[1:]), disclosure=limits)
    cells = range(250**2)
    frame = pd.DataFrame({"_unit": cells, "a": [i // 250 for i in cells], "b": [i % 250 for i in cells]})
    units = np.random.default_rng(1).integers(0, 2**64, len(cells), dtype=np.uint64)
    frame = frame.assign(amount=1, staff=1, enterprise=units)
    text = "select a, b, sum(amount), sum(staff), count(distinct enterprise) from loans group by 1, 2"
    table = raw(text, {"loans": keyed(frame, 2)}, terms).to_pandas()
    keys = [table[name] for name in ("r", "u", "m0_q", "m1_q")]
    for i, first in enumerate(keys):
        assert np.abs(np.bincount(first, minlength=256) / len(cells) * 256 - 1).max() < 0.3
        for second in keys[:i]:
            pairs = np.bincount(first // 32 * 8 + second // 32, minlength=64) / len(cells) * 64
            assert np.abs(pairs - 1).max() < 0.15


@pytest.mark.parametrize("text", TEXTS)
def test_only_secret_keys_and_the_pseudonym_are_read_besides_what_the_contract_names(text: str) -> None:
    query = check_sql(text, PERTURBED)
    tree = sqlglot.parse_one(generate(query, PERTURBED), read="duckdb")
    for column in tree.find_all(exp.Column):
        if column.table:
            dataset = TERMS.dataset(column.table)
            assert dataset is not None
            assert column.name in {c.name for c in dataset.columns} | HIDDEN
    assert not list(tree.find_all(exp.Anonymous))


@pytest.mark.parametrize("text", TEXTS)
def test_other_lanes_never_read_a_record_key(text: str) -> None:
    assert "_record_key" not in generate(check_sql(text, TERMS), TERMS)


@settings(max_examples=30, deadline=None)
@given(parts, st.booleans())
def test_any_query_runs_in_the_perturbed_lane_and_returns_the_promised_schema(
    parts: tuple[list[str], list[str], list[str]], totals: bool
) -> None:
    dimensions, measures, filters = parts
    text = f"select {', '.join(dimensions + measures)} from loans"
    text += f" where {' and '.join(filters)}" if filters else ""
    text += f" group by {', '.join(dimensions)}" if dimensions else ""
    text += " with totals" if totals and dimensions else ""
    raw(text, frames(200, 5), PERTURBED_OPEN)


def test_multipliers_are_odd_distinct_and_the_same_in_every_contract() -> None:
    columns = [ColumnRef(d.name, c.name) for d in PERTURBED.datasets for c in d.columns]
    found = {multiplier(column, PERTURBED) for column in columns}
    assert len(found) == len(columns)
    assert all(a % 2 == 1 and a < 2**31 for a in found)
    renamed = replace(PERTURBED.datasets[0], name="l")
    other = perturbed(replace(TERMS, datasets=(renamed,)))
    assert multiplier(ColumnRef("l", "amount"), other) == multiplier(ColumnRef("loans", "amount"), PERTURBED)
