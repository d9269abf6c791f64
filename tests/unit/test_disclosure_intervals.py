"""How closely unknowns can be squeezed: against exact arithmetic, and at the edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

import highspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.disclosure.intervals import Demand, Sum, Target, Unknown, audit

ENDLESS = Demand(width=60_000)  # nobody reaches it, so the whole interval is worked out


def whole_interval(values: Sequence[int], equations: Iterable[Sum], parts: Sum) -> tuple[object, object]:
    (found,) = audit([Unknown(v) for v in values], equations, [Target(parts, ENDLESS)])
    return found.low, found.high


def test_a_rectangle_moves_as_far_as_its_smallest_corners_let_it() -> None:
    rectangle = [(0, 1), (2, 3), (0, 2), (1, 3)]  # 3 10 / 12 50
    assert whole_interval([3, 10, 12, 50], rectangle, (0,)) == (0, 13)
    assert whole_interval([3, 10, 12, 50], rectangle, (3,)) == (47, 60)
    assert whole_interval([3, 10, 12, 50], rectangle, (0, 3)) == (47, 73), "both rise together"
    assert whole_interval([3, 10, 12, 50], rectangle, (0, 1)) == (13, 13), "a known total"


def test_the_demand_is_met_or_missed_by_one() -> None:
    rectangle, values = [(0, 1), (2, 3), (0, 2), (1, 3)], [Unknown(v) for v in (3, 10, 12, 50)]
    met = [Demand(width=13), Demand(below=3), Demand(above=10), Demand(3, 10, 13)]
    missed = [Demand(width=14), Demand(below=4), Demand(above=11)]
    targets = [Target((0,), demand) for demand in (*met, *missed)]
    assert [found.enough for found in audit(values, rectangle, targets)] == [True] * 4 + [False] * 3


def test_what_nothing_bounds_has_no_end() -> None:
    assert whole_interval([3, 4], [], (0,)) == (0, None)
    (signed,) = audit([Unknown(-5, None), Unknown(9, None)], [(0, 1)], [Target((0,), ENDLESS)])
    assert (signed.low, signed.high, signed.enough) == (None, None, True)


def test_bounds_that_the_truth_itself_breaks_never_pass() -> None:
    (found,) = audit([Unknown(5, low=9, high=2)], [], [Target((0,), Demand(1, 1))])
    assert not found.enough


def test_a_sum_with_nothing_unknown_in_it_is_known() -> None:
    assert [found.enough for found in audit([], [], [Target((), Demand(1, 1)), Target((), Demand())])] == [
        False,
        True,
    ]


def test_equations_that_tell_one_after_the_other_leave_no_room() -> None:
    told = [(0,), (0, 1), (0, 1, 2)]
    assert whole_interval([5, 6, 7, 8], told, (2,)) == (7, 7)
    assert whole_interval([5, 6, 7, 8], told, (2, 3)) == (7, None)


@pytest.mark.parametrize("size", [1, 10**3, 10**9, 10**15, 10**20, 10**37])
def test_an_interval_a_hair_too_narrow_never_passes_whatever_the_size_of_numbers(size: int) -> None:
    unknowns = [Unknown(v * size) for v in (3, 1000, 1200, 5000)]
    rectangle = [(0, 1), (2, 3), (0, 2), (1, 3)]

    def enough(above: int) -> bool:
        return audit(unknowns, rectangle, [Target((0,), Demand(above=above))])[0].enough

    assert not enough(1000 * size + 1)
    assert enough(999 * size), "and rounding costs no more than a thousandth"


def test_small_numbers_beside_huge_ones_are_judged_by_their_own_size() -> None:
    unknowns = [Unknown(v) for v in (3, 10, 12, 50, 10**15, 4 * 10**15)]
    rows = [(0, 1, 4), (2, 3, 5), (0, 2), (1, 3), (4, 5)]
    targets = [
        Target((0,), Demand(width=13)),
        Target((0,), Demand(above=13)),
        Target((4,), Demand(above=10**14)),
    ]
    assert [found.enough for found in audit(unknowns, rows, targets)] == [True, False, False]


def vertices(rows: Sequence[Sequence[Fraction]], sides: Sequence[Fraction]) -> Iterator[list[Fraction]]:
    """All corners of {x >= 0, rows x = sides}, by solving for every set of basic columns exactly."""
    table = [[*row, side] for row, side in zip(rows, sides, strict=True)]
    rank = len(eliminated(table, range(len(rows[0])))[1])
    for basis in combinations(range(len(rows[0])), rank):
        solved, pivots = eliminated(table, basis)
        if len(pivots) < rank or any(row[-1] for row in solved[rank:]):
            continue
        point = [Fraction(0)] * len(rows[0])
        for row, column in zip(solved, pivots, strict=False):
            point[column] = row[-1]
        if min(point) >= 0:
            yield point


def eliminated(table: list[list[Fraction]], columns: Iterable[int]) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form over the chosen columns, and the columns of its pivots."""
    table, pivots = [list(row) for row in table], []
    for column in columns:
        at = len(pivots)
        row = next((i for i in range(at, len(table)) if table[i][column]), None)
        if row is None:
            continue
        table[at], table[row] = table[row], table[at]
        table[at] = [x / table[at][column] for x in table[at]]
        for i in range(len(table)):
            if i != at and table[i][column]:
                factor = table[i][column]
                table[i] = [x - factor * y for x, y in zip(table[i], table[at], strict=True)]
        pivots.append(column)
    return table, pivots


systems = st.integers(2, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 40), min_size=n, max_size=n),
        st.lists(st.sets(st.integers(0, n - 1), min_size=2), min_size=1, max_size=4),
        st.sets(st.integers(0, n - 1), min_size=1),
    )
)


@settings(max_examples=200, deadline=None)
@given(systems)
def test_intervals_agree_with_exact_arithmetic_over_all_corners(
    system: tuple[list[int], list[set[int]], set[int]],
) -> None:
    values, sets, parts = system
    rows = [
        tuple(sorted(row)) for row in [*sets, set(range(len(values)))]
    ]  # the grand total bounds everything
    exact = [[Fraction(i in row) for i in range(len(values))] for row in rows]
    sides = [sum((Fraction(values[i]) for i in row), Fraction(0)) for row in rows]
    reached = [sum((point[i] for i in parts), Fraction(0)) for point in vertices(exact, sides)]
    low, high = whole_interval(values, rows, tuple(sorted(parts)))
    # Fractional corners lose a hair, and only inwards.
    assert min(reached) <= low <= min(reached) + Fraction(1, 1000)
    assert max(reached) - Fraction(1, 1000) <= high <= max(reached)


def test_a_solver_that_lies_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lie:
        col_value = (10.0, 10.0, 10.0, 10.0)

    monkeypatch.setattr(highspy.Highs, "getSolution", lambda _: Lie)
    unknowns = [Unknown(v) for v in (3, 10, 12, 50)]
    (found,) = audit(unknowns, [(0, 1), (2, 3), (0, 2), (1, 3)], [Target((0,), Demand(above=9))])
    assert not found.enough
