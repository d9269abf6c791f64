"""P9 over HTTP: the answers are those of the games in one process, and nothing but them depends on a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import transaction

from contracts.models import Contract
from sandbox.formats import TOTAL
from sandbox.worker import Worker
from tests import factories
from tests.attacks.attacker import strategies as by
from tests.attacks.attacker.over_api import OverApi
from tests.attacks.attacker.questions import Question, Told
from tests.attacks.attacker.space import NOT_RELEASABLE, RELEASED, Space
from tests.attacks.attacker.switches import off
from tests.attacks.attacker.worlds import Game, Setting, draw, made_up
from tests.attacks.test_attacker import LEAVES, LONELY

pytestmark = pytest.mark.django_db
__all__ = ["off"]
PEOPLE = made_up()
HOSTILE = (
    "SELECT SUM(amount) FROM people WHERE who <> 'u7'",
    "SELECT SUM(amount) FROM people WHERE who NOT IN ('u7')",
    "SELECT SUM(amount) FROM people WHERE amount > 59",
    "SELECT SUM(amount) FROM people WHERE sector = 'steel' OR who = 'u7'",
    "SELECT who, SUM(amount) FROM people GROUP BY who",
    "SELECT MAX(amount) FROM people",
    "SELECT SUM(CAST(who AS INTEGER)) FROM people",
    "SELECT SUM(1 / (amount - 54)) FROM people",
    "SELECT SUM(amount) FROM nowhere",
    "SELECT SUM(amount) FROM people WHERE sector = 'gold'",
)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def a_game(setting: Setting, seed: int = 3) -> Game:
    return draw(PEOPLE, setting, np.random.default_rng(seed))


def asked(strategy: by.Strategy, game: Game) -> list[by.Ask]:
    return [move for move in strategy.moves(game) if isinstance(move, by.Ask)]


# --- The games in one process are the product's ---------------------------------------------------------------
@pytest.mark.parametrize("lane", ["table", "perturbed"])
def test_the_same_questions_have_the_same_answers_as_in_the_games(worker: Worker, lane: str) -> None:
    game = a_game(LONELY)
    api = OverApi(factories.city(), worker, game.truth[0], lane)
    extract = pq.read_table(Path(settings.EXTRACTS_DIR) / f"{api.dataset.current.sha256}.parquet")
    terms = {name: Contract.objects.get(uid=uid).terms for name, uid in api.contracts.items()}
    space = Space([extract], terms)
    strategies = (by.IndividualTracker(), by.TotalsMinusCells(), by.Negation())
    for move in [move for strategy in strategies for move in asked(strategy, game)]:
        there, here = api.ask(move.question.text, move.account), space.ask(move.question.text, move.account)
        assert there.outcome == here.outcome, move.question.text
        assert [_texts(row) for row in there.rows] == [_texts(row) for row in here.rows], move.question.text


def _texts(row: dict[str, object]) -> dict[str, str]:
    """JSON has exact decimals with a digit after the point, and a word where a total has no value."""
    return {name: str(value).removesuffix(".0").replace(str(TOTAL), "None") for name, value in row.items()}


def test_a_version_without_the_target_is_told_only_where_nothing_is_remembered(
    worker: Worker, off: Callable[..., None]
) -> None:
    for rules in ((), ("memory",)):
        point = transaction.savepoint()
        game = a_game(LEAVES)
        api = OverApi(factories.city(), worker, game.truth[0])
        off(*rules)
        whole = Question(
            ("s",), where=((next(iter(game.dims)), (str(next(iter(game.home.values()))),)),)
        ).text
        first = api.ask(whole, "one")
        api.publish(game.truth[1])
        second = api.ask(whole, "two")
        transaction.savepoint_rollback(point)
        assert first.outcome == RELEASED
        assert second.outcome == (RELEASED if rules else NOT_RELEASABLE)


# --- One surface ----------------------------------------------------------------------------------------------
def surface(worker: Worker, game: Game, which: int) -> tuple[list[object], list[Told]]:
    """Everything an enterprise sees of some thirty questions but the numbers, in one of the two worlds."""
    point = transaction.savepoint()
    api = OverApi(factories.city(), worker, game.versions[0][which])
    strategies = (by.Complement(), by.ZeroCells(), by.Arrangement(), by.OrPad(), by.TotalsMinusCells())
    texts = [*HOSTILE, *(move.question.text for s in strategies for move in asked(s, game))]
    told = [api.ask(text) for text in texts[:24]]
    if len(game.versions) > 1:
        api.publish(game.versions[1][which])
        told += [api.ask(text) for text in texts[10:15]]
    transaction.savepoint_rollback(point)
    return api.seen, told


def test_nothing_but_the_numbers_depends_on_a_value(worker: Worker) -> None:
    game = a_game(Setting("amount", lonely=True, versions=2))
    (seen, told), (others, other) = (surface(worker, game, which) for which in (0, 1))
    assert [t.outcome for t in told] == [t.outcome for t in other]
    assert seen == others
    codes = {t.outcome for t in told} - {RELEASED}
    assert {code for code in codes if not code.startswith("guard.")} <= {NOT_RELEASABLE}


def test_a_refusal_that_depends_on_data_has_one_code_and_no_reason(worker: Worker) -> None:
    game = a_game(LEAVES)
    api = OverApi(factories.city(), worker, game.truth[0])
    api.ask(Question(("s",)).text)
    api.publish(game.truth[1])
    assert api.ask(Question(("s",)).text).outcome == NOT_RELEASABLE
    *_, (status, _headers, body) = api.seen
    assert status == 200
    assert '"release": null' in body


def test_whether_the_target_is_there_is_not_told_by_the_catalog(worker: Worker) -> None:
    game = a_game(Setting("there", presence=True))
    sizes = [len(frame.unit) for frame in game.versions[0]]
    assert sizes[0] != sizes[1]
    told = []
    for frame in game.versions[0]:
        point = transaction.savepoint()
        api = OverApi(factories.city(), worker, frame)
        told.append(api.callers["one"].get("datasets/people").json()["rows"])
        transaction.savepoint_rollback(point)
    assert told[0] == told[1]
