"""P9: an attacker who asks whatever the language can say stays within what each lane promises.

Most games are played in one process by the product's own functions (`attacker.space`); `test_attacker_over_api` plays
a few over HTTP and shows that answers there are the same. Here data are made up; `test_attacker_real_data` has real ones.
An advantage is measured, so a test fails where it is above the bound with a confidence of 99 % (one interval).
ATTACKER_EFFORT=50 in the environment plays fifty times as many games: minutes, and intervals a few percent wide.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.policy.terms import Lane, Terms
from tests.attacks.attacker import bounds
from tests.attacks.attacker import strategies as by
from tests.attacks.attacker.contracts import terms_of
from tests.attacks.attacker.games import Score, attack
from tests.attacks.attacker.strategies import STRATEGIES, Strategy
from tests.attacks.attacker.worlds import Setting, made_up

PEOPLE = made_up()
K = 10
COUNTS, SUMS = ("n", "u"), ("s",)
LONELY = Setting("lonely", crowd=True, lonely=True)
UNDECLARED = Setting("undeclared", crowd=True, undeclared=True)
LEAVES = Setting("leaves", crowd=True, versions=2)
TABLE, PERTURBED, PRIVATE = (terms_of(PEOPLE, lane) for lane in (Lane.TABLE, Lane.PERTURBED, Lane.PRIVATE))

STRICTER = terms_of(PEOPLE, Lane.TABLE, min_contributors=15, dominance_percent=70)
WINS_STILL = {by.Corner}  # see test_three_numbers_together_tell_nothing


def settings_of(strategy: type[Strategy]) -> tuple[Setting, ...]:
    return (LEAVES,) if strategy.versions > 1 else (LONELY, UNDECLARED)


def signed(one: Terms, two: Terms | None = None) -> dict[str, Terms]:
    return {"one": one, "two": two or one}


def within(score: Score, bound: float) -> None:
    low, high = score.interval
    assert low <= bound, f"advantage {score.advantage:.2f} ({low:.2f} to {high:.2f}) is above {bound:.2f}"


# --- Exact tables -----------------------------------------------------------------------------------------
DISJOINT = sum(
    len(domain) - 1 for domain in PEOPLE.frame.dims.values()
)  # groups that share nobody but the target
GAMES = 14


@pytest.mark.parametrize("strategy", [s for s in STRATEGIES if s not in WINS_STILL], ids=lambda s: s.name)
def test_exact_tables(strategy: type[Strategy]) -> None:
    for setting in settings_of(strategy):
        within(
            attack(strategy(), PEOPLE, setting, signed(TABLE), games=GAMES),
            bounds.of_table(PEOPLE, K, DISJOINT),
        )


def test_exact_tables_under_two_contracts_that_differ() -> None:
    score = attack(by.Colluding(), PEOPLE, LEAVES, signed(TABLE, STRICTER), games=GAMES)
    within(score, bounds.of_table(PEOPLE, K, DISJOINT))


def test_exact_tables_three_numbers_together() -> None:
    score = attack(by.Corner(), PEOPLE, LONELY, signed(TABLE), games=GAMES)
    within(score, bounds.of_table(PEOPLE, K, DISJOINT))


# --- Perturbed: presence is told by counts ------------------------------------------------------------------
# Sums tell presence: 2 p % of the largest contribution cannot hide a whole one (see `cell_key.change`); that they miss
# an amount by p % or more is tested beside the rule.
THERE = Setting("there", presence=True, measures=COUNTS)
COMES = Setting("comes", presence=True, versions=2, measures=COUNTS)
AMOUNT = Setting("amount", measures=SUMS)


def test_perturbed_counts() -> None:
    """All strategies together: each has few games, and the bound is that of the one that was told most."""
    score = pooled(PERTURBED, THERE, COMES)
    within(score, bounds.of_counts(score.numbers))


def test_perturbed_one_count() -> None:
    within(
        attack(by.OwnRow(), PEOPLE, replace(THERE, measures=("n",)), signed(PERTURBED), games=60),
        bounds.of_counts(1),
    )


# --- Private: the budget bounds everything ------------------------------------------------------------------
@pytest.mark.parametrize("presence", [True, False])
def test_private(presence: bool) -> None:
    score = pooled(PRIVATE, Setting("s", presence=presence), Setting("s", presence=presence, versions=2))
    assert PRIVATE.privacy is not None
    assert score.charge <= PRIVATE.privacy.contract_budget
    within(score, bounds.of_private(score.charge))


def pooled(terms: Terms, single: Setting, pair: Setting, games: int = 4) -> Score:
    scores = (
        attack(strategy(), PEOPLE, pair if strategy.versions > 1 else single, signed(terms), games=games)
        for strategy in STRATEGIES
    )
    return sum(scores, Score(0, 0))
