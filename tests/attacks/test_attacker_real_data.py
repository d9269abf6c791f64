"""P9 on real people, enterprises and buildings: the attacks that need no made-up data, with and without a rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.policy.terms import Lane
from tests.attacks.attacker import bounds, real_data
from tests.attacks.attacker import strategies as by
from tests.attacks.attacker.contracts import terms_of
from tests.attacks.attacker.games import attack
from tests.attacks.attacker.switches import off
from tests.attacks.attacker.worlds import Population
from tests.attacks.test_attacker import AMOUNT, LEAVES, LONELY, THERE, K, signed, within

__all__ = ["off"]
GAMES = 8


@pytest.fixture(
    scope="module", params=[real_data.adults, real_data.loans, real_data.buildings], ids=lambda f: f.__name__
)
def people(request: pytest.FixtureRequest, shared_data: Path) -> Population:
    read: Callable[[Path], Population] = request.param
    return read(shared_data)


def test_exact_tables(people: Population) -> None:
    table = signed(terms_of(people, Lane.TABLE))
    for strategy, setting in (
        (by.IndividualTracker(), LONELY),
        (by.Complement(), LONELY),
        (by.VersionPair(), LEAVES),
    ):
        groups = sum(len(domain) - 1 for domain in people.frame.dims.values())
        within(attack(strategy, people, setting, table, games=GAMES), bounds.of_table(people, K, groups))


def test_exact_tables_without_memory(people: Population, off: Callable[..., None]) -> None:
    off("memory")
    score = attack(by.VersionPair(), people, LEAVES, signed(terms_of(people, Lane.TABLE)), games=GAMES)
    assert score.advantage > 0.8, "the target's value is the difference, wherever its cell or total is told"


def test_perturbed_and_private(people: Population) -> None:
    perturbed, private = (signed(terms_of(people, lane)) for lane in (Lane.PERTURBED, Lane.PRIVATE))
    there = attack(by.Complement(), people, THERE, perturbed, games=GAMES)
    within(there, bounds.of_counts(there.numbers))
    for setting in (THERE, AMOUNT):
        score = attack(by.Complement(), people, setting, private, games=GAMES)
        within(score, bounds.of_private(score.charge))
