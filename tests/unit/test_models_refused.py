"""What a published table cannot tell is refused in words, whatever its counts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.refusals import Refused
from sandbox.disclosure.models.correlation import correlation
from sandbox.disclosure.models.linear import linear_regression
from sandbox.disclosure.models.logistic import logistic_regression
from sandbox.disclosure.models.quantiles import histogram, median, quantile
from tests.unit.published_tables import ages_table, grid

TWO = (
    grid(a=("x", "y"), b=("u", "v"))
    .append_column("n", pa.array([1, 2, 3, 4]))
    .append_column("s", pa.array([1.0, 2, 3, 4]))
)
BANDED = ages_table([1, 2, 3, 4, 5, 6])
REFUSALS: dict[str, tuple[str, Callable[[], Any]]] = {
    "no such column": ("models.column", lambda: histogram(TWO, "z", "n")),
    "a measure as a dimension": ("models.column", lambda: histogram(TWO, "n", "n")),
    "a dimension as a measure": ("models.column", lambda: histogram(TWO, "a", "b")),
    "the same dimension twice": ("models.column", lambda: linear_regression(TWO, ["a", "a"], "s", "n")),
    "withheld": ("models.withheld", lambda: histogram(TWO.set_column(2, "n", pa.array([1, None, 3, 4])), "a", "n")),
    "a missing cell": ("models.incomplete", lambda: histogram(TWO.slice(0, 3), "a", "n")),
    "no lines": ("models.column", lambda: histogram(TWO.slice(0, 0), "a", "n")),
    "not a band": ("models.bands", lambda: median(TWO, "a", "n")),
    "a gap": ("models.bands", lambda: median(BANDED.filter(pa.array([1, 1, 0, 1, 1, 1]).cast(pa.bool_())), "age", "n")),
    "no middle": ("models.bands", lambda: correlation(pa.table({"p": ["<1", "<1", ">=1", ">=1"], "q": ["<2", ">=2"] * 2, "n": [1, 2, 3, 4]}), "p", "q", "n")),
    "no share": ("models.share", lambda: quantile(BANDED, "age", "n", 1.0)),
    "noise outweighs": ("models.too_few", lambda: median(BANDED, "age", "n", noise=50)),
    "nobody": ("models.too_few", lambda: median(ages_table([0] * 6), "age", "n")),
    "nothing varies": ("models.no_spread", lambda: correlation(grid(p=("<1", "1-2"), q=("<1", "1-2")).append_column("n", pa.array([5, 0, 0, 0])), "p", "q", "n")),
    "too many parameters": ("models.parameters", lambda: linear_regression(pa.table({"a": ["x", "y"], "b": ["u", "v"], "n": [5, 6], "s": [1.0, 2.0]}), ["a", "b"], "s", "n")),
    "an empty value": ("models.singular", lambda: linear_regression(TWO.set_column(2, "n", pa.array([1, 2, 0, 0])), ["a"], "s", "n")),
    "negative counts": ("models.singular", lambda: linear_regression(TWO.set_column(2, "n", pa.array([-1, -2, 3, -4])), ["a"], "s", "n")),
    "three outcomes": ("models.outcome", lambda: logistic_regression(BANDED, "age", "<20", [], "n")),
    "another outcome": ("models.outcome", lambda: logistic_regression(TWO, "b", "w", ["a"], "n")),
    "separated": ("models.separated", lambda: logistic_regression(TWO.set_column(2, "n", pa.array([9, 0, 0, 9])), "b", "v", ["a"], "n")),
    "empty table": ("models.parameters", lambda: logistic_regression(TWO.set_column(2, "n", pa.array([0, 0, 0, 0])), "b", "v", ["a"], "n")),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_be_told_is_refused_in_words(name: str) -> None:
    code, ask = REFUSALS[name]
    with pytest.raises(Refused) as refused:
        ask()
    assert refused.value.code == code
    assert refused.value.reason


@given(st.lists(st.integers(-20, 20), min_size=8, max_size=8))
def test_no_counts_make_a_model_fail_otherwise(counts: list[int]) -> None:
    table = (
        grid(a=("<1", "1-2"), b=("<1", "1-2"), c=("no", "yes"))
        .append_column("n", pa.array(counts))
        .append_column("s", pa.array(counts[::-1]))
    )
    for ask in (
        lambda: linear_regression(table, ["a", "b"], "s", "n", 1, 1),
        lambda: logistic_regression(table, "c", "yes", ["a", "b"], "n", 1),
        lambda: correlation(table, "a", "b", "n", 1),
        lambda: median(table, "a", "n", 1),
    ):
        with suppress(Refused):  # anything else fails the test
            ask()
