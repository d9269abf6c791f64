"""Answers of the private lane: paid once, given for every declared cell, with an error that is true."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import sqrt
from typing import Any

import duckdb
import numpy as np
import opendp.prelude as dp
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from contracts.policy.terms import Terms
from dataspace.portal.rules import rule_words
from sandbox.disclosure.private.accounting import charge_of, epsilon_of, part_of
from sandbox.disclosure.private.answer import PrivateAnswer, answer
from sandbox.disclosure.private.bounded import read_bounded
from sandbox.disclosure.private.expected import expected_error
from sandbox.disclosure.private.intervals import half_width, of_ratio, of_sum
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.disclosure.private.words import PrivateRule
from sandbox.engines.bounding import statistics_of
from sandbox.engines.private_sql import generate_private, private_schema
from sandbox.guard import check_sql
from sandbox.guard.query import AggregateQuery
from tests.unit.guard_terms import DISTRICTS
from tests.unit.private_extracts import LOANS, crowd, tables
from tests.unit.private_terms import PRIVATE, with_privacy

MEASURES = ["count(*)", "count(distinct enterprise)", "count(note)", "sum(amount)", "avg(amount)", "count(amount)", "sum(staff)"]  # fmt: skip
ALL = "select district, year, count(*), count(distinct enterprise), sum(amount), avg(amount) from loans group by 1, 2"


def raw_of(query: AggregateQuery, rows: list[dict[str, Any]], **values: Any) -> pa.Table:
    return pa.Table.from_pylist([{**row, **values} for row in rows], private_schema(query, PRIVATE))


def cells_with(query: AggregateQuery, **values: Any) -> pa.Table:
    places = [{"d0": d, "d1": y} for d in DISTRICTS for y in ("2023", "2024", "2025")]
    return raw_of(query, places, **values)


@given(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=7, unique=True), st.integers(1, 10**6))
def test_the_parts_never_cost_more_than_the_whole(measures: list[str], budget: int) -> None:
    terms = with_privacy(query_budget=budget)
    query = check_sql(f"select {', '.join(measures)} from loans", terms)
    if budget < len(statistics_of(query)):
        with pytest.raises(Refused) as refused:
            charge_of(query, terms)
        assert refused.value.code == "private.budget"
        return
    charge = charge_of(query, terms)
    assert budget - len(statistics_of(query)) < charge <= budget
    mechanisms = mechanisms_of(query, terms)
    assert sum(m.micro_rho for m in mechanisms) == charge
    assert sum((m.sensitivity / m.scale) ** 2 / 2 for m in mechanisms) <= charge / 1_000_000


def test_a_statistic_that_two_measures_need_is_paid_once() -> None:
    one = check_sql("select avg(amount) from loans", PRIVATE)
    same = check_sql("select avg(amount), sum(amount), count(amount) from loans", PRIVATE)
    assert statistics_of(one) == statistics_of(same)
    assert part_of(one, PRIVATE) == part_of(same, PRIVATE) == 10_000
    assert charge_of(check_sql(ALL, PRIVATE), PRIVATE) == 20_000


@pytest.mark.parametrize(
    ("micro_rho", "epsilon"),
    [(10_000, 0.69), (20_000, 1.0), (50_000, 1.62), (100_000, 2.35), (500_000, 5.67)],
)
def test_rho_is_translated_as_published(micro_rho: int, epsilon: float) -> None:
    assert epsilon_of(micro_rho, 7) == pytest.approx(epsilon, abs=0.006)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5_000_000), st.integers(4, 12))
def test_the_translation_is_that_of_the_library(micro_rho: int, exponent: int) -> None:
    dp.enable_features("contrib")
    space = dp.atom_domain(T="i64"), dp.absolute_distance(T="f64")
    noisy = dp.m.make_gaussian(*space, scale=1 / sqrt(2 * micro_rho / 1e6))
    theirs = dp.c.make_zCDP_to_approxDP(noisy).map(1.0).epsilon(10.0**-exponent)
    assert epsilon_of(micro_rho, exponent) == pytest.approx(theirs, rel=1e-4, abs=1e-6)


def test_every_declared_cell_is_answered_also_where_nothing_is_there() -> None:
    query = check_sql(ALL, PRIVATE)
    empty = answer(private_schema(query, PRIVATE).empty_table(), query, PRIVATE)
    full = answer(cells_with(query, n=1000, units=900, m0_n=800, m0_sum=Decimal(8000)), query, PRIVATE)
    for found in (empty, full):
        assert found.table.num_rows == found.errors.num_rows == 12
        assert found.table.select([0, 1]).to_pylist()[:2] == [
            {"district": "历下", "year": "2023"},
            {"district": "历下", "year": "2024"},
        ]
        assert found.table.column("count_rows").null_count == 0
    assert {**empty.summary, "not_shown": 0} == {**full.summary, "not_shown": 0}


def test_negative_counts_are_shown_as_zero_and_keep_their_interval() -> None:
    query = check_sql(ALL, PRIVATE)
    empty = private_schema(query, PRIVATE).empty_table()
    negative = 0
    for _ in range(5):
        found = answer(empty, query, PRIVATE)
        for row, error in zip(found.table.to_pylist(), found.errors.to_pylist(), strict=True):
            middle = (error["count_rows"]["low"] + error["count_rows"]["high"]) / 2
            assert row["count_rows"] == max(0, middle)
            negative += middle < 0
    assert negative > 5


def repeated(query: AggregateQuery, terms: Terms, raw: pa.Table, times: int) -> list[PrivateAnswer]:
    return [answer(raw, query, terms) for _ in range(times)]


def test_intervals_hold_the_truth_as_often_as_they_say_and_values_are_unbiased() -> None:
    query = check_sql(ALL, PRIVATE)
    truth = {"n": 900, "units": 700, "m0_n": 800, "m0_sum": Decimal("163456.78")}
    answers = repeated(query, PRIVATE, cells_with(query, **truth), 120)
    trials = 12 * len(answers)
    expected = {"count_rows": 900, "count_units": 700, "sum_amount": 163456.78, "avg_amount": 163456.78 / 800}
    for label, value in expected.items():
        errors = [e for a in answers for e in a.errors.column(label).to_pylist()]
        held = sum(e["low"] <= value <= e["high"] for e in errors) / trials
        assert abs(held - 0.95) < 5 * sqrt(0.95 * 0.05 / trials)
        middles = np.array([float(v) for a in answers for v in a.table.column(label).to_pylist()])
        tolerance = 4.5 * errors[0]["error"] / sqrt(trials) + (0.01 * value if label == "avg_amount" else 0)
        assert abs(middles.mean() - value) < tolerance
        assert np.mean([e["error"] for e in errors]) == pytest.approx(middles.std(), rel=0.12)


def test_ratio_intervals_hold_the_truth_at_small_counts_too() -> None:
    rng = np.random.default_rng(8)
    for count, deviation in ((30.0, 5.0), (15.0, 5.0)):
        totals = of_sum(np.round(count * 40 + rng.normal(0, 300, 20_000)), 300.0, 1.0)
        counts = of_sum(np.round(count + rng.normal(0, deviation, 20_000)), deviation, 1.0)
        ratio = of_ratio(totals, counts)
        shown = ~np.isnan(ratio.values)
        held = np.mean((ratio.low[shown] <= 40) & (ratio.high[shown] >= 40))
        assert shown.mean() > 0.8
        assert 0.94 < held < 0.99, "shown only where the count is large enough, which is a little selective"


def test_the_ends_of_a_ratio_interval_are_the_ratios_that_the_noise_just_allows() -> None:
    """At an end t, sum - t * count is 1.96 of its own standard deviations from 0."""
    total, count = of_sum(np.array([900.0]), 300.0, 1.0), of_sum(np.array([12.0]), 5.0, 1.0)
    ratio = of_ratio(total, count)
    for end in (ratio.low[0], ratio.high[0]):
        assert abs(900 - end * 12) == pytest.approx(1.959964 * sqrt(300**2 + (end * 5) ** 2), rel=1e-6)


@pytest.mark.parametrize("scale", [0.05, 0.3, 0.41, 0.45, 0.6, 1.0, 3.0, 20.0, 49.9, 50.1, 5000.0])
def test_the_half_width_is_the_least_that_holds_95_percent(scale: float) -> None:
    steps = np.arange(-int(12 * scale) - 2, int(12 * scale) + 3)
    weights = np.exp(-(steps**2) / (2 * scale**2))
    width = half_width(scale)
    assert weights[np.abs(steps) <= width].sum() / weights.sum() >= 0.95 - 1e-6
    assert width == 0 or weights[np.abs(steps) < width].sum() / weights.sum() < 0.95


def test_the_expected_error_is_the_one_that_comes() -> None:
    query = check_sql(ALL, PRIVATE)
    expected = expected_error(query, PRIVATE)
    found = answer(cells_with(query, n=900, units=700, m0_n=800, m0_sum=Decimal(160_000)), query, PRIVATE)
    error = found.errors.to_pylist()[0]
    for label in ("count_rows", "count_units", "sum_amount"):
        width = (error[label]["high"] - error[label]["low"]) / 2
        assert expected[label].at(800) == expected[label].half_width == pytest.approx(width)
    width = (error["avg_amount"]["high"] - error["avg_amount"]["low"]) / 2
    assert 0.3 * width < expected["avg_amount"].at(800) < 4 * width


def test_totals_are_sums_of_published_cells_with_their_own_error() -> None:
    query = replace(check_sql(ALL, PRIVATE), totals=True)
    found = answer(cells_with(query, n=900, units=700, m0_n=800, m0_sum=Decimal(160_000)), query, PRIVATE)
    assert found.totals is not None
    assert found.total_errors is not None
    *_, grand = found.totals.to_pylist()
    *_, error = found.total_errors.to_pylist()
    assert (grand["district"], grand["year"]) == (None, None)
    for label in ("count_rows", "sum_amount"):
        assert grand[label] == sum(found.table.column(label).to_pylist())
        assert error[label]["error"] == pytest.approx(found.errors.to_pylist()[0][label]["error"] * sqrt(12))
    assert grand["count_units"] is None, "a unit may stand in several years"
    over_districts = found.totals.to_pylist()[0]
    assert over_districts["district"] is None
    assert over_districts["count_units"] == sum(found.table.column("count_units").to_pylist()[0::3])


def run(query: AggregateQuery, terms: Terms, registered: dict[str, pa.Table]) -> PrivateAnswer:
    with duckdb.connect() as engine:
        for name, table in registered.items():
            engine.register(name, table)
        return answer(engine.sql(generate_private(query, terms)).to_arrow_table(), query, terms)


WIDE = Decimal("9999999999999999.99")


@pytest.mark.parametrize("amount", [WIDE, -WIDE, None, Decimal(0)])
@pytest.mark.parametrize("units", [1, 100_000])
def test_no_extract_makes_the_private_lane_fail(amount: Decimal | None, units: int) -> None:
    """One unit with all the rows, or each row another unit's; the widest numbers, or none at all."""
    rows = 100_000
    codes = pa.array(np.arange(rows) % units, pa.int32())
    columns = {
        "_unit": codes, "enterprise": codes.cast(pa.uint64()), "district": pa.array(["历下"] * rows),
        "year": pa.array(np.full(rows, 2024)), "secured": pa.array([True] * rows),
        "amount": pa.array([amount] * rows, pa.decimal128(18, 2)), "note": pa.nulls(rows, pa.string()),
        "branch": pa.nulls(rows, pa.string()),
    }  # fmt: skip
    query = check_sql(ALL, PRIVATE)
    found = run(query, PRIVATE, {"loans": pa.table(columns, LOANS)})
    assert found.table.num_rows == 12


def test_sums_as_wide_as_a_contract_can_bound_them_are_answered() -> None:
    def widest(terms: Terms) -> Terms:
        (loans, *others) = terms.datasets
        columns = tuple(
            replace(c, scale=9, low=-(10**12), high=10**12) if c.name == "amount" else c
            for c in loans.columns
        )
        return replace(terms, datasets=(replace(loans, columns=columns), *others))

    terms = widest(with_privacy(query_budget=2, max_groups=1000))
    query = replace(
        check_sql("select secured, sum(amount), avg(amount) from loans group by 1", terms), totals=True
    )
    schema = private_schema(query, terms)
    huge, lost = Decimal("9" * 29), Decimal("-" + "9" * 29)
    rows = [{"d0": "true", "m0_n": 2**63 - 1, "m0_sum": huge}, {"d0": "false", "m0_n": 0, "m0_sum": lost}]
    found = answer(pa.Table.from_pylist(rows, schema), query, terms)
    assert found.table.column("sum_amount").null_count == 0


def test_an_answer_that_the_generated_sql_cannot_give_is_refused() -> None:
    query = check_sql(ALL, PRIVATE)
    right = cells_with(query, n=1, units=1, m0_n=1, m0_sum=Decimal(1))
    wrong = [
        pa.concat_tables([right, right.slice(0, 1)]),
        right.drop_columns(["n"]),
        right.set_column(0, "d0", pa.array(["elsewhere"] * 12)),
        right.set_column(right.column_names.index("n"), "n", pa.nulls(12, pa.int64())),
    ]
    for table in wrong:
        with pytest.raises(Refused) as refused:
            read_bounded(table, query, PRIVATE, mechanisms_of(query, PRIVATE))
        assert refused.value.code == "disclosure.raw"


def test_having_order_and_limit_arrange_noisy_values() -> None:
    text = "select district, count(*) from loans group by 1 having count(*) > 500 order by 2 desc limit 2"
    query = check_sql(text, PRIVATE)
    rows = [{"d0": d, "n": 10_000 * i} for i, d in enumerate(DISTRICTS)]
    found = answer(pa.Table.from_pylist(rows, private_schema(query, PRIVATE)), query, PRIVATE)
    assert found.table.column("district").to_pylist() == [DISTRICTS[3], DISTRICTS[2]]
    assert found.errors.column("district").to_pylist() == [DISTRICTS[3], DISTRICTS[2]]


def test_the_evidence_accounts_for_the_charge_and_every_rule_has_words() -> None:
    query = check_sql(ALL, PRIVATE)
    found = run(query, PRIVATE, tables(crowd(6)))
    assert sum(found.evidence.column("micro_rho").to_pylist()) == charge_of(query, PRIVATE)
    assert {rule["rule"] for rule in found.summary["rules"]} == set(PrivateRule)
    words = rule_words(found.summary["rules"])
    assert all(words)
    assert any("rho = 0.02" in sentence and "epsilon = 1 " in sentence for sentence in words)
