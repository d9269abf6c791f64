"""Statistics from published tables equal those of single rows and say how far noise moves them."""

from __future__ import annotations

from math import log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.schema import Derivation, DeriveRule
from sandbox.disclosure.models.bands import Band, band, in_order
from sandbox.disclosure.models.correlation import correlation
from sandbox.disclosure.models.design import Fit
from sandbox.disclosure.models.linear import linear_regression
from sandbox.disclosure.models.logistic import logistic_regression
from sandbox.disclosure.models.quantiles import histogram, median, monotone, quantile
from sandbox.disclosure.private.answer import answer
from sandbox.disclosure.private.tables import unbiased
from sandbox.engines.private_sql import private_schema
from sandbox.guard import check_sql
from tests.unit.guard_terms import DISTRICTS
from tests.unit.private_terms import PRIVATE
from tests.unit.published_tables import AGES, ages_table, grid


def table_of(frame: pd.DataFrame, dimensions: list[str], total: str | None = None) -> pa.Table:
    """The published table of single rows, without protection: every combination, counts and sums."""
    cells = grid(**{d: tuple(sorted(frame[d].unique())) for d in dimensions}).to_pandas()
    grouped = frame.groupby(dimensions)
    found = grouped.size().rename("n").to_frame()
    if total:
        found["total"] = grouped[total].sum()
    merged = cells.merge(found.reset_index(), how="left", on=dimensions).fillna({"n": 0, "total": 0})
    return pa.Table.from_pandas(merged.astype({"n": "int64"}), preserve_index=False)


def estimates(fit: Fit) -> list[float]:
    return [c.estimate for c in fit.coefficients]


def dummies(frame: pd.DataFrame, dimensions: list[str]) -> np.ndarray:
    parts = [pd.get_dummies(frame[d]).sort_index(axis=1).iloc[:, 1:] for d in dimensions]
    return np.column_stack([np.ones(len(frame)), *[p.to_numpy(float) for p in parts]])


@pytest.fixture
def people() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    rows = 6000
    frame = pd.DataFrame(
        {
            "region": rng.choice(["east", "north", "west"], rows, p=[0.5, 0.3, 0.2]),
            "sector": rng.choice(["industry", "trade"], rows),
            "size": rng.choice(["large", "medium", "small", "tiny"], rows),
        }
    )
    level = (
        3.0 * (frame.region == "north") - 2.0 * (frame.sector == "trade") + 1.0 * (frame["size"] == "tiny")
    )
    frame["hours"] = 40 + level + rng.normal(0, 4, rows)
    frame["paid"] = np.where(rng.random(rows) < 1 / (1 + np.exp(-level / 3)), "yes", "no")
    return frame


def test_linear_coefficients_are_those_of_single_rows(people: pd.DataFrame) -> None:
    dimensions = ["region", "sector", "size"]
    fit = linear_regression(table_of(people, dimensions, "hours"), dimensions, "total", "n")
    matrix = dummies(people, dimensions)
    expected, squares, *_ = np.linalg.lstsq(matrix, people.hours.to_numpy(), rcond=None)
    assert estimates(fit) == pytest.approx(expected, rel=1e-9)
    assert fit.references == (("region", "east"), ("sector", "industry"), ("size", "large"))
    errors = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)) * squares[0] / len(people))
    found = np.array([c.error for c in fit.coefficients])
    assert np.all((found > errors / 2) & (found < errors * 2)), "17 spare cells tell the spread only roughly"


def test_linear_errors_hold_the_truth_as_often_as_they_say_under_noise() -> None:
    rng = np.random.default_rng(3)
    cells = grid(a=tuple("abcdef"), b=tuple("uvwx"))
    matrix = dummies(cells.to_pandas(), ["a", "b"])
    truth = np.array([5.0, 1, 0, -1, 2, 0.5, 3, -2, 1])
    counts, runs, held = np.full(24, 400.0), 400, 0
    for _ in range(runs):
        sums = counts * (matrix @ truth) + rng.normal(0, 2 * np.sqrt(counts)) + rng.normal(0, 60, 24)
        noisy = cells.append_column("n", pa.array(counts + rng.normal(0, 5, 24))).append_column(
            "s", pa.array(sums)
        )
        fit = linear_regression(noisy, ["a", "b"], "s", "n", noise_total=60, noise_count=5)
        held += sum(
            abs(c.estimate - t) < 1.96 * (c.error or 0) for c, t in zip(fit.coefficients, truth, strict=True)
        )
    assert 0.93 < held / (runs * len(truth)) < 0.97


def test_a_logistic_fit_of_two_by_two_is_the_log_odds_ratio() -> None:
    counts = [30, 70, 55, 45]  # (female no, female yes, male no, male yes)
    table = grid(sex=("female", "male"), paid=("no", "yes")).append_column("n", pa.array(counts))
    fit = logistic_regression(table, "paid", "yes", ["sex"], "n")
    base, ratio = fit.coefficients
    assert base.estimate == pytest.approx(log(70 / 30))
    assert (ratio.dimension, ratio.value) == ("sex", "male")
    assert ratio.estimate == pytest.approx(log(45 / 55) - log(70 / 30))
    assert ratio.error == pytest.approx(sqrt(sum(1 / c for c in counts)))
    share = logistic_regression(table, "paid", "no", [], "n")
    assert estimates(share) == [pytest.approx(log(85 / 115))]


def test_logistic_coefficients_are_those_of_single_rows(people: pd.DataFrame) -> None:
    dimensions = ["region", "sector", "size"]
    fit = logistic_regression(table_of(people, [*dimensions, "paid"]), "paid", "yes", dimensions, "n")
    assert estimates(fit) == pytest.approx(
        newton(dummies(people, dimensions), (people.paid == "yes").to_numpy()), rel=1e-6, abs=1e-8
    )


def newton(matrix: np.ndarray, success: np.ndarray) -> np.ndarray:
    found = np.zeros(matrix.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-matrix @ found))
        weighted = matrix * (chance * (1 - chance))[:, None]
        found = found + np.linalg.solve(matrix.T @ weighted, matrix.T @ (success - chance))
    return found


def test_logistic_errors_grow_with_noise_as_estimates_do(people: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    table = table_of(people, ["region", "paid"])
    counts = np.array(table.column("n").to_pylist(), float)
    fits = []
    for _ in range(400):
        noisy = table.set_column(2, "n", pa.array(counts + rng.normal(0, 30, len(counts))))
        fits.append(estimates(logistic_regression(noisy, "paid", "yes", ["region"], "n", noise=30)))
    without = logistic_regression(table, "paid", "yes", ["region"], "n")
    with_noise = logistic_regression(table, "paid", "yes", ["region"], "n", noise=30)
    for spread, one, other in zip(
        np.std(fits, axis=0), without.coefficients, with_noise.coefficients, strict=True
    ):
        assert sqrt(other.error**2 - one.error**2) == pytest.approx(spread, rel=0.2)


def test_quantiles_are_interpolated_inside_their_band() -> None:
    table = ages_table([10, 20, 40, 20, 10, 0])
    assert median(table, "age", "n").value == 35
    assert quantile(table, "age", "n", 0.2, 0).value == pytest.approx(25)
    low, high = quantile(table, "age", "n", 0.05), quantile(ages_table([0, 0, 0, 0, 1, 99]), "age", "n", 0.9)
    assert (low.value, low.note) == (20, "at_most")
    assert (high.value, high.note) == (60, "at_least")


def test_the_interval_of_a_quantile_holds_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    truth = np.array([100.0, 200, 400, 250, 150, 50])
    exact = median(ages_table(list(truth)), "age", "n").value
    runs = 1500
    held = 0
    for _ in range(runs):
        found = median(ages_table(list(truth + rng.normal(0, 12, 6))), "age", "n", noise=12)
        held += found.low <= exact <= found.high
    assert abs(held / runs - 0.95) < 0.03


@given(st.lists(st.floats(-100, 1000), min_size=1, max_size=12))
def test_cumulative_counts_become_monotone_and_stay_as_close_as_can_be(values: list[float]) -> None:
    found = monotone(np.array(values))
    assert np.all(np.diff(found) >= -1e-9)
    assert np.all(found >= 0)
    if all(a <= b for a, b in zip([0, *values], values, strict=False)):
        assert found.tolist() == pytest.approx(values)
    else:
        assert (
            np.sum((found - values) ** 2)
            <= np.sum((np.maximum.accumulate(np.maximum(values, 0)) - values) ** 2) + 1e-6
        )


def test_a_histogram_adds_up_the_other_dimensions_with_their_noise() -> None:
    table = grid(age=AGES.labels(), sex=("f", "m")).append_column("n", pa.array(range(12)))
    bars = histogram(table, "age", "n", noise=3)
    assert [bar.count for bar in bars] == [1, 5, 9, 13, 17, 21]
    assert {bar.error for bar in bars} == {3 * sqrt(2)}


def test_a_correlation_is_that_of_the_middles_and_its_error_that_of_repeated_noise() -> None:
    rng = np.random.default_rng(9)
    hours = Derivation("hours", DeriveRule.BANDS, ("10", "20", "30"))
    middle_age, middle_hours = [15, 25, 35, 45, 55, 65], [5, 15, 25, 35]
    counts = np.array([[max(5, 90 - 30 * abs(i - j)) for j in range(4)] for i in range(6)])
    table = grid(age=AGES.labels(), hours=hours.labels()).append_column("n", pa.array(counts.ravel()))
    expanded = [
        (a, h)
        for i, a in enumerate(middle_age)
        for j, h in enumerate(middle_hours)
        for _ in range(counts[i, j])
    ]
    found = correlation(table, "age", "hours", "n", noise=2)
    assert found.value == pytest.approx(np.corrcoef(np.array(expanded).T)[0, 1])
    drawn = [
        correlation(
            table.set_column(2, "n", pa.array(counts.ravel() + rng.normal(0, 2, 24))), "age", "hours", "n"
        ).value
        for _ in range(400)
    ]
    assert found.error == pytest.approx(np.std(drawn), rel=0.15)
    moved = [
        correlation(
            table.set_column(2, "n", pa.array(counts.ravel() + 1e-3 * (np.arange(24) == cell))),
            "age",
            "hours",
            "n",
        )
        for cell in range(24)
    ]
    gradient = np.array([c.value - found.value for c in moved]) / 1e-3
    assert found.error == pytest.approx(2 * np.linalg.norm(gradient), rel=1e-3)


def test_bands_are_read_as_they_are_named() -> None:
    derived = Derivation("x", DeriveRule.BANDS, ("-5", "-0.5", "0", "1e3"))
    assert in_order(derived.labels())[0] == [
        Band(-np.inf, -5), Band(-5, -0.5), Band(-0.5, 0), Band(0, 1000), Band(1000, np.inf),
    ]  # fmt: skip
    assert band("10-20") == Band(10, 20)


def test_models_run_on_private_answers_without_bias() -> None:
    query = check_sql(
        "select district, secured, sum(amount), count(amount) from loans group by 1, 2", PRIVATE
    )
    rows = [
        {"d0": d, "d1": s, "m0_n": 4000, "m0_sum": 4000 * (100 + 50 * i + (20 if s == "true" else 0))}
        for i, d in enumerate(DISTRICTS)
        for s in ("true", "false")
    ]
    found = answer(pa.Table.from_pylist(rows, private_schema(query, PRIVATE)), query, PRIVATE)
    noise = {m: found.errors.column(m).to_pylist()[0]["error"] for m in ("sum_amount", "count_amount")}
    plain = unbiased(found.errors, list(noise))
    fit = linear_regression(
        plain,
        ["district", "secured"],
        "sum_amount",
        "count_amount",
        noise["sum_amount"],
        noise["count_amount"],
    )
    for coefficient, truth in zip(fit.coefficients, (120, 50, 100, 150, -20), strict=True):
        assert abs(coefficient.estimate - truth) < 6 * (coefficient.error or 0)
        assert coefficient.error < 20


@pytest.mark.shared_data
def test_models_agree_with_single_rows_on_census_data(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "adult_income.csv")
    edges = [0, 20, 30, 40, 50, 60, 200]
    frame["band"] = pd.cut(frame.age, edges, right=False, labels=AGES.labels()).astype(str)
    dimensions = ["band", "sex", "race"]
    table = table_of(frame, dimensions, "hours-per-week")
    matrix = dummies(frame, dimensions)
    expected, *_ = np.linalg.lstsq(matrix, frame["hours-per-week"].to_numpy(float), rcond=None)
    assert estimates(linear_regression(table, dimensions, "total", "n")) == pytest.approx(expected, rel=1e-8)
    rich = (frame.salary == ">50K").to_numpy()
    fit = logistic_regression(table_of(frame, [*dimensions, "salary"]), "salary", ">50K", dimensions, "n")
    assert estimates(fit) == pytest.approx(newton(matrix, rich), rel=1e-6)
    assert abs(median(table, "band", "n").value - frame.age.median()) < 1
