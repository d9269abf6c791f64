"""P9: the ledger of answers. A repeat is the same answer for nothing; what lies too close to an answer is refused."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from audit import sealer
from audit.models import Entry
from audit.refusals import Refused
from catalog.schema import Schema
from contracts.models import Contract
from dataspace.portal.evidence_page import evidence_of
from sandbox.models import Answer, Release, Run
from sandbox.services import execute
from sandbox.services.preview import preview
from sandbox.services.submit import Question, cancel
from sandbox.states import Failure, RunState
from tests import computed, factories
from tests.factories import DISTRICTS, ELECTRICITY, MONTHS, electricity_rows

pytestmark = pytest.mark.django_db(transaction=True)

SQL = "SELECT district, COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"
SAME = [
    "select sum(kwh), count(*), district from electricity group by district",
    "SELECT e.district AS d, SUM(e.kwh) AS total, COUNT(*) AS n FROM electricity e GROUP BY 1 ORDER BY total DESC LIMIT 2",
    (
        "SELECT district, COUNT(*) AS n, SUM(kwh) AS s FROM electricity WHERE month IN ('2025-02', '2025-01') "
        "GROUP BY district HAVING n > 10"
    ),
    "SELECT district, COUNT(*) AS n, SUM(kwh) AS s FROM electricity GROUP BY district WITH TOTALS",
]


@pytest.fixture
def dataset(city):
    return factories.published_dataset(city.power)


@pytest.fixture
def contract(city, dataset):
    return factories.signed_contract(city.enterprise, [dataset], city.deciders)


def ask(user, contract, text=SQL) -> Run:
    return computed.submitted(user, contract, text)


def done(worker, user, contract, text=SQL) -> Run:
    return computed.done(worker, user, contract, text)


def without(*gone: int, enterprises: int = 60) -> list[dict[str, str]]:
    codes = {f"9137010{n:011d}" for n in gone}
    return [row for row in electricity_rows(enterprises) if row["credit_code"] not in codes]


# --- Repeats ----------------------------------------------------------------------------------------------
def test_a_repeat_in_other_words_is_the_same_answer_for_nothing(city, contract, worker, monkeypatch):
    first = done(worker, city.enterprise, contract)
    used = Contract.objects.get(pk=contract.pk).runs_used
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: pytest.fail("nothing is computed for a repeat"))
    numbers = {(r["district"], r["n"], r["kwh"]) for r in computed.table(first)}
    for text in [SQL, *SAME[:1]]:
        run = done(worker, city.enterprise, contract, text)
        assert (run.state, run.charged, run.answer) == (RunState.RELEASED, False, first.answer)
    again = computed.table(run)
    assert {(r["district"], r["count_rows"], r["sum_kwh"]) for r in again} == numbers
    assert Contract.objects.get(pk=contract.pk).runs_used == used
    assert Answer.objects.count() == 1


def test_arrangement_is_no_new_question(city, contract, worker):
    for text in [SQL, SAME[1], SAME[3]]:
        done(worker, city.enterprise, contract, text)
    assert Answer.objects.count() == 1


def test_a_filter_by_all_declared_values_is_no_filter(city, contract, worker):
    done(worker, city.enterprise, contract)
    run = done(worker, city.enterprise, contract, SAME[2])
    assert run.state == RunState.RELEASED
    assert Answer.objects.count() == 1


def test_a_repeat_is_answered_when_all_runs_are_used(city, dataset, worker):
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders, limits={"max_runs": 1})
    first = done(worker, city.enterprise, contract)
    again = done(worker, city.enterprise, contract)
    assert bytes(again.release.table) == bytes(first.release.table)
    with pytest.raises(Refused, match=r"contract\.quota"):
        ask(city.enterprise, contract, "SELECT COUNT(*) FROM electricity")


def test_preview_says_that_a_repeat_costs_nothing(city, contract, worker):
    acting, question = factories.actor(city.enterprise), Question(text=SQL)
    assert not preview(actor=acting, contract=contract, question=question).repeated
    done(worker, city.enterprise, contract)
    assert preview(actor=acting, contract=contract, question=question).repeated


def test_two_enterprises_under_equal_terms_get_one_answer(city, dataset, contract, worker):
    mine = done(worker, city.enterprise, contract)
    other = factories.signed_contract(city.rival, [dataset], city.deciders)
    theirs = done(worker, city.rival, other)
    assert bytes(theirs.release.table) == bytes(mine.release.table)
    assert theirs.answer == mine.answer
    assert theirs.answer.contract == contract, "who asked first has paid"


def test_stricter_terms_make_another_answer(city, dataset, contract, worker):
    mine = done(worker, city.enterprise, contract)
    strict = factories.signed_contract(city.rival, [dataset], city.deciders, limits={"round_counts": 10})
    theirs = done(worker, city.rival, strict)
    assert theirs.answer != mine.answer
    assert theirs.state == RunState.RELEASED


def test_the_log_names_the_answer_of_each_run(city, contract, worker):
    run = done(worker, city.enterprise, contract)
    sealer.seal_all()
    for act in ("run.queued", "run.released"):
        assert json.loads(bytes(Entry.objects.get(act=act).body))["x"]["answer"] == run.answer.key


# --- Too close to what was told before ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("gone", "state"),
    [((), "released"), ((0,), "failed"), ((0, 3, 6), "failed"), (range(36), "released")],
)
def test_a_version_that_lacks_a_few_is_not_answered(city, dataset, contract, worker, gone, state):
    text = "SELECT COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity"
    assert done(worker, city.enterprise, contract, text).state == RunState.RELEASED
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(*gone))
    run = done(worker, city.enterprise, contract, text)
    assert run.state == state
    assert run.failure == ("" if state == "released" else Failure.NOT_RELEASABLE)


def test_another_enterprise_cannot_ask_for_the_difference(city, dataset, contract, worker):
    """Collusion over versions: the first holds the old number, the second asks for the new one."""
    text = "SELECT SUM(kwh) FROM electricity"
    done(worker, city.enterprise, contract, text)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(7))
    other = factories.signed_contract(city.rival, [dataset], city.deciders)
    assert done(worker, city.rival, other, text).failure == Failure.NOT_RELEASABLE


def test_totals_minus_cells_tell_nobody(city, worker):
    """Two enterprises without a month: the total less the published months would tell them."""
    rows = [*electricity_rows(), {"credit_code": "91370109000000001", "district": DISTRICTS[0], "month": "", "kwh": "5.00"},
            {"credit_code": "91370109000000002", "district": DISTRICTS[0], "month": "", "kwh": "6.00"}]  # fmt: skip
    dataset = factories.published_dataset(city.power, rows=rows)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    by_month = "SELECT month, COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY month"
    assert done(worker, city.enterprise, contract, by_month).state == RunState.RELEASED
    everyone = "SELECT COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity"
    assert done(worker, city.enterprise, contract, everyone).failure == Failure.NOT_RELEASABLE


def test_a_refusal_is_remembered_and_says_no_more_the_second_time(
    city, dataset, contract, worker, monkeypatch
):
    text = "SELECT SUM(kwh) FROM electricity"
    done(worker, city.enterprise, contract, text)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(7))
    first = done(worker, city.enterprise, contract, text)
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: pytest.fail("it was refused before"))
    second = done(worker, city.enterprise, contract, text)
    assert first.failure == second.failure == Failure.NOT_RELEASABLE
    assert first.answer == second.answer
    assert first.answer.refused is not None


def test_too_many_refusals_that_depend_on_data_close_the_lane(city, dataset, worker):
    contract = factories.signed_contract(
        city.enterprise, [dataset], city.deciders, limits={"max_refusals": 2}
    )
    texts = ["SELECT SUM(kwh) FROM electricity", "SELECT COUNT(*) FROM electricity"]
    for text in texts:
        done(worker, city.enterprise, contract, text)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(7))
    for text in texts:
        assert done(worker, city.enterprise, contract, text).failure == Failure.NOT_RELEASABLE
    with pytest.raises(Refused, match=r"contract\.lane_closed"):
        ask(city.enterprise, contract, SQL)


def test_a_contract_has_so_many_different_tables(city, dataset, worker):
    contract = factories.signed_contract(
        city.enterprise, [dataset], city.deciders, limits={"max_releases": 1}
    )
    done(worker, city.enterprise, contract)
    assert done(worker, city.enterprise, contract, SAME[0]).state == RunState.RELEASED
    with pytest.raises(Refused, match=r"contract\.answers"):
        ask(city.enterprise, contract, "SELECT COUNT(*) FROM electricity")


def test_an_answer_given_meanwhile_is_compared_too(city, dataset, contract, worker):
    """Two workers finish two close questions at once: the second to come must look again."""
    text = "SELECT SUM(kwh) FROM electricity"
    early = execute.claim(str(ask(city.enterprise, contract, text).uid))
    assert early is not None
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(7))
    late = done(worker, city.enterprise, contract, text)
    assert late.state == RunState.RELEASED
    given = execute.Given(b"x", b"x", b"x", {}, "")
    missed = execute.give(early, given, {})
    assert missed == [late.answer]
    assert Answer.objects.get(pk=early.answer.pk).given is None


def test_two_who_ask_the_same_at_once_pay_once(city, contract):
    failures: list[BaseException] = []

    def one() -> None:
        try:
            ask(city.enterprise, contract)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Answer.objects.count() == 1
    assert Run.objects.count() == 5


# --- Tables that are safe one by one ------------------------------------------------------------------------
BY_DISTRICT = "SELECT district, COUNT(*) AS n FROM electricity GROUP BY district"
BY_MONTH = "SELECT month, COUNT(*) AS n FROM electricity GROUP BY month"
WIDER = Schema(tuple(
    replace(column, domain=(*DISTRICTS, "天桥区")) if column.name == "district" else column
    for column in ELECTRICITY.columns
))  # fmt: skip


@pytest.fixture
def linked(city):
    """The first district's four, which a table by district withholds, are January less two other districts."""
    places = [
        (4, DISTRICTS[0], MONTHS[0]),
        (50, DISTRICTS[1], MONTHS[0]),
        (60, DISTRICTS[2], MONTHS[0]),
        (20, "天桥区", MONTHS[1]),
    ]
    rows = [
        {"credit_code": f"9137010{100 * place + n:011d}", "district": district, "month": month, "kwh": "5.00"}
        for place, (count, district, month) in enumerate(places)
        for n in range(count)
    ]  # fmt: skip
    return factories.published_dataset(city.power, schema=WIDER, rows=rows)


@pytest.mark.parametrize("order", [(BY_DISTRICT, BY_MONTH), (BY_MONTH, BY_DISTRICT)])
def test_of_two_tables_that_fix_a_cell_together_the_second_is_refused(city, linked, worker, order):
    contract = factories.signed_contract(city.enterprise, [linked], city.deciders)
    assert done(worker, city.enterprise, contract, order[0]).state == RunState.RELEASED
    run = done(worker, city.enterprise, contract, order[1])
    assert (run.failure, run.cause) == (Failure.NOT_RELEASABLE, "linked")
    assert run.answer.refused is not None


def test_two_enterprises_do_not_get_the_two_tables_either(city, linked, worker):
    contract = factories.signed_contract(city.enterprise, [linked], city.deciders)
    other = factories.signed_contract(city.rival, [linked], city.deciders, limits={"round_counts": 10})
    assert done(worker, city.enterprise, contract, BY_DISTRICT).state == RunState.RELEASED
    assert done(worker, city.rival, other, BY_MONTH).cause == "linked"


def test_reviewers_see_what_was_audited_together(city, contract, worker):
    done(worker, city.enterprise, contract)
    run = done(worker, city.enterprise, contract, BY_MONTH.replace("COUNT(*)", "SUM(kwh)"))
    assert run.state == RunState.RELEASED
    (compared,) = run.answer.compared
    assert compared["linked"] is True
    assert "Audited together with 1 of them" in evidence_of(run.release, None, "").comparison


# --- The ledger itself --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM sandbox_answer",
        "UPDATE sandbox_answer SET charge = 0 - charge",
        'UPDATE sandbox_answer SET given = NULL, "table" = NULL',
        "UPDATE sandbox_answer SET \"table\" = 'x'::bytea",
        "UPDATE sandbox_answer SET datasets = '{}'",
        "UPDATE sandbox_answer SET refused = now()",
    ],
)
def test_the_database_refuses_to_change_the_ledger(city, contract, worker, change):
    done(worker, city.enterprise, contract)
    with pytest.raises(Error, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


# --- Ticks --------------------------------------------------------------------------------------------------
def test_a_result_is_told_on_the_tick_and_not_before(city, contract, worker, settings):
    settings.RELEASE_TICK_SECONDS = 3600
    run = done(worker, city.enterprise, contract)
    assert (run.state, run.failure, run.cause) == (RunState.RUNNING, "", "")
    assert run.due == run.queued + timedelta(seconds=3600)
    assert run.answer.given is not None
    assert not Release.objects.exists()
    assert execute.finish(str(run.uid)) is None
    Run.objects.filter(pk=run.pk).update(due=timezone.now() - timedelta(seconds=2))
    execute.sweep()
    assert Run.objects.get(pk=run.pk).state == RunState.RELEASED


def test_a_refusal_that_depends_on_data_waits_for_the_tick_as_well(city, dataset, contract, worker, settings):
    text = "SELECT SUM(kwh) FROM electricity"
    done(worker, city.enterprise, contract, text)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=without(7))
    settings.RELEASE_TICK_SECONDS = 3600
    run = done(worker, city.enterprise, contract, text)
    assert (run.state, run.failure) == (RunState.RUNNING, "")
    Run.objects.filter(pk=run.pk).update(due=timezone.now())
    execute.finish(str(run.uid))
    assert Run.objects.get(pk=run.pk).failure == Failure.NOT_RELEASABLE


def test_a_run_that_waits_for_its_tick_can_be_cancelled_and_is_not_taken_for_stuck(
    city, contract, worker, settings
):
    settings.RELEASE_TICK_SECONDS = 3600
    run = done(worker, city.enterprise, contract)
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - timedelta(seconds=60))
    execute.sweep()
    assert Run.objects.get(pk=run.pk).state == RunState.RUNNING
    cancel(actor=factories.actor(city.enterprise), run=run)
    Run.objects.filter(pk=run.pk).update(due=timezone.now())
    execute.finish(str(run.uid))
    run = Run.objects.get(pk=run.pk)
    assert (run.state, run.failure) == (RunState.CANCELLED, Failure.REQUESTED)
