"""What is worked out from a released table tells nothing more than the table, and agrees with its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from audit.refusals import Refused
from sandbox.statistics import Statistic, Wanted, work_out

AGES, SEXES = ("<30", "30-50", ">=50"), ("f", "m")


def released(noise: float = 0.0, totals: bool = False) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for i, age in enumerate(AGES):
        for j, sex in enumerate(SEXES):
            n = 100 + 50 * i + 30 * j
            row = {"age": age, "sex": sex, "n": n, "pay": float(n * (10 + 5 * i + 2 * j))}
            if noise:
                row |= {"⌊n⌋": n - 1.96 * noise, "⌈n⌉": n + 1.96 * noise}
            rows.append(row)
    if totals:
        rows.append(
            {"age": None, "sex": None, "n": 10**6, "pay": 1.0} | ({"⌊n⌋": 1.0, "⌈n⌉": 2.0} if noise else {})
        )
    return pa.Table.from_pylist(rows)


def test_a_linear_regression_gives_back_what_made_the_means() -> None:
    worked = work_out(released(), 2, {}, Wanted(Statistic.LINEAR, ("age", "sex"), "n", total="pay"))
    found = {label: value for label, value, _ in worked.rows}
    assert found == pytest.approx({"1": 10, "age = 30-50": 5, "age = >=50": 10, "sex = m": 2})
    assert worked.references == ("age = <30", "sex = f")


def test_a_median_lies_where_half_of_the_counts_lie() -> None:
    worked = work_out(released(), 2, {}, Wanted(Statistic.QUANTILE, ("age",), "n"))
    below, inside = 230, 330
    half = (230 + 330 + 430) / 2
    assert worked.rows[0][1] == pytest.approx(30 + 20 * (half - below) / inside)


def test_rows_of_totals_are_not_counted() -> None:
    for wanted in (
        Wanted(Statistic.HISTOGRAM, ("age",), "n"),
        Wanted(Statistic.LOGISTIC, ("age",), "n", outcome="sex", success="m"),
    ):
        assert work_out(released(totals=True), 2, {}, wanted) == work_out(released(), 2, {}, wanted)


def test_the_private_lanes_noise_is_read_from_its_intervals() -> None:
    intervals = {"n": ["⌊n⌋", "⌈n⌉"]}
    worked = work_out(released(noise=7.0), 2, intervals, Wanted(Statistic.HISTOGRAM, ("sex",), "n"))
    assert [error for _, _, error in worked.rows] == pytest.approx([7 * np.sqrt(3)] * 2, rel=1e-3)
    shown_as_zero = released(noise=7.0).set_column(2, "n", pa.array([0] * 6))
    assert work_out(shown_as_zero, 2, intervals, Wanted(Statistic.HISTOGRAM, ("sex",), "n")) == worked, (
        "the middle of the interval is unbiased, the number shown is not"
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(Statistic.QUANTILE, ("age", "sex"), "n"),
        Wanted(Statistic.CORRELATION, ("age",), "n"),
        Wanted(Statistic.LINEAR, (), "n", total="pay"),
        Wanted(Statistic.QUANTILE, ("sex",), "n"),
        Wanted(Statistic.LINEAR, ("age",), "n", total="nothing"),
        Wanted(Statistic.LOGISTIC, ("sex",), "n", outcome="age", success="<30"),
    ],
)
def test_what_the_table_cannot_tell_is_refused_in_words(wanted: Wanted) -> None:
    with pytest.raises(Refused) as refused:
        work_out(released(), 2, {}, wanted)
    assert refused.value.code.startswith("models.")
    assert refused.value.reason
