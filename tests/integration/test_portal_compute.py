"""Asking in the browser: by form and in SQL, checked before it runs, with and without scripts."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from audit.events import Event
from audit.models import Entry
from audit.sealer import seal_all
from contracts.services.signing import suspend_contract
from parties.roles import Role
from sandbox.models import Run
from sandbox.states import RunState
from tests import factories
from tests.computed import SQL, submitted

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def contract(city):
    datasets = [factories.published_dataset(city.power), factories.water_dataset(city.water)]
    return factories.signed_contract(city.enterprise, datasets, city.deciders)


@pytest.fixture
def client(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.enterprise)
    return client


def page(contract) -> str:
    return reverse("portal:compute", args=[contract.uid])


def check(contract) -> str:
    return reverse("portal:preview", args=[contract.uid])


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- Who ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("who", "status"), [("rival", 404), ("power", 403), ("bureau", 403), ("auditor", 403)]
)
def test_only_the_enterprise_of_the_contract_asks(client, city, contract, who, status):
    client.force_login(getattr(city, who))
    for step in ("check", "run"):
        asked = {"way": "sql", "sql": SQL, "step": step}
        assert client.post(page(contract), asked).status_code == status
        assert client.post(check(contract), asked, headers=HTMX).status_code == status
    assert client.get(page(contract)).status_code == status
    assert not Run.objects.exists()


def test_a_colleague_without_the_role_is_refused(client, city, contract):
    signatory = factories.account("signatory", city.enterprise.organization, Role.SIGNATORY)
    client.force_login(signatory)
    assert client.post(page(contract), {"way": "sql", "sql": SQL, "step": "run"}).status_code == 403
    assert not Run.objects.exists()


def test_a_visitor_is_led_to_the_log_in(client, contract):
    client.logout()
    for url in (page(contract), check(contract)):
        assert client.post(url, {"way": "sql", "sql": SQL}).status_code == 302
    assert not Run.objects.exists()


# --- Before running -------------------------------------------------------------------------------------------
def test_the_page_opens_with_a_question_that_can_be_run_as_it_stands(client, contract):
    shown = client.get(f"{page(contract)}?way=sql")
    example = shown.context["asked"].sql
    answer = client.post(check(contract), {"way": "sql", "sql": example}, headers=HTMX)
    assert answer.context["answer"].problems == []
    assert answer.context["answer"].rows == 120
    assert answer.context["answer"].cells == 3
    assert answer.context["answer"].runs_left == 100


def test_the_limits_stand_on_the_page_before_anything_is_run(client, contract):
    for way in ("form", "sql"):
        said = text_of(client.get(f"{page(contract)}?way={way}"))
        assert f"fewer than {contract.terms.disclosure.min_contributors} different contributors" in said
        assert "Empty and withheld cells look the same" in said


def test_a_check_costs_nothing_and_leaves_no_entry(client, contract):
    seal_all()
    before = Entry.objects.count()
    for text in (SQL, "SELECT nothing"):
        client.post(check(contract), {"way": "sql", "sql": text}, headers=HTMX)
    seal_all()
    assert Entry.objects.count() == before
    assert not Run.objects.exists()
    contract.refresh_from_db()
    assert contract.runs_used == 0


def test_every_problem_is_shown_with_its_place(client, contract):
    wrong = "SELECT distrikt, SUM(kwh)\nFROM electricity\nWHERE month = '1999-01'\nGROUP BY 1"
    for response in (
        client.post(check(contract), {"way": "sql", "sql": wrong}, headers=HTMX),
        client.post(page(contract), {"way": "sql", "sql": wrong, "step": "check"}),
    ):
        found = response.content.decode()
        places = set(re.findall(r'data-line="(\d+)" data-column="(\d+)" data-length="(\d+)"', found))
        assert {("1", "8", "8"), ("3", "15", "9")} <= places
        assert "guard.column" in found
        assert "guard.domain" in found


def test_what_was_typed_is_shown_as_text_and_nothing_else(client, contract):
    hostile = "SELECT '</textarea><script>alert(1)</script>' FROM electricity"
    response = client.post(page(contract), {"way": "sql", "sql": hostile, "title": '"><b>x', "step": "check"})
    assert "<script>alert" not in response.content.decode()
    assert '"><b>x' not in response.content.decode()


# --- Running --------------------------------------------------------------------------------------------------
def test_a_run_is_submitted_once_and_the_browser_sent_to_its_page(client, contract):
    response = client.post(
        page(contract), {"way": "sql", "sql": SQL, "title": " by district ", "step": "run"}
    )
    run = Run.objects.get()
    assert response.status_code == 302
    assert response["Location"] == reverse("portal:run", args=[run.uid])
    assert (run.computation.title, run.computation.text) == ("by district", SQL)
    assert run.state == RunState.QUEUED


def test_a_refused_question_stays_on_the_page_and_on_record(client, contract):
    response = client.post(
        page(contract), {"way": "sql", "sql": "SELECT * FROM electricity", "title": "t", "step": "run"}
    )
    assert response.status_code == 422
    assert response.context["asked"].sql == "SELECT * FROM electricity"
    assert response.context["asked"].title == "t"
    assert not Run.objects.exists()
    seal_all()
    entry = Entry.objects.get(act=Event.REFUSED)
    assert entry.fields["x"]["code"] == "guard.node"


def test_under_a_suspended_contract_the_page_says_so_and_nothing_runs(client, city, contract):
    suspend_contract(actor=factories.actor(city.power), contract=contract, reason="inspection")
    shown = client.get(page(contract))
    assert "suspended" in str(shown.context["closed"])
    assert b'value="run" aria-disabled="true"' in shown.content
    assert client.post(page(contract), {"way": "sql", "sql": SQL, "step": "run"}).status_code == 409
    assert not Run.objects.exists()


# --- The form builder -----------------------------------------------------------------------------------------
CHOSEN = {
    "way": "form",
    "dataset": ["electricity"],
    "by": ["electricity.district"],
    "measure": ["count_units:", "avg:electricity.kwh"],
    "only:electricity.month": ["2025-02"],
    "totals": "1",
}


def test_ticks_become_the_question(client, contract):
    client.post(page(contract), {**CHOSEN, "step": "run"})
    query = Run.objects.get().computation.query
    assert query["sources"] == ["electricity"]
    assert [d["column"] for d in query["dimensions"]] == [["electricity", "district"]]
    assert [(m["aggregate"], m["column"]) for m in query["measures"]] == [
        ("count_units", None),
        ("avg", ["electricity", "kwh"]),
    ]
    assert query["filters"] == [{"column": ["electricity", "month"], "values": ["2025-02"]}]
    assert query["totals"] is True


def test_a_column_of_another_dataset_brings_it_in_by_the_allowed_join(client, contract):
    join = "electricity.credit_code=water.credit_code"
    client.post(
        page(contract),
        {
            **CHOSEN,
            "measure": ["sum:electricity.kwh", "sum:water.cubic_metres"],
            "join": [join],
            "step": "run",
        },
    )
    query = Run.objects.get().computation.query
    assert query["sources"] == ["electricity", "water"]
    assert query["joins"] == [[["electricity", "credit_code"], ["water", "credit_code"]]]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": ["secrets"]},
        {"by": ["electricity.credit_code"]},
        {"by": ["nonsense"]},
        {"measure": ["max:electricity.kwh"]},
        {"measure": ["sum:"]},
        {"measure": []},
        {"only:electricity.month": ["2025-02' OR 1=1"]},
        {"only:electricity.credit_code": ["91370100000000000"]},
        {"measure": ["sum:electricity.kwh", "sum:water.cubic_metres"], "join": []},
        {
            "measure": ["sum:electricity.kwh", "sum:water.cubic_metres"],
            "join": ["electricity.kwh=water.cubic_metres"],
        },
    ],
)
def test_ticks_that_the_contract_does_not_hold_are_refused(client, contract, change):
    response = client.post(page(contract), {**CHOSEN, **change, "step": "run"})
    assert response.status_code == 422
    assert response.context["answer"].problems
    assert not Run.objects.exists()


def test_the_form_goes_on_in_sql_that_asks_the_same(client, contract):
    response = client.post(page(contract), {**CHOSEN, "step": "edit"})
    assert response.context["asked"].way == "sql"
    client.post(page(contract), {**CHOSEN, "step": "run"})
    client.post(page(contract), {"way": "sql", "sql": response.context["asked"].sql, "step": "run"})
    by_form, by_text = Run.objects.order_by("queued")
    assert by_form.computation.digest == by_text.computation.digest


# --- Asking again ---------------------------------------------------------------------------------------------
def test_an_earlier_question_is_filled_in_to_be_changed(client, city, contract):
    typed = submitted(city.enterprise, contract, title="first")
    shown = client.get(f"{page(contract)}?from={typed.uid}").context["asked"]
    assert (shown.way, shown.sql, shown.title) == ("sql", SQL, "first")
    client.post(page(contract), {**CHOSEN, "step": "run"})
    ticked = Run.objects.order_by("-queued")[0]
    shown = client.get(f"{page(contract)}?from={ticked.uid}").context["asked"]
    assert shown.way == "form"
    assert shown.chosen.dimensions == ("electricity.district",)


def test_another_enterprises_question_cannot_be_filled_in(client, city, contract):
    dataset = contract.request.items.first().dataset
    theirs = factories.signed_contract(city.rival, [dataset], (*city.deciders,))
    run = submitted(city.rival, theirs)
    assert client.get(f"{page(contract)}?from={run.uid}").status_code == 404


def test_the_page_asks_the_database_a_fixed_number_of_times(client, contract, django_assert_max_num_queries):
    client.get(page(contract))
    with django_assert_max_num_queries(25):
        client.get(page(contract))
    with django_assert_max_num_queries(25):
        client.post(check(contract), {"way": "sql", "sql": SQL}, headers=HTMX)


def test_a_join_that_counts_pairs_is_warned_of_in_the_page_and_the_api_and_still_runs(client, contract):
    joined = "SELECT SUM(cubic_metres) AS w FROM electricity JOIN water ON electricity.credit_code = water.credit_code"
    warned = text_of(client.post(check(contract), {"way": "sql", "sql": joined}))
    assert "electricity has several rows for the same unit" in warned
    assert "this can run" in warned
    one_month = f"{joined} WHERE month = '2025-01'"
    assert "several rows" not in text_of(client.post(check(contract), {"way": "sql", "sql": one_month}))
    answer = client.post(
        reverse("api:contract-preview", args=[contract.uid]), {"sql": joined}, content_type="application/json"
    )
    assert [w["code"] for w in answer.json()["warnings"]] == ["query.fan_out"]
