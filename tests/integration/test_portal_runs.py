"""Computations in the browser: live state, result, who sees what, cancelling."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from contracts.services.signing import suspend_contract
from dataspace.portal.run_page import latest_runs
from parties.roles import Role
from sandbox.models import Run
from sandbox.services.execute import claim
from sandbox.services.submit import cancel
from sandbox.states import Failure, RunState
from tests import factories
from tests.computed import SQL, released, submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


@pytest.fixture
def client(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.enterprise)
    return client


def at(run: Run, name: str = "run") -> str:
    return reverse(f"portal:{name}", args=[run.uid])


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- The list ---------------------------------------------------------------------------------------------
def test_each_sees_the_runs_that_concern_them(client, city, contract):
    run = submitted(city.enterprise, contract)
    sees = {
        "enterprise": True,
        "power": True,
        "bureau": True,
        "auditor": True,
        "water": False,
        "rival": False,
    }
    for who, seen in sees.items():
        client.force_login(getattr(city, who))
        assert list(client.get("/runs/").context["page"]) == ([run] if seen else []), who
        assert client.get(at(run)).status_code == (200 if seen else 404), who
        assert client.get(at(run, "run_status")).status_code == (200 if seen else 404), who


def test_the_list_narrows_by_contract_and_state(client, city, contract):
    other = factories.signed_contract(
        city.enterprise, [contract.request.items.first().dataset], city.deciders
    )
    waiting, elsewhere = submitted(city.enterprise, contract), submitted(city.enterprise, other)
    stopped = cancel(actor=factories.actor(city.enterprise), run=submitted(city.enterprise, contract))

    def listed(**query: str) -> set[Run]:
        return set(client.get("/runs/", query).context["page"])

    assert listed() == {waiting, stopped, elsewhere}
    assert listed(contract=str(contract.uid)) == {waiting, stopped}
    assert listed(state="cancelled") == {stopped}
    assert listed(contract=str(other.uid), state="cancelled") == set()
    assert listed(contract="nonsense", state="nonsense") == {waiting, stopped, elsewhere}


def test_an_empty_list_says_how_to_begin(client):
    said = text_of(client.get("/runs/"))
    assert "Open a contract and choose Compute" in said
    assert "No computation fits these filters" in text_of(client.get("/runs/?state=failed"))


def test_the_list_asks_the_database_a_fixed_number_of_times(
    client, city, contract, django_assert_max_num_queries
):
    for _ in range(6):
        submitted(city.enterprise, contract)
    client.get("/runs/")
    with django_assert_max_num_queries(12):
        client.get("/runs/")


def test_the_newest_runs_of_a_contract_are_for_those_who_see_them(city, contract):
    runs = [submitted(city.enterprise, contract) for _ in range(7)]
    assert list(latest_runs(factories.actor(city.power), contract)) == runs[:-6:-1]
    assert not latest_runs(factories.actor(city.rival), contract)


# --- Live -------------------------------------------------------------------------------------------------
def test_the_page_polls_while_the_run_moves_and_shows_itself_anew_when_it_is_over(
    client, city, contract, worker
):
    run = submitted(city.enterprise, contract)
    assert f'hx-get="{at(run, "run_status")}"'.encode() in client.get(at(run)).content
    assert "Waiting for a free sandbox" in text_of(client.get(at(run, "run_status")))
    assert claim(str(run.uid)) is not None
    assert "Computing in the sandbox" in text_of(client.get(at(run, "run_status")))
    Run.objects.filter(pk=run.pk).update(lease=timezone.now(), state=RunState.QUEUED, claim=None)
    worker.work(str(run.uid))
    assert client.get(at(run, "run_status")).headers["HX-Refresh"] == "true"
    assert b"hx-get" not in client.get(at(run)).content


def test_a_step_says_who_holds_it_and_since_when(client, city, contract):
    run = submitted(city.enterprise, contract)
    steps = client.get(at(run)).context["page"].steps
    assert [step.state for step in steps] == ["done", "now", "next", "next"]
    assert steps[0].holder == city.enterprise.organization.name
    assert steps[1].since == run.state_since


@pytest.mark.parametrize(
    "failure", [f for f in Failure if f not in (Failure.REQUESTED, Failure.CONTRACT_HALTED)]
)
def test_a_failure_is_told_in_its_own_words_and_no_others(client, city, contract, failure):
    from sandbox.services.execute import end

    run = submitted(city.enterprise, contract)
    claimed = claim(str(run.uid))
    assert claimed is not None
    end(claimed, failure)
    shown = client.get(at(run))
    assert str(failure.label) in text_of(shown)
    assert shown.context["release"] is None
    assert [s.state for s in shown.context["page"].steps] == ["done", "done", "stopped", "next"]


def test_a_run_the_contract_halted_says_so(client, city, contract):
    run = submitted(city.enterprise, contract)
    suspend_contract(actor=factories.actor(city.power), contract=contract, reason="inspection")
    assert claim(str(run.uid)) is None
    assert str(Failure.CONTRACT_HALTED.label) in text_of(client.get(at(run)))


# --- Cancelling -------------------------------------------------------------------------------------------
def test_a_waiting_run_is_cancelled_at_once_and_not_charged(client, city, contract):
    run = submitted(city.enterprise, contract)
    assert client.post(at(run, "run_cancel")).status_code == 302
    run.refresh_from_db()
    contract.refresh_from_db()
    assert (run.state, contract.runs_used) == (RunState.CANCELLED, 0)
    assert b"run_cancel" not in client.get(at(run)).content


def test_only_the_enterprise_cancels_and_only_by_post(client, city, contract):
    run = submitted(city.enterprise, contract)
    assert client.get(at(run, "run_cancel")).status_code == 405
    for who, status in {"power": 302, "bureau": 302, "auditor": 302, "rival": 404}.items():
        client.force_login(getattr(city, who))
        assert client.post(at(run, "run_cancel")).status_code == status
        assert at(run, "run_cancel").encode() not in client.get(at(run)).content
        run.refresh_from_db()
        assert (run.state, run.cancel_requested) == (RunState.QUEUED, False)


def test_a_run_that_is_over_cannot_be_cancelled(client, city, contract, worker):
    run = released(worker, city.enterprise, contract)
    response = client.post(at(run, "run_cancel"), follow=True)
    assert "nothing to cancel" in text_of(response)
    run.refresh_from_db()
    assert run.state == RunState.RELEASED


# --- The result -------------------------------------------------------------------------------------------
def test_the_result_is_shown_as_chart_and_table_with_its_rules_and_question(client, city, contract, worker):
    run = released(worker, city.enterprise, contract, title="by district")
    shown = client.get(at(run))
    release = shown.context["release"]
    assert release.chart["summary"]
    assert [str(c.label) for c in shown.context["table"].columns] == ["district", "n", "used"]
    rows = shown.context["table"].rows
    assert [row[0] for row in rows[:3]] == list(factories.DISTRICTS)
    assert len(rows) == 4  # and the totals: of sums, for one contributor may stand in several cells
    assert (rows[3][1], rows[3][2]) == (None, sum(row[2] for row in rows[:3]))
    said = text_of(shown)
    assert f"fewer than {contract.terms.disclosure.min_contributors} different contributors" in said
    assert "Totals add up what is published" in said
    assert SQL in shown.context["page"].text
    assert run.computation.digest in shown.content.decode()


def test_withheld_and_empty_look_the_same(client, city, worker):
    few = [row for row in factories.electricity_rows(60) if row["district"] != "槐荫区"]
    few += [{**row, "district": "槐荫区"} for row in factories.electricity_rows(60)[:2]]
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power, rows=few)], city.deciders
    )
    text = (
        "SELECT district, month, COUNT(DISTINCT credit_code) AS n FROM electricity GROUP BY district, month"
    )
    shown = client.get(at(released(worker, city.enterprise, contract, text)))
    hidden = [row for row in shown.context["table"].rows if row[2] is None]
    assert {row[0] for row in hidden} >= {"槐荫区"}
    cells = set(re.findall(r'<span class="withheld".*?</span></span>', shown.content.decode()))
    assert len(cells) == 1
    assert shown.context["release"].not_shown == len(hidden)


@pytest.mark.parametrize("who", ["power", "bureau_approver", "auditor"])
def test_those_without_a_right_to_the_result_see_that_it_ran_and_nothing_of_what_came_out(
    client, city, contract, worker, who
):
    run = released(
        worker,
        city.enterprise,
        contract,
        "SELECT district, COUNT(*) AS records FROM electricity -- our secret plan\nGROUP BY 1",
    )
    reader = (
        factories.account("approver", city.bureau.organization, Role.APPROVER, Role.MEMBER)
        if who == "bureau_approver"
        else getattr(city, who)
    )
    client.force_login(reader)
    shown = client.get(at(run))
    assert shown.status_code == 200
    assert shown.context["release"] is None
    assert shown.context["table"] is None
    said = shown.content.decode()
    assert "secret plan" not in said
    assert "/csv/" not in said
    assert run.release.digest.removeprefix("sha256:") not in said
    assert "district" in said  # the question is no secret to those whose data it asks


def test_the_page_of_a_run_is_not_kept_by_browsers_or_proxies(client, city, contract):
    assert "no-store" in client.get(at(submitted(city.enterprise, contract)))["Cache-Control"]


def test_a_question_without_a_title_is_called_by_what_it_measures(client, city, contract, worker):
    run = released(worker, city.enterprise, contract)
    named = "n, used by district"
    assert named in text_of(client.get(reverse("portal:runs")))
    assert named in text_of(client.get(at(run)))


def test_the_newest_result_stands_on_the_front_page_while_its_contract_opens_it(
    client, city, contract, worker
):
    released(worker, city.enterprise, contract)
    latest = client.get(reverse("portal:home")).context["latest"]
    assert latest.chart["summary"].startswith("n by district")
    suspend_contract(actor=factories.actor(city.bureau), contract=contract, reason="a complaint")
    assert client.get(reverse("portal:home")).context["latest"] is None
