"""P9: an attacker who asks whatever the language can say stays within what each lane promises.

Most games are played in one process by the product's own functions (`attacker.space`); `test_attacker_over_api` plays
a few over HTTP and shows that answers there are the same. Here data are made up; `test_attacker_real_data` has real ones.
An advantage is measured, so a test fails where it is above the bound with a confidence of 99 % (one interval).
ATTACKER_EFFORT=50 in the environment plays fifty times as many games: minutes, and intervals a few percent wide.
"""

from __future__ import annotations

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
GAMES = 16


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


@pytest.mark.xfail(strict=True, reason="answers are compared two by two, not three or more together")
def test_exact_tables_three_numbers_together() -> None:
    score = attack(by.Corner(), PEOPLE, LONELY, signed(TABLE), games=GAMES)
    within(score, bounds.of_table(PEOPLE, K, DISJOINT))


# --- Perturbed: presence is told by counts, amounts by sums -------------------------------------------------
# Sums tell presence: 2 p % of the largest contribution cannot hide a whole one (see `cell_key.change`).
THERE = Setting("there", presence=True, measures=COUNTS)
COMES = Setting("comes", presence=True, versions=2, measures=COUNTS)
AMOUNT = Setting("amount", measures=SUMS)
AMOUNT_LEAVES = Setting("amount leaves", measures=SUMS, versions=2)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_perturbed_counts_and_sums(strategy: type[Strategy]) -> None:
    counts, sums = (COMES, AMOUNT_LEAVES) if strategy.versions > 1 else (THERE, AMOUNT)
    there = attack(strategy(), PEOPLE, counts, signed(PERTURBED), games=GAMES)
    within(there, bounds.of_counts(there.numbers))
    amount = attack(strategy(), PEOPLE, sums, signed(PERTURBED), games=GAMES)
    within(amount, bounds.of_sums(PEOPLE, amount.numbers))


# --- Private: the budget bounds everything ------------------------------------------------------------------
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_private(strategy: type[Strategy]) -> None:
    settings = (
        [Setting("comes", presence=True, versions=2)]
        if strategy.versions > 1
        else [Setting("there", presence=True), Setting("amount")]
    )
    for setting in settings:
        score = attack(strategy(), PEOPLE, setting, signed(PRIVATE), games=GAMES)
        assert score.charge <= PRIVATE.datasets[0].budget
        within(score, bounds.of_private(score.charge))
