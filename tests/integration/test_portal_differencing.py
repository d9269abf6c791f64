"""The page of the differencing attack: for every account, for every choice, in both languages, and nothing is written."""

from __future__ import annotations

import html
import re
from itertools import product

import pytest
from django.urls import reverse

from audit.models import Entry, OutboxRow
from dataspace.portal.differencing_plans import Attack, targets
from parties.roles import Role
from sandbox.models import Answer, Release, Run
from sandbox.worker import Worker
from tests import factories
from tests.computed import released

pytestmark = pytest.mark.django_db

PAGE = "/differencing/"


@pytest.fixture
def client(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.enterprise)
    return client


def text_of(response) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def test_a_visitor_is_led_to_the_log_in(client):
    client.logout()
    assert client.get(PAGE)["Location"].startswith("/login/")


def test_everyone_with_an_account_sees_it(client, city):
    bureau = city.bureau.organization
    reviewer = factories.account("reviewer", bureau, Role.REVIEWER, Role.MEMBER)
    for reader in (city.enterprise, city.power, city.bureau, city.auditor, reviewer):
        client.force_login(reader)
        said = text_of(client.get(PAGE))
        assert "The attack succeeds" in said, reader.username
        assert said.count("The attack fails") == 2, "and of small changes: the value stays uncertain"


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_choice_is_shown(client, language):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    for attack, target in product(Attack, targets()):
        response = client.get(PAGE, {"attack": attack, "target": target})
        page = response.context["page"]
        assert (page.attack, page.target.name) == (attack, target)
        assert response.content.decode().count(" selected") >= 2
        assert response.content.decode().count("<pre") == len(page.questions)
        said = text_of(response)
        assert f"{page.target.mwh} MWh" in said
        assert page.naive.found.split(".")[0] in said


@pytest.mark.parametrize(
    "asked",
    [{}, {"attack": "x", "target": "1"}, {"attack": "", "target": "' OR 1=1"}, {"attack": ["a", "b"]}],
)
def test_what_is_not_offered_shows_the_first(client, asked):
    response = client.get(PAGE, asked)
    assert response.status_code == 200
    page = response.context["page"]
    assert (page.attack, page.target) == (Attack.VERSIONS, next(iter(targets().values())))
    assert "OR 1=1" not in text_of(response)


def test_nothing_is_read_or_written_but_the_reader(client, django_assert_max_num_queries):
    client.get(PAGE)
    rows = [model.objects.count() for model in (Entry, OutboxRow, Run, Answer, Release)]
    for attack in Attack:
        with django_assert_max_num_queries(
            12
        ):  # who reads, what waits for them, the log's head in the footer
            client.get(PAGE, {"attack": attack})
    assert rows == [model.objects.count() for model in (Entry, OutboxRow, Run, Answer, Release)]
    assert client.post(PAGE).status_code == 405


def test_the_noise_of_another_load_is_another(client):
    draws = {client.get(PAGE).context["page"].lanes[2].found for _ in range(4)}
    assert len(draws) > 1
    assert "no-store" in client.get(PAGE)["Cache-Control"]


def test_it_is_linked_where_the_rules_are_told(client, city):
    link = f'href="{reverse("portal:differencing")}"'
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )
    worker = Worker()
    run = released(worker, city.enterprise, contract)
    worker.close()
    for address in (f"/contracts/{contract.uid}/compute/", f"/runs/{run.uid}/"):
        main, footer = client.get(address).content.decode().split("<footer")
        assert link in main
        assert link in footer
    client.logout()
    assert link not in client.get("/catalog/").content.decode()
