"""A contract that shows empty cells as zeros: withheld ones are not taken for empty, nor people without a value."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from sandbox.disclosure import protect
from sandbox.guard import check_sql
from tests.unit.guard_terms import with_limits
from tests.unit.test_disclosure_protect import even, protected, raw_of

ZEROS = with_limits(show_zeros=1)


def test_with_show_zeros_an_empty_cell_is_zero_and_its_average_nothing() -> None:
    text = "select district, count(*), count(distinct enterprise) as firms, sum(amount), avg(amount) from loans group by 1"
    result = protected(text, {("历下",): even(50), ("市中",): even(60)}, ZEROS)
    empty = result.table.to_pylist()[2]
    assert empty == {
        "district": "槐荫", "count_rows": 0, "firms": 0, "sum_amount": Decimal("0.00"), "avg_amount": None
    }  # fmt: skip
    assert result.summary["empty_cells"] == "zero"
    assert result.summary["not_shown"] == 2, "two averages of nothing"
    hidden = protected(text, {("历下",): even(50), ("市中",): even(60)})
    assert hidden.table["count_rows"].to_pylist() == [50, 60, None, None]
    assert hidden.summary["empty_cells"] == "not_shown"


def test_with_show_zeros_a_withheld_cell_is_not_taken_for_zero() -> None:
    text = "select district, count(*), sum(amount) from loans group by 1"
    cells = {("历下",): even(50), ("市中",): even(3), ("槐荫",): [0] * 50}
    result = protected(text, cells, ZEROS)
    rows = {(r["cell"][0], r["measure"]): r["outcome"] for r in result.evidence.to_pylist()}
    for row in result.table.to_pylist():
        for label, measure in (("count_rows", "count_rows"), ("sum_amount", "sum(loans.amount)")):
            outcome = rows[row["district"], measure]
            assert (row[label] == 0) == (outcome == "empty")
            assert (row[label] is None) == (outcome == "withheld")
    assert result.table["sum_amount"][2].as_py() is None, "fifty who all have 0 are not an empty cell"


def test_with_show_zeros_totals_of_zeros_beside_withheld_cells_are_not_zero() -> None:
    text = "select district, year, count(*) from loans group by 1, 2 with totals"
    result = protected(text, {("历下", "2023"): even(4), ("市中", "2023"): even(50)}, ZEROS)
    assert result.totals is not None
    totals = {(r["district"], r["year"]): r["count_rows"] for r in result.totals.to_pylist()}
    assert totals["历下", None] is None
    assert totals["槐荫", None] == 0
    assert totals[None, "2024"] == 0


def test_with_show_zeros_people_without_a_value_are_not_told_by_a_zero() -> None:
    query = check_sql("select district, sum(amount), count(amount) as filled from loans group by 1", ZEROS)
    raw = raw_of(query, ZEROS, {("历下",): even(50), ("市中",): even(2)})
    nobody = {"m0_k": 0, "m0_n": 0, "m0_sum": None, "m0_abs": None, "m0_top": None}
    rows = [row if row["d0"] == "历下" else {**row, **nobody} for row in raw.to_pylist()]
    table = protect(pa.Table.from_pylist(rows, schema=raw.schema), query, ZEROS).table
    assert table["sum_amount"].to_pylist()[1:] == [None, Decimal("0.00"), Decimal("0.00")]
    assert table["filled"].to_pylist()[1:] == [None, 0, 0]


def test_with_show_zeros_a_question_that_nobody_answers_gives_zero() -> None:
    text = "select count(*), sum(amount) from loans"
    assert protected(text, {(): []}, ZEROS).table.to_pylist() == [
        {"count_rows": 0, "sum_amount": Decimal("0.00")}
    ]
