"""No cell that breaks a rule is known too closely: by an attacker of our own, started cold, and protection levels by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from itertools import combinations
from random import Random

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy.terms import DisclosureTerms
from sandbox.disclosure import intervals
from sandbox.disclosure.complementary import Rules, Total, collapse, known_totals, suppress
from sandbox.disclosure.contributors import complement
from sandbox.disclosure.findings import Key, Rule
from sandbox.disclosure.grid import Contribution, Grid
from sandbox.disclosure.intervals import Demand, Target, Unknown, audit
from sandbox.disclosure.protection import Levels
from sandbox.disclosure.withholding import Withholding, rules_for, withhold
from tests.unit.test_disclosure_rules import LIMITS, ROWS, SUM, cell, count_grid, solvable

COUNTS = partial(Levels, limits=LIMITS, summed=False)


def artificial(gaps: set[Key]) -> Rules:
    """The cells in `gaps` are sensitive; no remainder tells anything, so only the audit is at work."""
    return Rules(breaks=lambda c: c.cell in gaps, tells=lambda _: False, levels=COUNTS)


def published_lines(grid: Grid) -> list[Total]:
    """Every total of a table of two dimensions."""
    return [line for axes in ((0,), (1,), (0, 1)) for line in collapse(grid, axes)[1].values()]


def test_a_cell_that_is_not_told_exactly_but_closely_gets_company() -> None:
    counts = np.full((3, 3), 60)
    counts[0, 0], counts[0, 1] = 3, 2
    gaps = {(0, 0), (0, 1), (1, 0), (1, 1)}
    grid = count_grid(counts)
    assert not solvable(published_lines(grid), gaps), "the exact check lets it pass"
    low, high = cold(grid, published_lines(grid), gaps, [(0, 0)])
    assert (low, high) == (0, 5), "yet it is known to lie between 0 and 5, where 10 is demanded"
    rules = Rules(lambda c: c.cell in {(0, 0), (0, 1)}, lambda group: len(group) == 1, COUNTS)
    mended = suppress(grid, rules)
    assert not mended.exposed
    for key in mended.primary:
        low, high = cold(grid, known_totals(grid, rules), set(mended.withheld), [key])
        assert high - low >= 10


def test_two_withheld_cells_in_every_line_can_still_be_solved_and_are_mended() -> None:
    gaps = {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (1, 2)}
    grid = count_grid(np.full((4, 4), 40))
    assert cold(grid, published_lines(grid), gaps, [(1, 2)]) == (40, 40)
    mended = suppress(grid, artificial(gaps))
    assert mended.added
    assert not mended.exposed
    low, high = cold(grid, published_lines(grid), set(mended.withheld), [(1, 2)])
    assert high - low >= 10


def test_a_total_that_breaks_a_rule_is_not_told_by_cells_that_are_each_protected() -> None:
    """Both cells of the first row may trade with the second row, whose total is known: the first one's then is, too."""
    counts = np.array([[20, 30, 0], [11, 11, 500], [60, 60, 60]])
    grid, row = count_grid(counts), [(0, 0), (0, 1)]
    rectangle = {*row, (1, 0), (1, 1)}
    rules = Rules(lambda c: c.cell in rectangle or c.units == 50, lambda _: False, COUNTS)
    known = known_totals(grid, rules)
    assert {((1, 0), (1, 1), (1, 2)), ((0, 0), (1, 0), (2, 0))} <= set(known)
    assert all(high - low >= 10 for low, high in (cold(grid, known, rectangle, [key]) for key in row))
    assert cold(grid, known, rectangle, row) == (50, 50)
    mended = suppress(grid, rules)
    low, high = cold(grid, known, set(mended.withheld), row)
    assert high - low >= 10
    assert not mended.exposed


def cold(grid: Grid, known: Sequence[Total], withheld: set[Key], parts: Sequence[Key]) -> tuple[float, float]:
    """The attacker again, by another way: true values, one new model for each end, bounds as everybody knows them."""
    summed = any(c.absolute for c in grid.cells.values())
    value = {k: float(c.total) if summed else float(c.units) for k, c in grid.cells.items()}
    everything = sum(float(c.absolute) for c in grid.cells.values())
    cells, ends = sorted(withheld), []
    for sign in (1, -1):
        model = highspy.Highs()
        model.setOptionValue("output_flag", False)
        model.setOptionValue("threads", 1)
        for key in cells:
            free = summed and grid.cells[key].total != grid.cells[key].absolute
            model.addVar(-everything if free else 0, everything if free else highspy.kHighsInf)
            model.changeColCost(cells.index(key), sign * (key in parts))
        for total in known:
            inside = [cells.index(key) for key in total if key in withheld]
            left = sum(value[key] for key in total if key in withheld)
            model.addRow(left, left, len(inside), np.array(inside, dtype=np.int32), np.ones(len(inside)))
        model.run()
        shown = sum(value[key] for key in parts if key not in withheld)
        bounded = model.getModelStatus() == highspy.HighsModelStatus.kOptimal
        ends.append(
            sign * model.getInfo().objective_function_value + shown if bounded else -sign * float("inf")
        )
    return ends[0], ends[1]


def close_ones(grid: Grid, verdict: Withholding, rules: Rules) -> set[Key]:
    """Cells that break a rule, alone or as a total, and are known more closely than demanded."""
    levels, known = rules.levels(grid), known_totals(grid, rules)
    unit = 100 if rules.levels.keywords["summed"] else 1
    sensitive: dict[Total, Contribution] = {(k,): c for k, c in grid.cells.items() if rules.breaks(c)}
    axes = range(len(grid.shape))
    for summed in (s for n in axes for s in combinations(axes, n + 1)):
        coarse, lines = collapse(grid, summed)
        sensitive |= {lines[k]: c for k, c in coarse.cells.items() if rules.breaks(c)}
    found: set[Key] = set()
    for parts, whole in sensitive.items():
        low, high = cold(grid, known, set(verdict.reasons), parts)
        demand = levels.demand(whole)
        value = float(whole.total) if rules.levels.keywords["summed"] else whole.units
        slack = 1e-6 * max(1.0, abs(value))
        below, above = value - low + slack, high - value + slack
        if below < demand.below / unit or above < demand.above / unit or below + above < demand.width / unit:
            found |= set(parts)
    return found


shapes = st.sampled_from([(6,), (3, 4), (4, 4), (2, 3, 3)])
tables = shapes.flatmap(
    lambda shape: st.lists(
        st.sampled_from([0, 1, 4, 9, 10, 11, 30, 200]),
        min_size=int(np.prod(shape)),
        max_size=int(np.prod(shape)),
    ).map(lambda values: np.array(values).reshape(shape))
)


@settings(max_examples=150, deadline=None)
@given(tables)
def test_no_count_that_breaks_a_rule_is_known_more_closely_than_the_threshold(counts: np.ndarray) -> None:
    grid = count_grid(counts)
    verdict = withhold(grid, ROWS, LIMITS)
    assert close_ones(grid, verdict, rules_for(ROWS, LIMITS)) <= verdict.exposed


amounts = st.one_of(
    st.lists(st.integers(0, 1000), max_size=25),
    st.lists(st.integers(-300, 300), max_size=25),
    st.lists(st.just(0), min_size=10, max_size=12),
    st.tuples(st.integers(10**4, 10**9), st.integers(1, 20)).map(lambda t: [t[0], *[t[1]] * 15]),
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([(9,), (3, 3)]), st.lists(amounts, min_size=9, max_size=9))
def test_no_sum_that_breaks_a_rule_is_known_more_closely_than_its_protection_level(
    shape: tuple[int, ...], columns: list[list[int]]
) -> None:
    keys = list(np.ndindex(*shape))
    cells = {key: cents(cell(*v, key=key)) for key, v in zip(keys, columns, strict=True) if v}
    grid = Grid(shape, cells)
    verdict = withhold(grid, SUM, LIMITS)
    assert close_ones(grid, verdict, rules_for(SUM, LIMITS)) <= verdict.exposed


def cents(found: Contribution) -> Contribution:
    """The same with two digits after the point."""
    exact = Decimal("0.01")
    return Contribution(
        found.cell, found.units, found.rows, found.total.quantize(exact), found.absolute.quantize(exact),
        tuple(size.quantize(exact) for size in found.largest),
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_choice_and_the_evidence_depend_on_the_table_alone(counts: np.ndarray, random: Random) -> None:
    grid = count_grid(counts)
    order = list(grid.cells)
    random.shuffle(order)
    again = withhold(Grid(grid.shape, {key: grid.cells[key] for key in order}), ROWS, LIMITS)
    first = withhold(grid, ROWS, LIMITS)
    assert (first.reasons, first.exposed, first.squeezes) == (again.reasons, again.exposed, again.squeezes)


def test_a_table_too_large_to_audit_is_withheld_as_a_whole_and_exposed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = count_grid(np.array([[3, 50, 60], [40, 50, 60], [70, 80, 90]]))
    assert len(withhold(grid, ROWS, LIMITS).reasons) == 4
    for name in ("MAX_UNKNOWNS", "MAX_TARGETS"):
        with monkeypatch.context() as patch:
            patch.setattr(intervals, name, 0)
            verdict = withhold(grid, ROWS, LIMITS)
            assert set(verdict.reasons) == set(grid.cells)
            assert (0, 0) in verdict.exposed
            (found,) = audit([Unknown(3)], [], [Target((0,), Demand(width=10))])
            assert not found.enough


def test_a_solver_that_fails_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(highspy.Highs, "run", lambda _: highspy.HighsStatus.kError)
    grid = count_grid(np.array([[3, 50, 60], [40, 50, 60], [70, 80, 90]]))
    assert (0, 0) in withhold(grid, ROWS, LIMITS).exposed


def demand_of(*values: int) -> Demand:
    found = cell(*values)
    return Levels(Grid((1,), {found.cell: found}), LIMITS, summed=True).demand(found)


def test_protection_levels_worked_by_hand() -> None:
    assert demand_of(*[100] * 9) == Demand(width=180), "nine alike: as wide as 10 % of 900 on both sides"
    # 100 of 300 from each of three: 200 / 0.85 < 300, so only the number of contributors is wrong.
    assert demand_of(100, 100, 100) == Demand(width=60)
    assert demand_of(100) == Demand(18, 18), "one alone is all of it, where 85 % are allowed: on both sides"
    # 900 + 60 + 4 x 10: p % asks for 90 - 40 = 50; (n, k) for 960 / 0.85 - 1000 = 129.4, which is more.
    assert demand_of(900, 60, *[5] * 8).above == 130
    # 500 + 351 of 1000: (n, k) is broken by a hair and asks for 1.2 more; 1 % of the sum is the least.
    assert demand_of(500, 351, *[19] * 7, 16) == Demand(10, 10)
    assert demand_of(*[0] * 20).above == 1, "zeros have no size; something must stay unknown"
    low = demand_of(10, 1, *[0] * 10)
    assert low.below == low.above == 2


def test_a_sum_of_both_signs_is_bounded_by_all_contributions_and_one_without_negative_ones_by_zero() -> None:
    mixed, plain = cell(-70, 20, 10, key=(0,)), cell(30, 20, key=(1,))
    levels = Levels(Grid((2,), {(0,): mixed, (1,): plain}), LIMITS, summed=True)
    assert levels.unknown(mixed) == Unknown(-40, -150, 150)
    assert levels.unknown(plain) == Unknown(50, 0, None)


def test_what_is_left_of_a_total_stands_for_as_many_as_the_contract_asks() -> None:
    left = (Contribution((0,), 3, 3), Contribution((1,), 20, 20))
    assert not complement([left], LIMITS)
    strict = DisclosureTerms(complement_contributors=21)
    assert [f.rule for f in complement([left], strict)] == [Rule.COMPLEMENT]
    assert complement([left], DisclosureTerms(min_contributors=21, complement_contributors=2)), (
        "never less than k"
    )
    grid = count_grid(np.array([50, 3, 20, 30]))
    assert set(withhold(grid, ROWS, LIMITS).reasons) == {(1,), (2,)}
    assert set(withhold(grid, ROWS, DisclosureTerms(complement_contributors=25)).reasons) == {
        (1,),
        (2,),
        (3,),
    }
    assert withhold(count_grid(np.array([20, 20])), ROWS, strict).reasons == {}, "cells themselves need k"
