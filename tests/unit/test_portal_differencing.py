"""A differencing attack finds every target's value exactly where there are no rules, and in no lane of this space."""

from __future__ import annotations

from itertools import product

import pytest

from contracts.policy.terms import Lane
from dataspace.portal.differencing import Result, attacked, unprotected
from dataspace.portal.differencing_plans import (
    ENTERPRISES,
    TIMES,
    Attack,
    Enterprise,
    plan,
    register,
    targets,
    terms_in,
)
from sandbox.disclosure.findings import Rule

EVERY = pytest.mark.parametrize(
    ("attack", "target"),
    [pytest.param(a, t, id=f"{a}-{t.name}") for a, t in product(Attack, targets().values())],
)
DRAWS = 4  # of each of the 48: 192, of which about 182 hold the truth


def miss(result: Result, target: Enterprise) -> float:
    assert result.found is not None
    return abs(float(result.found.value) - target.mwh)


# --- The register -----------------------------------------------------------------------------------------
def test_the_register_is_the_same_in_every_process_and_has_twelve_that_stand_out() -> None:
    assert len({one.number for one in register()}) == len(register()) == ENTERPRISES
    assert sum(one.mwh for one in register()) == 5548
    alone = {(one.district, one.sector) for one in targets().values()}
    assert len(alone) == len(targets()) == 12
    assert all(one.size == "large" for one in targets().values())


@pytest.mark.parametrize("attack", Attack)
def test_an_extract_has_each_enterprise_once(attack: Attack) -> None:
    target = next(iter(targets().values()))
    first, *others = plan(attack, target).versions
    assert first.num_rows == ENTERPRISES
    assert len(set(first.column("enterprise").to_pylist())) == ENTERPRISES
    assert [other.num_rows for other in others] == [ENTERPRISES - 1] * len(others)


# --- Without rules ----------------------------------------------------------------------------------------
@EVERY
def test_without_rules_the_target_is_found_exactly(attack: Attack, target: Enterprise) -> None:
    found = unprotected(attack, target).found
    assert found is not None
    if attack is Attack.AGAIN:  # the noise of that engine is averaged away
        assert found.nearest == target.mwh
    else:
        assert found.value == target.mwh


# --- Exact tables -----------------------------------------------------------------------------------------
@EVERY
def test_exact_tables_refuse_or_withhold_what_the_attack_needs(attack: Attack, target: Enterprise) -> None:
    result = attacked(Lane.TABLE, attack, target)
    assert result.found is None
    *before, last = result.answers
    assert all(answer.numbers and not answer.close for answer in before)
    if attack is Attack.NARROW:
        own = (target.sector, target.size)
        assert last.numbers[own] is None
        assert Rule.MIN_CONTRIBUTORS in last.rules[own]
        beside = [cell for cell, value in last.numbers.items() if cell[0] == target.sector and value is None]
        assert len(beside) == 2, "another size is withheld too, or the sector's total would tell"
    else:
        assert (last.close, last.numbers) == (1, {})


# --- Small changes ----------------------------------------------------------------------------------------
@EVERY
def test_small_changes_leave_the_difference_off_and_within_its_range(
    attack: Attack, target: Enterprise
) -> None:
    result = attacked(Lane.PERTURBED, attack, target)
    assert result.found is not None
    assert 0.05 * target.mwh < miss(result, target) <= result.found.slack
    assert result.found.slack > 0.2 * target.mwh
    assert attacked(Lane.PERTURBED, attack, target) == result


def test_small_changes_withhold_the_cell_in_which_the_target_is_alone() -> None:
    for target in targets().values():
        last = attacked(Lane.PERTURBED, Attack.NARROW, target).answers[-1]
        assert last.numbers[target.sector, target.size] is None
        assert sum(value is None for value in last.numbers.values()) == len(last.rules) == 4


# --- Differential privacy ---------------------------------------------------------------------------------
@EVERY
def test_noise_leaves_a_range_far_wider_than_the_value(attack: Attack, target: Enterprise) -> None:
    result = attacked(Lane.PRIVATE, attack, target)
    assert result.found is not None
    assert result.found.slack > 10 * target.mwh
    # Six standard deviations: one in 10^8 draws lies beyond.
    assert miss(result, target) < 6 / 1.96 * result.found.slack


def test_about_95_of_100_ranges_hold_the_truth_and_each_draw_is_another() -> None:
    held, values = 0, set()
    for attack, target, _ in product(Attack, targets().values(), range(DRAWS)):
        result = attacked(Lane.PRIVATE, attack, target)
        assert result.found is not None
        held += miss(result, target) <= result.found.slack
        values.add((attack, target, result.found.value))
    assert 165 <= held < 192, "by chance outside once in 10^4"
    assert len(values) > 150


# --- Asking again -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("lane", Lane)
def test_a_repeat_under_another_name_gets_the_answer_that_is_there(lane: Lane) -> None:
    target = next(iter(targets().values()))
    assert len(set(plan(Attack.AGAIN, target).questions[0].texts)) == TIMES
    result = attacked(lane, Attack.AGAIN, target)
    assert [answer.kept for answer in result.answers] == [TIMES - 1] * 2


def test_the_limits_are_those_of_a_contract_that_nobody_changed() -> None:
    terms = terms_in(Lane.TABLE)
    assert terms.disclosure == type(terms.disclosure)()
    assert terms.privacy is not None
    assert terms.privacy == type(terms.privacy)()
