"""`protect` in the perturbed lane: the same contributors the same answer, few contributors none at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from dataspace.portal.rules import rule_words
from sandbox.disclosure import protect
from sandbox.disclosure.cell_key.change import change
from sandbox.disclosure.cell_key.tables import BOUND
from sandbox.guard import check_sql
from tests.unit.guard_terms import DISTRICTS, TERMS, YEARS, with_limits
from tests.unit.perturbed_lane import PERTURBED, PERTURBED_OPEN, answer, arrow, frames, perturbed, raw
from tests.unit.test_disclosure_protect import stream

TEXT = (
    "select district, year, count(*), count(distinct enterprise) as firms, count(amount), sum(amount), avg(amount), "
    "sum(staff) from loans group by 1, 2"
)
EXACT = replace(PERTURBED, disclosure=replace(PERTURBED.disclosure, sum_digits=0))


def declared(data: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    loans = data["loans"]
    return data | {"loans": loans[loans.district.isin(DISTRICTS) & loans.year.isin([2023, 2024, 2025])]}


def test_the_same_contributors_give_the_same_bytes_whatever_the_question_was_called() -> None:
    data = declared(frames(3000, 1))
    data["loans"] = data["loans"].assign(secured=True)
    variants = [
        TEXT,
        TEXT.upper().replace("LOANS", "loans"),
        TEXT.replace("from loans", "from loans where secured = true"),
        TEXT.replace("from loans", "from loans where year in (2025, 2023, 2024) and secured in (true)"),
        TEXT.replace("from loans", "from loans where district in ('天桥', '槐荫', '市中', '历下')"),
    ]
    found = {tuple(stream(answer(text + " with totals", data))) for text in variants}
    assert len(found) == 1
    shuffled = data | {"loans": data["loans"].sample(frac=1, random_state=1)}
    assert stream(answer(TEXT + " with totals", shuffled)) == list(found.pop())


def test_averaging_200_variants_of_one_question_gains_nothing() -> None:
    data = arrow(frames(3000, 2))
    rng = np.random.default_rng(2)
    others = ["sum(amount)", "count(note)", "avg(amount)", "sum(staff)", "count(distinct enterprise)"]
    conditions = [
        "opened in ('2024-01-01', '2024-02-01')",
        "secured in (true, false)",
        "year in (2023, 2024, 2025)",
    ]
    answers: set[tuple[int, ...]] = set()
    for i in range(200):
        measures = [f"count(*) as n{i}", *rng.permutation(others)[: rng.integers(0, 5)]]
        chosen = rng.permutation(conditions)[: rng.integers(0, 4)]
        text = f"select district, {', '.join(rng.permutation(measures))} from loans"
        text += f" where {' and '.join(chosen)}" if len(chosen) else ""
        table = answer(f"{text} group by district order by district", data).table
        answers.add(tuple(table[f"n{i}"].to_pylist()))
    assert len(answers) == 1


def test_a_total_is_the_answer_to_the_question_that_asks_for_it_alone() -> None:
    data = declared(frames(3000, 3))
    result = answer(TEXT + " with totals", data)
    totals = result.totals.to_pylist()
    assert len(totals) == len(DISTRICTS) + len(YEARS) + 1
    measures = (
        "count(*), count(distinct enterprise) as firms, count(amount), sum(amount), avg(amount), sum(staff)"
    )
    for kept in ("district", "year", ""):
        text = f"select {kept}, {measures} from loans group by 1" if kept else f"select {measures} from loans"
        alone = answer(text, data).table.to_pylist()
        rest = {"district", "year"} - {kept}
        rows = [r for r in totals if all(r[n] is None for n in rest) and (not kept or r[kept] is not None)]
        assert [{n: v for n, v in r.items() if n not in rest} for r in rows] == alone
    assert sum(r["count_rows"] for r in result.table.to_pylist()) != totals[-1]["count_rows"]
    why = [row for row in result.evidence.to_pylist() if None in row["cell"]]
    assert len(why) == len(totals) * 5, "an average is its sum and its count"
    assert why[-1]["rows"] == data["loans"]["staff"].notna().sum()


def test_totals_of_nobody_are_there_and_empty() -> None:
    data = frames(300, 3)
    data["loans"] = data["loans"].assign(district=None)
    result = answer("select district, count(*), sum(amount) from loans group by 1 with totals", data)
    assert result.totals.to_pylist() == [{"district": None, "count_rows": None, "sum_amount": None}]


def cells_of(sizes: dict[tuple[str, int], int], amount: int = 100) -> dict[str, pd.DataFrame]:
    """Each cell's contributors have one row and the same amount each; district and year are the cell."""
    rng = np.random.default_rng(9)
    rows = [(d, y) for (d, y), size in sizes.items() for _ in range(size)]
    frame = pd.DataFrame(rows, columns=["district", "year"]).assign(amount=Decimal(amount), staff=1)
    keys = rng.integers(0, 2**64, (len(rows), 2), dtype=np.uint64)
    frame = frame.assign(_unit=range(len(rows)), enterprise=keys[:, 0], _record_key=keys[:, 1])
    return {"loans": frame}


def test_few_contributors_and_dominated_sums_are_withheld_before_anything_is_changed() -> None:
    data = cells_of({("历下", 2023): 40, ("市中", 2023): 9, ("槐荫", 2023): 40})
    frame = data["loans"]
    data["loans"] = frame.assign(
        amount=[Decimal(10**6) if i == len(frame) - 1 else a for i, a in enumerate(frame.amount)]
    )
    result = answer(TEXT, data)
    rows = {(r["district"], r["year"]): r for r in result.table.to_pylist()}
    assert rows["历下", "2023"]["sum_amount"] is not None
    assert rows["槐荫", "2023"]["count_rows"] is not None
    assert rows["槐荫", "2023"]["sum_amount"] is rows["槐荫", "2023"]["avg_amount"] is None
    blank, empty = rows["市中", "2023"], rows["市中", "2024"]
    assert {n: v for n, v in blank.items() if n != "year"} == {n: v for n, v in empty.items() if n != "year"}
    reasons = {(r["cell"][0], r["measure"]): r["reasons"] for r in result.evidence.to_pylist() if r["rows"]}
    assert reasons["市中", "count_rows"] == ["min_contributors"]
    assert reasons["槐荫", "sum(loans.amount)"] == ["dominance", "p_percent"]


def test_no_count_below_the_minimum_is_published_so_that_none_tells_it_is_just_above() -> None:
    shown = []
    for size in range(8, 20):
        data = cells_of({(d, int(y)): size for d, y in product(DISTRICTS, YEARS)})
        for row in answer(TEXT, data).table.to_pylist():
            counts = (row["count_rows"], row["firms"], row["count_amount"])
            shown += [(size, n) for n in counts if n is not None]
    assert min(n for _, n in shown) == min(size for size, _ in shown) == 10
    assert {n - size for size, n in shown} <= set(range(-BOUND, BOUND + 1))
    assert any(n < size for size, n in shown)


def test_empty_cells_count_zero_where_the_contract_shows_zeros_and_withheld_ones_do_not() -> None:
    data = cells_of({("历下", 2023): 40, ("市中", 2023): 9})
    terms = replace(PERTURBED, disclosure=replace(PERTURBED.disclosure, show_zeros=1))
    rows = {(r["district"], r["year"]): r for r in answer(TEXT, data, terms).table.to_pylist()}
    empty = rows["天桥", "2025"]
    assert (empty["count_rows"], empty["firms"], empty["count_amount"]) == (0, 0, 0)
    assert empty["sum_amount"] is empty["avg_amount"] is None
    assert rows["市中", "2023"]["count_rows"] is None


def test_every_published_sum_is_the_true_one_and_a_share_of_its_largest_contribution() -> None:
    data = declared(frames(4000, 5))
    for row in answer(TEXT, data, EXACT).table.to_pylist():
        loans = data["loans"]
        part = loans[(loans.district == row["district"]) & (loans.year == int(row["year"]))]
        for column in ("amount", "staff"):
            per_unit = part.dropna(subset=column).groupby("_unit")[column].sum()
            moved = abs(row[f"sum_{column}"] - Decimal(str(per_unit.sum())))
            largest = Decimal(str(abs(per_unit).max()))
            step = Decimal("0.01") if column == "amount" else 1
            assert 10 * largest <= 100 * moved <= 20 * largest + 100 * step


def test_an_average_follows_from_the_published_sum_and_count() -> None:
    for row in answer(TEXT, frames(3000, 6), EXACT).table.to_pylist():
        assert row["avg_amount"] == pytest.approx(float(row["sum_amount"]) / row["count_amount"], rel=1e-5)


def test_rows_of_one_contributor_are_masked_together() -> None:
    """Whoever has 500 of 2,000 rows: their number stays uncertain by 50 to 100, not by 5."""
    found = {abs(change(2000, 500, key, 10)) for key in range(256)}
    assert (min(found), max(found)) == (51, 100)
    data = cells_of({("历下", 2023): 2000})
    data["loans"] = data["loans"].assign(_unit=[max(i - 499, 0) for i in range(2000)])
    row = answer("select count(*), count(distinct enterprise) from loans", data).table.to_pylist()[0]
    assert 51 <= abs(row["count_rows"] - 2000) <= 100


def test_having_and_order_see_published_numbers_alone() -> None:
    data = frames(3000, 7)
    text = "select district, year, count(*) as n from loans group by 1, 2"
    every = [r["n"] for r in answer(text, data).table.to_pylist()]
    most = sorted(every)[-3]
    got = answer(f"{text} having n >= {most} order by n desc", data).table["n"].to_pylist()
    assert got == sorted(every, reverse=True)[: len(got)]
    assert min(got) == most


def test_the_summary_names_rule_and_public_parameters_and_nothing_that_keys_tell() -> None:
    data = cells_of({("历下", 2023): 40, ("市中", 2023): 50})
    other = {"loans": data["loans"].assign(_record_key=np.arange(90, dtype=np.uint64))}
    first, second = answer(TEXT, data), answer(TEXT, other)
    assert first.table != second.table
    assert first.summary == second.summary
    assert {
        "rule": "cell_key",
        "bound": 5,
        "deviation": 2,
        "low": 10,
        "high": 20,
        "table": "1",
    } in first.summary["rules"]
    assert {"rule": "cell_key_sums", "low": 10, "high": 20, "table": "1"} in first.summary["rules"]
    words = rule_words(first.summary["rules"])
    assert len(words) == len(first.summary["rules"])
    assert "by at most 5" in words[-1]
    assert "10 to 20 %" in words[-1]


def test_numbers_are_not_rounded_besides() -> None:
    rounded = perturbed(with_limits(round_counts=100, sum_digits=0))
    data = frames(3000, 8)
    assert answer(TEXT, data, rounded).table == answer(TEXT, data, EXACT).table


BROKEN: dict[str, Callable[[pa.Table], pa.Table]] = {
    "a key too large": lambda t: put(t, "r", 256),
    "a negative key": lambda t: put(t, "m0_q", -1),
    "no key": lambda t: put(t, "m0_r", None),
    "no unit key": lambda t: put(t, "u", None),
    "nobody has the most rows": lambda t: put(t, "t", 0),
    "more rows of one than of all": lambda t: put(t, "m0_t", 10**6),
    "keys missing": lambda t: t.drop_columns(["u"]),
    "the raw table of another lane": lambda t: t.select(t.column_names[:7]),
    "a total twice": lambda t: pa.concat_tables([t, t]),
}


def put(table: pa.Table, name: str, value: int | None) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array([value] * table.num_rows, pa.int64()))


@pytest.mark.parametrize("totals", ["", " with totals"])
@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_raw_table_that_is_not_what_it_must_be_is_refused(
    change: Callable[[pa.Table], pa.Table], totals: str
) -> None:
    text = "select district, sum(amount) from loans group by 1" + totals
    query = check_sql(text, PERTURBED)
    table = raw(text, frames(800, 1), PERTURBED)
    protect(table, query, PERTURBED)
    with pytest.raises(Refused) as refused:
        protect(change(table), query, PERTURBED)
    assert refused.value.code == "disclosure.raw"


def test_totals_that_were_not_asked_for_are_refused() -> None:
    text = "select district, sum(amount) from loans group by 1"
    table = raw(text + " with totals", frames(800, 1), PERTURBED)
    with pytest.raises(Refused):
        protect(table, check_sql(text, PERTURBED), PERTURBED)


def test_the_table_lane_is_untouched() -> None:
    data = frames(3000, 1)
    result = answer(TEXT + " with totals", data, TERMS)
    assert result.totals["count_rows"].to_pylist()[-1] == sum(result.table["count_rows"].to_pylist())
    assert {n % 5 for n in result.table["count_rows"].to_pylist()} == {0}
    assert {"rule": "round_counts", "base": 5} in result.summary["rules"]


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(product(DISTRICTS, (2023, 2024, 2025)))), st.integers(1, 25), min_size=1
    ),
    st.randoms(),
)
def test_no_value_below_k_and_no_order_of_rows_is_ever_seen(
    sizes: dict[tuple[str, int], int], random: object
) -> None:
    data = cells_of(sizes)
    order = list(range(len(data["loans"])))
    random.shuffle(order)  # type: ignore[attr-defined]
    text = TEXT + " with totals"
    first, second = answer(text, data), answer(text, {"loans": data["loans"].iloc[order]})
    assert stream(first) == stream(second)
    for row in first.table.to_pylist():
        if sizes.get((row["district"], int(row["year"])), 0) < 10:
            assert {row[n] for n in ("count_rows", "firms", "count_amount", "sum_amount", "avg_amount")} == {
                None
            }


def test_an_open_contract_still_changes_every_sum() -> None:
    data = cells_of({("历下", 2023): 40}, amount=10**6)
    (row,) = answer("select sum(amount) from loans", data, PERTURBED_OPEN).table.to_pylist()
    assert 10_000 <= abs(row["sum_amount"] - 40 * 10**6) <= 20_000
