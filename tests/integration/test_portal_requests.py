"""Requests and decisions in the browser: nobody decides their own, each sees who holds it and what waits for them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contracts.models import AccessRequest, Contract, Decision
from contracts.states import RequestState
from parties.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def electricity(city):
    return factories.published_dataset(city.power)


@pytest.fixture
def water(city):
    return factories.water_dataset(city.water)


def page_of(asked) -> str:
    return reverse("portal:request", args=[asked.uid])


# --- Lists and one request --------------------------------------------------------------------------------
def test_visitors_are_led_to_the_log_in(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    for address in ("/requests/", page_of(asked)):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


def test_each_sees_the_requests_that_concern_them(client, city, electricity, water):
    asked = factories.filed_request(city.enterprise, [electricity])
    sees = {"enterprise": 200, "power": 200, "bureau": 200, "auditor": 200, "water": 404, "rival": 404}
    for name, status in sees.items():
        client.force_login(getattr(city, name))
        assert client.get(page_of(asked)).status_code == status, name
        assert list(client.get("/requests/").context["page"]) == ([asked] if status == 200 else []), name
        other = client.post(
            reverse("portal:request_decide", args=[asked.uid]), {"outcome": "decline", "reason": "x"}
        )
        assert (other.status_code == 404) == (status == 404), name


def test_hidden_and_absent_requests_answer_alike(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    absent = "00000000-0000-4000-8000-000000000000"
    client.force_login(city.rival)
    for name, data in (("request", None), ("request_decide", {}), ("request_withdraw", {})):
        answers = [
            client.get(url) if data is None else client.post(url, data)
            for url in (reverse(f"portal:{name}", args=[uid]) for uid in (asked.uid, absent))
        ]
        assert [answer.status_code for answer in answers] == [404, 404], name
    assert AccessRequest.objects.get().state == RequestState.FILED


def test_waiting_lists_what_the_organization_has_yet_to_decide(client, city, electricity, water):
    asked = factories.filed_request(city.enterprise, [electricity, water])
    client.force_login(city.power)
    assert list(client.get("/requests/", {"show": "waiting"}).context["page"]) == [asked]
    client.post(reverse("portal:request_decide", args=[asked.uid]), {"outcome": "grant", "reason": "同意"})
    assert list(client.get("/requests/", {"show": "waiting"}).context["page"]) == []
    client.force_login(city.water)
    assert list(client.get("/requests/", {"show": "waiting"}).context["page"]) == [asked]


def test_a_long_list_costs_as_few_queries_as_a_short_one(
    client, city, electricity, water, django_assert_max_num_queries
):
    for number in range(8):
        factories.filed_request(city.enterprise, [electricity, water], scenario=f"场景{number}")
    client.force_login(city.bureau)
    with django_assert_max_num_queries(16):
        assert len(client.get("/requests/").context["page"]) == 8


def test_the_timeline_says_who_holds_it_and_since_when(
    client, city, electricity, water, django_assert_max_num_queries
):
    asked = factories.filed_request(city.enterprise, [electricity, water])
    client.force_login(city.power)
    client.post(reverse("portal:request_decide", args=[asked.uid]), {"outcome": "grant", "reason": "同意"})
    client.force_login(city.enterprise)
    with django_assert_max_num_queries(20):
        steps = client.get(page_of(asked)).context["page"].steps
    assert [(step.holder, step.state) for step in steps] == [
        ("泉城数据公司", "done"), ("供电公司", "done"), ("水务集团", "now"), ("大数据局", "now"), ("", "next"),
    ]  # fmt: skip
    assert all(step.since for step in steps[:-1])


# --- Decide ---------------------------------------------------------------------------------------------
def test_granted_by_all_draws_up_a_contract_with_the_stricter_limits(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    decide = reverse("portal:request_decide", args=[asked.uid])
    client.force_login(city.power)
    shown = client.get(page_of(asked)).context["page"].form
    assert shown["min_contributors"].field.widget.attrs["placeholder"] == 10  # grade 2's own
    client.post(decide, {"outcome": "grant", "reason": "同意", "min_contributors": "12", "max_runs": "30"})
    client.force_login(city.bureau)
    assert (
        client.get(page_of(asked)).context["page"].form["min_contributors"].field.widget.attrs["placeholder"]
        == 12
    )
    client.post(decide, {"outcome": "grant", "reason": "同意", "min_contributors": "11"})
    contract = Contract.objects.get(request=asked)
    assert (contract.terms.disclosure.min_contributors, contract.terms.max_runs) == (12, 30)
    client.force_login(city.enterprise)
    body = client.get(page_of(asked)).content.decode()
    assert reverse("portal:contract", args=[contract.uid]) in body


def test_one_decline_ends_it_and_the_reason_is_shown(client, city, electricity, water):
    asked = factories.filed_request(city.enterprise, [electricity, water])
    client.force_login(city.water)
    client.post(
        reverse("portal:request_decide", args=[asked.uid]), {"outcome": "decline", "reason": "用途不够明确"}
    )
    client.force_login(city.enterprise)
    response = client.get(page_of(asked))
    assert "用途不够明确" in response.content.decode()
    assert [step.state for step in response.context["page"].steps] == [
        "done",
        "stopped",
        "next",
        "next",
        "stopped",
    ]
    assert not Contract.objects.exists()


def test_a_decision_needs_a_reason_and_keeps_what_was_entered(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    client.force_login(city.power)
    response = client.post(
        reverse("portal:request_decide", args=[asked.uid]),
        {"outcome": "grant", "reason": " ", "min_contributors": "25"},
    )
    assert response.status_code == 422
    form = response.context["page"].form
    assert set(form.errors) == {"reason"}
    assert form["min_contributors"].value() == "25"
    assert form.limits_touched
    assert not Decision.objects.exclude(outcome="").exists()


@pytest.mark.parametrize(
    "limit", [{"min_contributors": "2"}, {"dominance_percent": "101"}, {"max_runs": "0"}]
)
def test_limits_stay_within_their_bounds(client, city, electricity, limit):
    asked = factories.filed_request(city.enterprise, [electricity])
    client.force_login(city.power)
    response = client.post(
        reverse("portal:request_decide", args=[asked.uid]), {"outcome": "grant", "reason": "同意", **limit}
    )
    assert response.status_code == 422
    assert not Decision.objects.exclude(outcome="").exists()


def test_nobody_decides_twice_or_without_the_role(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    decide = reverse("portal:request_decide", args=[asked.uid])
    member = factories.account("member", city.power.organization, Role.MEMBER)
    for user, status in (
        (city.enterprise, 403),
        (member, 403),
        (city.auditor, 403),
        (city.power, 302),
        (city.power, 403),
    ):
        client.force_login(user)
        response = client.post(decide, {"outcome": "grant", "reason": "同意"})
        assert response.status_code == status, user
        if status == 403:
            assert response.context["refused"].reason in response.content.decode()
    assert Decision.objects.exclude(outcome="").get().decided_by == city.power


def test_a_colleague_without_the_role_sees_why_the_button_is_closed(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    client.force_login(factories.account("member", city.power.organization, Role.MEMBER))
    page = client.get(page_of(asked)).context["page"]
    assert page.decides
    assert page.why_not_decide


# --- Withdraw -------------------------------------------------------------------------------------------
def test_the_enterprise_withdraws_and_nobody_else_does(client, city, electricity):
    asked = factories.filed_request(city.enterprise, [electricity])
    withdraw = reverse("portal:request_withdraw", args=[asked.uid])
    client.force_login(city.power)
    assert client.post(withdraw).status_code == 403
    client.force_login(city.enterprise)
    assert client.get(withdraw).status_code == 405
    assert client.post(withdraw).status_code == 302
    assert AccessRequest.objects.get().state == RequestState.WITHDRAWN
    assert client.post(withdraw).status_code == 409
    client.force_login(city.power)
    late = client.post(
        reverse("portal:request_decide", args=[asked.uid]), {"outcome": "grant", "reason": "同意"}
    )
    assert late.status_code == 409
