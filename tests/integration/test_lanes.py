"""P9 in the perturbed and the private lane: from the provider's choice to the release, through ledger and budget."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from audit.refusals import Refused
from contracts.models import Contract
from contracts.policy.terms import Lane, Level
from sandbox import ledger
from sandbox.isolation.outcome import Outcome, Status
from sandbox.models import Answer, Release, Run
from sandbox.services import execute
from sandbox.services.preview import preview
from sandbox.services.reproduce import reproduce
from sandbox.services.submit import Question
from sandbox.states import Failure, RunState
from tests import factories
from tests.computed import done, submitted, table
from tests.factories import ELECTRICITY

pytestmark = pytest.mark.django_db(transaction=True)

SUM = "SELECT district, SUM(kwh) AS kwh FROM electricity GROUP BY district"
COUNT = "SELECT district, COUNT(*) AS n FROM electricity GROUP BY district"
PRIVATE = {
    "electricity.": {"lane": "private"},
    "electricity.kwh": {"lane": "private", "low": 0, "high": 5000},
}
PERTURBED = {"electricity.": {"lane": "perturbed"}, "electricity.kwh": {"lane": "perturbed"}}


@pytest.fixture
def dataset(city):
    return factories.published_dataset(city.power)


def contract_in(city, dataset, lanes, user=None, **limits) -> Contract:
    return factories.signed_contract(
        user or city.enterprise, [dataset], city.deciders, lanes=lanes, limits=limits or None
    )


def spent(contract) -> int:
    return ledger.budgets(contract)[""].spent


# --- The provider's choice ------------------------------------------------------------------------------------
def test_the_providers_choice_is_signed_and_nobody_elses(city, dataset):
    contract = contract_in(city, dataset, PRIVATE)
    term = contract.terms.dataset("electricity")
    assert (term.lane, term.column("kwh").lane, term.column("kwh").high) == (Lane.PRIVATE, Lane.PRIVATE, 5000)
    assert term.budget > 0
    assert contract.terms.privacy is not None
    assert term.column("district").level is Level.UNIT


@pytest.mark.parametrize(
    "lanes",
    [
        {"water.": {"lane": "private"}},
        {"electricity.kwh": {"lane": "open"}},
        {"electricity.kwh": {"lane": "private"}},
        {"electricity.kwh": {"lane": "private", "low": 5, "high": 10}},
        {"electricity.kwh": {"lane": "private", "low": 0, "high": "x"}},
        {"electricity.kwh": {"lane": "private", "high": 9, "extra": 1}},
    ],
)
def test_a_choice_that_no_contract_can_hold_is_refused(city, dataset, lanes):
    with pytest.raises(Refused, match=r"request\.lanes"):
        contract_in(city, dataset, lanes)


def test_a_measure_leaves_in_one_lane_whoever_asks(city, dataset, worker):
    exact = contract_in(city, dataset, None)
    assert done(worker, city.enterprise, exact, SUM).state == RunState.RELEASED
    noisy = contract_in(city, dataset, {"electricity.kwh": PRIVATE["electricity.kwh"]}, user=city.rival)
    with pytest.raises(Refused, match=r"lane\.mixed"):
        submitted(city.rival, noisy, SUM)
    assert done(worker, city.rival, noisy, COUNT).state == RunState.RELEASED, "counts are another measure"


# --- Differential privacy -------------------------------------------------------------------------------------
def test_a_private_answer_has_every_cell_with_its_interval(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    run = done(
        worker,
        city.enterprise,
        contract,
        "SELECT district, COUNT(*) AS n, AVG(kwh) AS a FROM electricity GROUP BY 1",
    )
    assert run.state == RunState.RELEASED, run.cause
    rows = table(run)
    assert [row["district"] for row in rows] == list(factories.DISTRICTS)
    assert all(row["⌊n⌋"] <= row["n"] <= row["⌈n⌉"] for row in rows)
    assert run.answer.charge == spent(contract) > 0
    assert run.release.summary["lane"] == "private"


def test_it_is_charged_when_asked_and_never_given_back(city, dataset, worker, monkeypatch):
    contract = contract_in(city, dataset, PRIVATE)
    run = submitted(city.enterprise, contract, SUM)
    charged = spent(contract)
    assert charged > 0, "before any data is read"
    with monkeypatch.context() as patch:
        patch.setattr(worker.pool, "run", lambda *_a, **_k: Outcome(Status.MEMORY_LIMIT))
        worker.work(str(run.uid))
    assert Run.objects.get(pk=run.pk).failure == Failure.NOT_RELEASABLE
    assert spent(contract) == charged
    again = done(worker, city.enterprise, contract, SUM)
    assert again.state == RunState.RELEASED
    assert spent(contract) == charged, "what was paid for and not given is given for the same charge"


def test_a_repeat_shows_the_same_noise_however_it_is_arranged(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    first = {row["district"]: row["kwh"] for row in table(done(worker, city.enterprise, contract, SUM))}
    paid = spent(contract)
    text = "SELECT SUM(kwh) AS total, district FROM electricity GROUP BY district ORDER BY total DESC"
    again = {row["district"]: row["total"] for row in table(done(worker, city.enterprise, contract, text))}
    assert again == first
    assert spent(contract) == paid


def test_two_enterprises_get_the_same_noise_for_one_charge(city, dataset, worker):
    """Collusion does not average: equal terms, one answer."""
    mine = contract_in(city, dataset, PRIVATE)
    theirs = contract_in(city, dataset, PRIVATE, user=city.rival)
    first, second = done(worker, city.enterprise, mine, SUM), done(worker, city.rival, theirs, SUM)
    assert table(first) == table(second)
    assert (spent(mine), spent(theirs)) == (first.answer.charge, 0)
    assert ledger.budgets(theirs)["electricity"].spent == first.answer.charge


def test_the_contracts_budget_ends(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE, contract_budget=25_000, query_budget=10_000)
    for text in (SUM, COUNT):
        assert done(worker, city.enterprise, contract, text).state == RunState.RELEASED
    with pytest.raises(Refused, match=r"contract\.budget"):
        submitted(city.enterprise, contract, "SELECT COUNT(*) AS n FROM electricity")
    assert done(worker, city.enterprise, contract, SUM).state == RunState.RELEASED, "a repeat costs nothing"


def test_a_new_version_account_or_contract_does_not_reset_the_datasets_budget(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    done(worker, city.enterprise, contract, SUM)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=factories.electricity_rows(57))
    done(worker, city.enterprise, contract, SUM)
    other = contract_in(city, dataset, PRIVATE, user=city.rival)
    total = Answer.objects.aggregate(total=Sum("charge"))["total"]
    assert ledger.budgets(other)["electricity"].spent == total == spent(contract)
    assert Answer.objects.count() == 2


def test_two_at_once_do_not_overdraw_the_budget(city, dataset):
    contract = contract_in(city, dataset, PRIVATE, contract_budget=20_000, query_budget=10_000)
    texts = [f"SELECT COUNT(*) AS n FROM electricity WHERE district = '{d}'" for d in factories.DISTRICTS]
    texts += [f"SELECT COUNT(*) AS n FROM electricity WHERE month = '{m}'" for m in factories.MONTHS]
    outcomes: list[str] = []

    def one(text: str) -> None:
        try:
            submitted(city.enterprise, contract, text)
            outcomes.append("ok")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["contract.budget"] * 3 + ["ok"] * 2
    assert spent(contract) <= 20_000


def test_preview_tells_price_error_and_what_is_left_and_charges_nothing(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    found = preview(actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SUM))
    assert found.lane is Lane.PRIVATE
    assert found.charge > 0
    assert (
        found.questions_left == contract.terms.privacy.contract_budget // contract.terms.privacy.query_budget
    )
    assert found.expected["kwh"].half_width > 0
    assert spent(contract) == 0
    done(worker, city.enterprise, contract, SUM)
    again = preview(actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SUM))
    assert (again.charge, again.repeated) == (0, True)


def test_the_private_lane_says_why_it_is_not_computed_again(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    run = done(worker, city.enterprise, contract, SUM)
    result = reproduce(Release.objects.get(run=run), worker)
    assert not result.same
    assert result.problem == "noise is drawn once"


def test_a_dead_worker_costs_no_second_draw_that_anyone_sees(city, dataset, worker):
    contract = contract_in(city, dataset, PRIVATE)
    run = submitted(city.enterprise, contract, SUM)
    assert execute.claim(str(run.uid)) is not None
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - timedelta(seconds=1))
    execute.sweep()
    worker.work(str(run.uid))
    assert Run.objects.get(pk=run.pk).state == RunState.RELEASED
    assert Answer.objects.count() == 1
    assert spent(contract) == Answer.objects.get().charge


# --- Cell key -------------------------------------------------------------------------------------------------
def test_the_perturbed_lane_answers_and_is_the_same_when_computed_again(city, dataset, worker):
    contract = contract_in(city, dataset, PERTURBED)
    text = "SELECT district, COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district WITH TOTALS"
    run = done(worker, city.enterprise, contract, text)
    assert run.state == RunState.RELEASED, run.cause
    rows = table(run)
    assert [row["district"] for row in rows] == [*factories.DISTRICTS, None]
    assert all(abs(row["n"] - 40) <= 5 for row in rows[:-1])
    assert run.release.summary["totals"] == "of_their_own_contributors"
    assert reproduce(run.release, worker).same
