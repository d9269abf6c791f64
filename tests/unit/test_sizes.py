"""Numbers of records are told to two digits (P1: presence)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.sizes import told


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, 0),
        (4, 0),
        (5, 10),
        (62, 60),
        (99, 100),
        (120, 120),
        (4837, 4800),
        (4850, 4900),
        (993_194, 990_000),
    ],
)
def test_two_digits_are_told(count: int, said: int) -> None:
    assert told(count) == said


@given(st.integers(0, 10**12))
def test_one_record_more_shows_at_the_edge_of_a_step_only(count: int) -> None:
    step = max(10, 10 ** (len(str(count)) - 2))
    assert abs(told(count) - count) <= step // 2
    if (count + step // 2 + 1) % step:
        assert told(count + 1) == told(count)
