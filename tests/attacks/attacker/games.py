"""Many games of one strategy, and the advantage over guessing that came out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from contracts.policy.terms import Terms
from tests.attacks.attacker.inference import Number, numbers, score
from tests.attacks.attacker.questions import Told
from tests.attacks.attacker.space import RELEASED, Space
from tests.attacks.attacker.strategies import Ask, Strategy
from tests.attacks.attacker.worlds import Game, Population, Setting, draw

EFFORT = int(os.environ.get("ATTACKER_EFFORT", "1"))  # so many times the repetitions
CONFIDENCE = 0.99  # of one interval, both ends


@dataclass(frozen=True)
class Score:
    """Advantage = 2 P(right) - 1: 0 for a coin, 1 for who knows.

    `numbers`: the most different numbers of one game that were told and that the secret is in; `charge`: the most
    micro-rho spent in one.
    """

    right: int
    games: int
    numbers: int = 0
    charge: int = 0

    @property
    def advantage(self) -> float:
        return 2 * self.right / self.games - 1

    @property
    def interval(self) -> tuple[float, float]:
        """Exact (Clopper and Pearson, Biometrika 26, 1934), two-sided, for the advantage."""
        tail = (1 - CONFIDENCE) / 2
        low = _solve(lambda p: 1 - _below(self.right, self.games, p), tail) if self.right else 0.0
        high = (
            _solve(lambda p: -_below(self.right + 1, self.games, p), -tail)
            if self.right < self.games
            else 1.0
        )
        return 2 * low - 1, 2 * high - 1

    def __add__(self, other: Score) -> Score:
        numbers, charge = max(self.numbers, other.numbers), max(self.charge, other.charge)
        return Score(self.right + other.right, self.games + other.games, numbers, charge)


def _below(successes: int, trials: int, p: float) -> float:
    """P(X < successes) of the binomial distribution."""
    return sum(comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in range(successes))


def _solve(rising: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return low


def attack(
    strategy: Strategy, population: Population, setting: Setting, contracts: Mapping[str, Terms], *, games: int, seed: int = 1
) -> Score:  # fmt: skip
    """Play; each game has a target, a secret, keys and noise of its own."""
    rng = np.random.default_rng([seed, *strategy.name.encode(), *setting.name.encode()])
    scores = (play(strategy, draw(population, setting, rng), contracts, rng) for _ in range(games * EFFORT))
    return sum(scores, Score(0, 0))


def play(strategy: Strategy, game: Game, contracts: Mapping[str, Terms], rng: np.random.Generator) -> Score:
    space = Space([frame.table for frame in game.truth], contracts)
    found = read(game, contracts, transcript(strategy, game, space))
    said = score(found if strategy.fresh else list(dict.fromkeys(found)), game.spread)
    sure = abs(said) > 1e-9  # else it throws a coin
    right = (said > 0 if sure else bool(rng.integers(2))) == game.secret
    telling = len({number for number in found if number.expected[0] != number.expected[1]})
    return Score(int(right), 1, telling, sum(kept.charge for kept in space.ledger.values()))


def transcript(strategy: Strategy, game: Game, space: Space) -> Iterator[tuple[int, Ask, Told]]:
    """Version, question and answer, one by one."""
    version = 0
    for move in strategy.moves(game):
        if not isinstance(move, Ask):
            if version + 1 == len(game.truth):
                return
            space.publish()
            version += 1
            continue
        measures = tuple(m for m in move.question.measures if m in game.measures)
        if measures:
            asked = Ask(replace(move.question, measures=measures), move.account)
            yield version, asked, space.ask(asked.question.text, asked.account)


def read(
    game: Game, contracts: Mapping[str, Terms], told: Iterator[tuple[int, Ask, Told]] | Sequence[tuple[int, Ask, Told]]
) -> list[Number]:  # fmt: skip
    return [
        number
        for version, move, answer in told
        if answer.outcome == RELEASED
        for number in numbers(game, version, move.question, answer, contracts[move.account])
    ]
