"""Each disclosure rule on examples worked by hand, and on random cells."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy.terms import Aggregate, DisclosureTerms
from sandbox.disclosure.complementary import Rules, Total, collapse, known_totals, suppress
from sandbox.disclosure.contributors import complement, too_few
from sandbox.disclosure.dominance import dominated
from sandbox.disclosure.findings import Key, Rule
from sandbox.disclosure.grid import Contribution, Grid, Group
from sandbox.disclosure.protection import Levels
from sandbox.disclosure.rounding import average, round_count, round_sum
from sandbox.disclosure.withholding import withhold
from sandbox.guard.query import ColumnRef, Measure

LIMITS = DisclosureTerms()
SUM = Measure(Aggregate.SUM, ColumnRef("loans", "amount"), "total")
ROWS = Measure(Aggregate.COUNT_ROWS, None, "rows")


def cell(*values: int, key: Key = (0,)) -> Contribution:
    """A cell of contributors with these sums."""
    sizes = sorted((Decimal(abs(v)) for v in values), reverse=True)
    return Contribution(
        key, len(values), len(values), Decimal(sum(values)), sum(sizes, Decimal(0)), tuple(sizes[:2])
    )


def rules(group: Group, limits: DisclosureTerms = LIMITS) -> set[Rule]:
    return {f.rule for f in too_few([group], limits) + dominated([group], limits)}


def test_contributors_are_counted_not_rows() -> None:
    one_person_many_rows = Contribution((0,), 1, 500)
    assert [f.rule for f in too_few([(one_person_many_rows,)], LIMITS)] == [Rule.MIN_CONTRIBUTORS]
    assert not too_few([(Contribution((0,), 10, 10),)], LIMITS)
    assert too_few([(Contribution((0,), 9, 10_000),)], LIMITS)


def test_two_small_cells_do_not_make_a_large_one_since_they_may_be_the_same_people() -> None:
    assert too_few([(Contribution((0,), 9, 9), Contribution((1,), 9, 9))], LIMITS)


def test_a_remainder_of_one_cell_tells_that_cell() -> None:
    large, small = Contribution((0,), 50, 50), Contribution((1,), 3, 3)
    assert complement([(large,)], LIMITS)
    assert complement([(small,)], LIMITS)
    assert not complement([(large, small)], LIMITS)
    assert not complement([()], LIMITS)


def test_n_k_rule_at_its_edge() -> None:
    # n = 2, 85 %: 50 + 35 of 100 is allowed, 51 + 35 of 100 is not.
    assert Rule.DOMINANCE not in rules((cell(50, 35, 5, 5, 5),))
    assert Rule.DOMINANCE in rules((cell(51, 35, 5, 5, 4),))


def test_p_percent_rule_at_its_edge() -> None:
    # The second largest (30) takes 30 + 50 off 100 - x and misses 50 by what the others sum to: 5 is 10 % of 50.
    limits = DisclosureTerms(dominance_percent=100)
    assert Rule.P_PERCENT not in rules((cell(50, 30, 3, 2),), limits)
    assert Rule.P_PERCENT in rules((cell(50, 30, 3, 1),), limits)


def test_negative_contributions_count_by_their_size() -> None:
    assert {Rule.DOMINANCE, Rule.P_PERCENT} <= rules((cell(-1000, 2, 3, 4),))


def test_a_sum_of_zeros_tells_everyones_value() -> None:
    assert Rule.ALL_ZERO in rules((cell(*[0] * 50),))


def test_cells_that_are_safe_alone_can_be_dominated_by_one_firm_together_and_that_is_assumed() -> None:
    small = cell(30, 30, 10, 10, 10, 10)
    assert rules((small,), DisclosureTerms(min_contributors=3)) == set()
    large = cell(900, 10, 10, 10)
    assert Rule.DOMINANCE in rules((small, large), DisclosureTerms(min_contributors=3))


@pytest.mark.parametrize(
    ("count", "base", "expected"), [(0, 5, 0), (12, 5, 10), (13, 5, 15), (5, 10, 10), (7, 1, 7)]
)
def test_counts_round_half_up(count: int, base: int, expected: int) -> None:
    assert round_count(count, base) == expected


@given(st.integers(0, 10**9), st.integers(1, 100))
def test_rounded_counts_are_near_multiples(count: int, base: int) -> None:
    rounded = round_count(count, base)
    assert rounded % base == 0
    assert 2 * abs(rounded - count) <= base


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [("123456.78", 3, "123000"), ("-125.5", 2, "-130"), ("0.00", 3, "0"), ("1.25", 3, "1.25"), ("9.995", 3, "10.0"),
     ("98765.43", 0, "98765.43"), ("5", 3, "5")],
)  # fmt: skip
def test_sums_keep_significant_digits(value: str, digits: int, expected: str) -> None:
    assert round_sum(Decimal(value), digits) == Decimal(expected)


@given(st.decimals(-(10**30), 10**30, places=2), st.integers(1, 9))
def test_rounded_sums_stay_within_half_of_the_last_digit_kept(value: Decimal, digits: int) -> None:
    rounded = round_sum(value, digits)
    assert len(str(int(abs(rounded))).rstrip("0")) <= digits or abs(value) < 10**digits
    assert abs(rounded - value) * 2 * Decimal(10) ** (digits - 1) <= max(abs(value) * 10, abs(value))


def test_an_average_comes_from_the_two_published_numbers() -> None:
    assert average(Decimal(12300), 45, 3) == 273.0
    assert average(Decimal(12300), 45, 0) == 273.333
    assert average(Decimal(12300), 0, 3) is None


def count_grid(counts: np.ndarray) -> Grid:
    """Disjoint contributors, one row each."""
    found = {
        tuple(int(i) for i in key): Contribution(tuple(int(i) for i in key), int(n), int(n))
        for key, n in np.ndenumerate(counts)
        if n
    }
    return Grid(counts.shape, found)


def test_a_single_gap_in_a_line_is_joined_by_a_second_one() -> None:
    verdict = withhold(count_grid(np.array([50, 3, 20, 30])), ROWS, LIMITS)
    assert verdict.reasons == {(1,): (Rule.MIN_CONTRIBUTORS,), (2,): (Rule.COMPLEMENTARY,)}


def test_nothing_is_withheld_where_nothing_is_unsafe() -> None:
    assert withhold(count_grid(np.full((5, 6), 10)), ROWS, LIMITS).reasons == {}


def test_the_smallest_safe_rectangle_protects_one_cell_of_a_two_way_table() -> None:
    counts = np.full((4, 4), 50)
    counts[1, 1], counts[2, 2], counts[1, 2], counts[2, 1] = 3, 11, 12, 13
    verdict = withhold(count_grid(counts), ROWS, LIMITS)
    assert set(verdict.reasons) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert not verdict.exposed


COUNTS = partial(Levels, limits=LIMITS, summed=False)
SUMS = partial(Levels, limits=LIMITS, summed=True)
FREE = Rules(breaks=lambda _: False, tells=lambda _: False, levels=COUNTS)


def all_totals(grid: Grid) -> list[Total]:
    """Those known where nothing has to be withheld: every total over one or more dimensions."""
    return known_totals(grid, FREE)


def test_totals_run_over_every_set_of_dimensions_and_leave_single_valued_ones_out() -> None:
    assert len(all_totals(count_grid(np.full((2, 3, 4), 9)))) == 12 + 8 + 6 + 4 + 3 + 2 + 1
    assert len(all_totals(count_grid(np.full((1, 3), 9)))) == 1
    assert all_totals(count_grid(np.full((1,), 9))) == []


def test_the_table_of_totals_adds_up_contributors_and_keeps_the_largest() -> None:
    parts = {(0, 0): cell(5, 1, key=(0, 0)), (0, 2): cell(9, 2, key=(0, 2)), (1, 1): cell(3, key=(1, 1))}
    coarse, lines = collapse(Grid((2, 3), parts), (1,))
    assert lines == {(0,): ((0, 0), (0, 2)), (1,): ((1, 1),)}
    assert coarse.shape == (2,)
    assert coarse.cells[0,] == Contribution((0,), 4, 4, Decimal(17), Decimal(17), (Decimal(9), Decimal(5)))


def test_a_total_that_is_withheld_itself_does_not_count_as_known() -> None:
    counts = np.array([[4, 0, 0], [20, 30, 40], [50, 60, 70]])
    rules = Rules(breaks=lambda c: c.units < 10, tells=lambda group: len(group) == 1, levels=COUNTS)
    known = known_totals(count_grid(counts), rules)
    assert ((0, 0),) not in known, "the first row's total is the small cell itself"
    assert ((1, 0), (1, 1), (1, 2)) not in known, "withheld with it, or the grand total would tell it"
    assert ((2, 0), (2, 1), (2, 2)) in known


def test_two_gaps_in_every_line_can_still_tell_a_cell_and_the_check_sees_it() -> None:
    # Two rectangles of gaps and one gap between them: each line has two or more, yet the bridge follows exactly.
    gaps = {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (1, 2)}
    grid = count_grid(np.full((4, 4), 40))
    for axis, place in product(range(2), range(4)):
        assert sum(key[axis] == place for key in gaps) >= 2
    assert solvable(all_totals(grid), gaps) == {(1, 2)}
    rules = Rules(breaks=lambda c: c.cell in gaps, tells=lambda _: False, levels=COUNTS)
    mended = suppress(grid, rules)
    assert mended.added
    assert not mended.exposed
    assert (1, 2) not in solvable(all_totals(grid), set(mended.withheld))


def solvable(known: list[Total], withheld: set[Key]) -> set[Key]:
    """Cells fixed exactly by known totals: adding their unit vector to the equations does not raise the rank."""
    cells = sorted(withheld)
    if not cells or not known:
        return set()
    rows = np.array([[1.0 if c in line else 0.0 for c in cells] for line in known])
    rank = np.linalg.matrix_rank(rows)
    unit = np.eye(len(cells))
    return {c for i, c in enumerate(cells) if np.linalg.matrix_rank(np.vstack([rows, unit[i]])) == rank}


tables = st.sampled_from([(6,), (3, 4), (4, 4), (2, 3, 3)]).flatmap(
    lambda shape: st.lists(
        st.sampled_from([0, 1, 4, 9, 10, 11, 30, 200]),
        min_size=int(np.prod(shape)),
        max_size=int(np.prod(shape)),
    ).map(lambda values: np.array(values).reshape(shape))
)


def published(grid: Grid) -> set[Key]:
    return set(grid.cells) - set(withhold(grid, ROWS, LIMITS).reasons)


@settings(max_examples=150, deadline=None)
@given(tables)
def test_no_small_cell_follows_from_this_table_and_all_its_tables_of_totals_together(
    counts: np.ndarray,
) -> None:
    """The attacker asks for the table and for each table of its totals, and gets each as it would be published."""
    grid = count_grid(counts)
    small = {key for key, c in grid.cells.items() if c.units < 10}
    verdict = withhold(grid, ROWS, LIMITS)
    assert small == {key for key, why in verdict.reasons.items() if Rule.MIN_CONTRIBUTORS in why}
    answers: list[Total] = [(key,) for key in published(grid)]
    axes = range(len(grid.shape))
    for size in range(1, len(grid.shape) + 1):
        for summed in combinations(axes, size):
            coarse, lines = collapse(grid, summed)
            answers += [lines[key] for key in published(coarse)]
    told = solvable(answers, set(grid.cells)) & small
    assert told <= verdict.exposed, "what is told all the same is put before a reviewer"


def test_few_small_cells_do_not_empty_a_sparse_table() -> None:
    """Aircraft by carrier and airport of New York, 2013: many lines have one cell; three cells are small."""
    counts = np.array(
        [[198, 203, 191], [480, 408, 430], [84, 0, 0], [190, 193, 128], [326, 535, 497], [290, 16, 275], [0, 0, 25],
         [0, 0, 129], [0, 14, 0], [55, 233, 119], [5, 0, 23], [602, 86, 391], [229, 224, 174], [53, 45, 0],
         [532, 0, 504], [0, 0, 58]]
    )  # fmt: skip
    verdict = withhold(count_grid(counts), ROWS, DisclosureTerms(min_contributors=20))
    assert not verdict.exposed
    assert 3 < len(verdict.reasons) <= 10


values = st.lists(st.integers(0, 1000), min_size=0, max_size=25)


@settings(max_examples=100, deadline=None)
@given(st.lists(values, min_size=6, max_size=6))
def test_what_totals_leave_over_of_a_sum_is_never_dominated(columns: list[list[int]]) -> None:
    cells = {(i // 3, i % 3): cell(*v, key=(i // 3, i % 3)) for i, v in enumerate(columns) if v}
    grid = Grid((2, 3), cells)
    verdict = withhold(grid, SUM, LIMITS)
    for key, contribution in cells.items():
        if key not in verdict.reasons:
            assert rules((contribution,)) == set()
    breaks = Rules(lambda c: bool(rules((c,))), lambda group: len(group) == 1 or bool(rules(group)), SUMS)
    for line in known_totals(grid, breaks):
        gap = tuple(cells[k] for k in line if k in verdict.reasons)
        if gap and len(gap) < len(line):
            assert rules(gap) == set()
