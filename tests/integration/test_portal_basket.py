"""The basket in the browser: one request over several datasets, and nothing entered is lost on the way."""

from __future__ import annotations

import pytest
from django.urls import reverse

from catalog.services import hide_from, show_to, withdraw_dataset
from contracts.models import AccessRequest
from dataspace.portal.basket import MOST
from parties.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db

BASKET = "/basket/"
SAID = {
    "purpose": "industry",
    "scenario": "园区用能监测",
    "wanted": "各区县月度用电量",
    "term_days": "180",
    "max_runs": "50",
}


@pytest.fixture
def electricity(city):
    return factories.published_dataset(city.power)


@pytest.fixture
def water(city):
    return factories.water_dataset(city.water)


def put_in(client, *datasets):
    for dataset in datasets:
        assert client.post(reverse("portal:basket_add"), {"dataset": str(dataset.uid)})["Location"] == BASKET


def chosen(dataset, *, dimensions=(), measures=()) -> dict[str, list[str]]:
    return {f"{dataset.uid}-dimensions": list(dimensions), f"{dataset.uid}-measures": list(measures)}


def page_of(asked) -> str:
    return reverse("portal:request", args=[asked.uid])


# --- Basket ---------------------------------------------------------------------------------------------
def test_one_request_over_several_datasets(client, city, electricity, water):
    client.force_login(city.enterprise)
    put_in(client, electricity, water)
    data = {
        **SAID, "file": "1", **chosen(electricity, dimensions=["district", "month"], measures=["kwh"]),
        **chosen(water, measures=["cubic_metres"]),
    }  # fmt: skip
    response = client.post(BASKET, data)
    asked = AccessRequest.objects.get()
    assert response["Location"] == page_of(asked)
    assert {item.dataset.name: item.columns for item in asked.items.all()} == {
        "electricity": ["district", "kwh", "month"], "water": ["cubic_metres"],
    }  # fmt: skip
    assert (asked.term_days, asked.max_runs, asked.purpose) == (180, 50, "industry")
    assert set(asked.decisions.values_list("organization__name", "part")) == {
        ("供电公司", "provider"), ("水务集团", "provider"), ("大数据局", "bureau"),
    }  # fmt: skip
    assert client.get(BASKET).context["forms"].columns == []


def test_errors_keep_everything_that_was_entered(client, city, electricity, water):
    client.force_login(city.enterprise)
    put_in(client, electricity, water)
    wrong = {**SAID, "term_days": "1826", "wanted": "", "file": "1", **chosen(electricity, measures=["kwh"])}
    response = client.post(BASKET, wrong)
    assert response.status_code == 422
    forms = response.context["forms"]
    assert set(forms.request.errors) == {"term_days", "wanted"}
    assert [bool(form.non_field_errors()) for form in forms.columns] == [False, True]  # no column of water
    assert not AccessRequest.objects.exists()
    again = client.get(BASKET).context["forms"]  # another day, another page in between
    assert again.request["scenario"].value() == SAID["scenario"]
    assert again.request["term_days"].value() == "1826"
    assert again.columns[0]["measures"].value() == ["kwh"]


def test_columns_that_are_not_offered_cannot_be_asked_for(client, city, electricity):
    client.force_login(city.enterprise)
    put_in(client, electricity)
    for field in ("dimensions", "measures"):
        response = client.post(
            BASKET, {**SAID, "file": "1", **chosen(electricity, **{field: ["credit_code"]})}
        )
        assert response.status_code == 422
    assert not AccessRequest.objects.exists()


def test_removing_one_dataset_keeps_the_rest(client, city, electricity, water):
    client.force_login(city.enterprise)
    put_in(client, electricity, water)
    response = client.post(
        BASKET, {**SAID, "remove": str(water.uid), **chosen(electricity, dimensions=["month"])}
    )
    assert response["Location"] == BASKET
    forms = client.get(BASKET).context["forms"]
    assert [form.dataset.name for form in forms.columns] == ["electricity"]
    assert forms.columns[0]["dimensions"].value() == ["month"]
    assert forms.request["scenario"].value() == SAID["scenario"]


def test_a_visitor_fills_a_basket_and_keeps_it_through_the_log_in(client, city, electricity):
    put_in(client, electricity)
    client.post(BASKET, {**SAID, "keep": "1", **chosen(electricity, measures=["kwh"])})
    filing = client.post(BASKET, {**SAID, "file": "1", **chosen(electricity, measures=["kwh"])})
    assert filing.status_code == 403
    assert not AccessRequest.objects.exists()
    client.post("/login/", {"username": "enterprise", "password": factories.PASSWORD})
    assert client.get(BASKET).context["forms"].columns[0]["measures"].value() == ["kwh"]
    assert (
        client.post(BASKET, {**SAID, "file": "1", **chosen(electricity, measures=["kwh"])}).status_code == 302
    )
    assert AccessRequest.objects.get().organization == city.enterprise.organization


def test_a_dataset_that_was_hidden_meanwhile_leaves_the_basket(client, city):
    hidden = factories.published_dataset(city.power, "hidden", visibility="named")
    show_to(actor=factories.actor(city.power), dataset=hidden, organization=city.enterprise.organization)
    client.force_login(city.enterprise)
    put_in(client, hidden)
    hide_from(actor=factories.actor(city.power), dataset=hidden, organization=city.enterprise.organization)
    response = client.post(BASKET, {**SAID, "file": "1", **chosen(hidden, measures=["kwh"])})
    assert response.status_code == 400
    assert response.context["refused"].code == "request.empty"
    assert "企业月度用电量" not in response.content.decode()
    assert not AccessRequest.objects.exists()


def test_a_withdrawn_dataset_is_refused_with_the_reason(client, city, electricity):
    show_to(actor=factories.actor(city.power), dataset=electricity, organization=city.enterprise.organization)
    client.force_login(city.enterprise)
    put_in(client, electricity)
    withdraw_dataset(actor=factories.actor(city.power), dataset=electricity)
    response = client.post(BASKET, {**SAID, "file": "1", **chosen(electricity, measures=["kwh"])})
    assert response.status_code == 409
    assert response.context["refused"].code == "dataset.not_offered"


@pytest.mark.parametrize("who", ["power", "bureau", "auditor", "signatory"])
def test_only_an_enterprise_s_members_file(client, city, electricity, who):
    user = (
        factories.account("signatory", city.enterprise.organization, Role.SIGNATORY)
        if who == "signatory"
        else getattr(city, who)
    )
    client.force_login(user)
    put_in(client, electricity)
    assert 'aria-disabled="true"' in client.get(BASKET).content.decode()
    assert (
        client.post(BASKET, {**SAID, "file": "1", **chosen(electricity, measures=["kwh"])}).status_code == 403
    )
    assert not AccessRequest.objects.exists()


def test_the_basket_has_an_end(client, city, electricity):
    session = client.session
    session["basket"] = {
        "items": {f"00000000-0000-0000-0000-{n:012d}": [] for n in range(MOST)},
        "entered": {},
    }
    session.save()
    client.post(reverse("portal:basket_add"), {"dataset": str(electricity.uid)})
    assert str(electricity.uid) not in client.session["basket"]["items"]


def test_a_full_basket_costs_as_few_queries_as_a_small_one(client, city, django_assert_max_num_queries):
    datasets = [
        factories.published_dataset(city.power, f"electricity_{n}", title=f"用电{n}") for n in range(8)
    ]
    client.force_login(city.enterprise)
    put_in(client, *datasets)
    with django_assert_max_num_queries(10):
        assert len(client.get(BASKET).context["forms"].columns) == 8
