"""P9, the other way round: with one rule switched off the attacker wins, so that `test_attacker` can fail.

Where two rules stand in the way of one attack, it wins only with both switched off, and neither alone lets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from contracts.policy.terms import PrivacyTerms
from tests.attacks.attacker import bounds
from tests.attacks.attacker import strategies as by
from tests.attacks.attacker.contracts import HIGHEST, with_units_to_filter
from tests.attacks.attacker.games import Score, attack
from tests.attacks.attacker.questions import Question
from tests.attacks.attacker.space import RELEASED, Space
from tests.attacks.attacker.strategies import Strategy
from tests.attacks.attacker.switches import off
from tests.attacks.attacker.worlds import Game, Setting, draw
from tests.attacks.test_attacker import (
    AMOUNT,
    COUNTS,
    DISJOINT,
    LEAVES,
    LONELY,
    PEOPLE,
    PERTURBED,
    PRIVATE,
    TABLE,
    THERE,
    UNDECLARED,
    K,
    signed,
    within,
)  # fmt: skip

__all__ = ["off"]
GAMES = 14
Off = Callable[..., None]


def wins(score: Score, bound: float) -> None:
    assert score.interval[0] > bound, f"advantage {score.advantage:.2f} is not above {bound:.2f}"


@pytest.mark.parametrize(
    ("rules", "strategy", "setting"),
    [
        (("memory",), by.VersionPair, LEAVES),
        (("memory",), by.Colluding, LEAVES),
        (("memory", "linked audit"), by.TotalsMinusCells, UNDECLARED),
        (("memory", "linked audit"), by.IndividualTracker, LONELY),
        (("linked audit",), by.Corner, LONELY),
        (("complementary suppression", "linked audit"), by.Complement, LONELY),
        (("k", "dominance"), by.ZeroCells, LONELY),
    ],
    ids=lambda value: getattr(value, "name", None) or " and ".join(value),
)
def test_exact_tables_tell_the_value(
    off: Off, rules: tuple[str, ...], strategy: type[Strategy], setting: Setting
) -> None:
    off(*rules)
    wins(
        attack(strategy(), PEOPLE, setting, signed(TABLE), games=GAMES), bounds.of_table(PEOPLE, K, DISJOINT)
    )


OPEN = with_units_to_filter(TABLE, len(PEOPLE.frame.pseudonym))


@pytest.mark.parametrize(
    "rules",
    [("language",), ("memory", "linked audit"), ("language", "memory", "linked audit")],
    ids=" and ".join,
)
def test_negation_needs_a_language_for_it_and_no_memory(off: Off, rules: tuple[str, ...]) -> None:
    off(*rules)
    score = attack(by.Negation(), PEOPLE, LONELY, signed(OPEN), games=GAMES)
    (wins if len(rules) == 3 else within)(score, bounds.of_table(PEOPLE, K, DISJOINT))


# --- Exact tables: k alone, dominance alone -----------------------------------------------------------------
OWN_CELL = Setting("own cell", presence=True, lonely=True, measures=COUNTS)


@pytest.mark.parametrize("rule", ["", "k"])
def test_without_k_a_cell_shows_that_one_is_there(off: Off, rule: str) -> None:
    off(*([rule] if rule else []))
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(GAMES):
        game = draw(PEOPLE, OWN_CELL, rng)
        seen.add((told_of(own_cell(game), game, "n") is not None, game.secret))
    assert seen == ({(False, False), (True, True)} if rule else {(False, False), (False, True)})


@pytest.mark.parametrize("rule", ["", "dominance"])
def test_without_dominance_the_second_largest_knows_the_largest(off: Off, rule: str) -> None:
    """It takes its own value off the cell's sum: what is left misses the largest by p % or more, or is not told."""
    off(*([rule] if rule else []))
    rng = np.random.default_rng(4)
    close = [estimate(draw(PEOPLE, GIANT, rng)) for _ in range(GAMES)]
    assert any(close) is bool(rule)


def test_a_difference_of_two_numbers_is_not_dominated_either() -> None:
    """Everyone, less everyone of the other sectors: the sum of a sector whose own sum is withheld."""
    rng = np.random.default_rng(4)
    for _ in range(4):
        game = draw(PEOPLE, WHALE, rng)
        space = Space([frame.table for frame in game.truth], signed(TABLE))
        (first, domain), own = next(iter(game.dims.items())), {str(v) for v in game.home.values()}
        rest = Question(("s",), where=((first, tuple(v for v in domain if v not in own)),))
        whole, others = (space.ask(q.text) for q in (Question(("s",)), rest))
        assert (
            space.ask(Question(("s",), where=((first, (str(game.home[first]),)),)).text).rows[0]["s"] is None
        )
        if whole.outcome == others.outcome == RELEASED and None not in (
            whole.rows[0]["s"],
            others.rows[0]["s"],
        ):
            assert not near(game, float(whole.rows[0]["s"]) - float(others.rows[0]["s"]), first)  # type: ignore[arg-type]


GIANT = Setting("giant", crowd=True, times=2000)
WHALE = Setting("whale", crowd=True, times=1100)


def own_cell(game: Game) -> Question:
    return Question(("s", "n"), where=tuple((name, (str(value),)) for name, value in game.home.items()))


def told_of(question: Question, game: Game, measure: str) -> object:
    told = Space([frame.table for frame in game.truth], signed(TABLE)).ask(question.text)
    return told.rows[0][measure] if told.outcome == RELEASED else None


def estimate(game: Game) -> bool:
    """Whether the target's value is known within p % of it."""
    total = told_of(own_cell(game), game, "s")
    return total is not None and near(game, float(total), *game.home)  # type: ignore[arg-type]


def near(game: Game, total: float, *shared: str) -> bool:
    frame = game.truth[0]
    own = frame.unit == game.unit
    rows = ~own
    for name in shared:
        rows &= np.array([text == game.home[name] for text in frame.texts(name)])
    second = np.bincount(frame.unit[rows], frame.value[rows]).max()
    value = frame.value[own].sum()
    return bool(abs(total - second - value) < TABLE.disclosure.p_percent / 100 * value)


# --- Perturbed ----------------------------------------------------------------------------------------------
def test_counts_without_their_change_tell_who_is_there(off: Off) -> None:
    off("change of counts")
    assert attack(by.Complement(), PEOPLE, THERE, signed(PERTURBED), games=GAMES).advantage == 1


def test_sums_without_their_change_tell_the_amount(off: Off) -> None:
    off("change of sums")
    exact = replace(PERTURBED, disclosure=replace(PERTURBED.disclosure, sum_digits=0))
    assert attack(by.Complement(), PEOPLE, AMOUNT, signed(exact), games=GAMES).advantage == 1


class SameCell(Strategy):
    """One number as a cell of every table that has it: the same people, so the same change."""

    name = "same cell"
    fresh = True

    def moves(self, game: Game) -> by.Moves:
        first, _second = game.dims
        own = ((first, (str(game.home[first]),)),)
        others = [v for v in game.dims[first] if v != game.home[first]]
        for form in range(70):
            yield by.Ask(Question(("n",), where=own, form=form % 8))
        for pad in (
            (),
            *((v,) for v in others),
            tuple(others[:2]),
            tuple(others[1:]),
            (others[0], others[2]),
        ):
            yield by.Ask(Question(("n",), (first,), ((first, (str(game.home[first]), *pad)),)))


@pytest.mark.parametrize(
    ("rules", "won"),
    [((), False), (("same people, same change",), False), (("same people, same change", "one answer for one question"), True)],
)  # fmt: skip
def test_averaging_one_number_pays_only_where_its_change_is_drawn_anew(
    off: Off, rules: tuple[str, ...], won: bool
) -> None:
    stated = [bounds.of_counts(numbers) for numbers in range(10)]  # while the rules are all there
    off(*rules)
    score = attack(SameCell(), PEOPLE, THERE, signed(PERTURBED), games=20)
    (wins if won else within)(score, stated[1 if won or not rules else score.numbers])


# --- Private ------------------------------------------------------------------------------------------------
AMOUNT_OR_NOT = Setting("there", presence=True, measures=("s",))


def test_without_noise_everything_is_told(off: Off) -> None:
    off("noise")
    score = attack(by.Complement(), PEOPLE, AMOUNT_OR_NOT, signed(PRIVATE), games=GAMES)
    assert score.advantage == 1
    wins(score, bounds.of_private(score.charge))


@pytest.mark.parametrize("rule", ["", "clamping"])
def test_without_clamping_a_giant_is_seen(off: Off, rule: str) -> None:
    off(*([rule] if rule else []))
    giant = Setting("giant", presence=True, measures=("s",), times=HIGHEST)
    score = attack(by.OwnRow(), PEOPLE, giant, signed(PRIVATE), games=GAMES)
    (wins if rule else within)(score, bounds.of_private(score.charge))


class AskAgain(Strategy):
    """One question, three dozen times."""

    name = "again"
    fresh = True

    def moves(self, game: Game) -> by.Moves:
        for _ in range(36):
            yield by.Ask(Question(("u",)))


ONE_QUESTION = 500_000  # micro-rho: all of the contract's budget
SPENT_AT_ONCE = replace(
    PRIVATE, privacy=PrivacyTerms(contract_budget=ONE_QUESTION, query_budget=ONE_QUESTION), max_runs=100
)


@pytest.mark.parametrize(
    "rules",
    [(), ("one answer for one question",), ("one answer for one question", "budget")],
    ids=" and ".join,
)
def test_asking_again_pays_only_where_neither_answers_are_kept_nor_budgets_end(
    off: Off, rules: tuple[str, ...]
) -> None:
    off(*rules)
    score = attack(AskAgain(), PEOPLE, replace(THERE, measures=("u",)), signed(SPENT_AT_ONCE), games=24)
    (wins if "budget" in rules else within)(score, bounds.of_private(ONE_QUESTION))
