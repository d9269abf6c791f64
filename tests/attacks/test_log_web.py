"""A curious visitor at everything the web serves of the log: numbers, names and tokens that were never handed to him."""

from __future__ import annotations

import re

import pytest
from django.core import signing
from django.db import transaction
from django.test import Client
from knox.models import AuthToken

from audit.events import Event
from audit.models import Entry, OutboxRow, Personal
from audit.recorder import record
from dataspace.portal.verifying import Verification
from parties.actors import SYSTEM
from parties.models import User
from parties.roles import Role
from tests import factories
from tests.worlds import busy_city

pytestmark = pytest.mark.django_db

BIGGEST = 2**63 - 1
NUMBERS = (BIGGEST - 1, BIGGEST, BIGGEST + 1, 2**64, 10**40)
TRICKS = (
    "tile/entries/000%2e", "tile/entries/%30%30%30/", "tile/entries/000/../001", "tile/entries/x000/../000", "tile/entries//000",
    "tile/entries/000;x", "tile/ENTRIES/000", "tile%2Fentries%2F000%00", "tile/0/../entries/000.p/5", "tile/entries/000.p/005",
    "tile/entries/000%E2%80%8B", "./tile/entries/000.p/%35%20", "tile\\entries\\000",
)  # fmt: skip


@pytest.fixture
def city(published_log) -> factories.City:
    city = busy_city()
    published_log.publish(1)
    published_log.publish(260)
    return city


@pytest.fixture
def inspector(city) -> User:
    return factories.account("inspector", city.enterprise.organization, Role.MEMBER, Role.AUDITOR)


def browser(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def by_token(user: User) -> Client:
    return Client(headers={"Authorization": f"Token {AuthToken.objects.create(user)[1]}"})


def plain(response, seq: int) -> str:
    """Without what differs in any two answers: the address asked for, the CSRF token and the nonce."""
    text = response.content.decode().replace(f"/{seq}/", "").replace(f"%2F{seq}%2F", "")
    return re.sub(r"(csrf\w*[^>]{0,40}value=|X-CSRFToken[^A-Za-z0-9]+|nonce=)\W*[\w+/=-]+", "", text)


# --- Numbers that no column holds -------------------------------------------------------------------------
@pytest.mark.parametrize("seq", NUMBERS)
def test_an_entry_with_an_impossible_number_is_not_there(city, seq):
    client = browser(city.auditor)
    for path in (f"/audit/{seq}/", f"/audit/{seq}/proof/", f"/audit/?before={seq}", f"/audit/?after={seq}"):
        assert client.get(path).status_code in (200, 404), path
    assert (
        client.post(f"/audit/{seq}/erase/", {"fields": ["ip"], "basis": "retention_over"}).status_code == 404
    )
    assert by_token(city.auditor).get(f"/api/audit/entries/{seq}/proof").status_code == 404


@pytest.mark.parametrize("number", [*NUMBERS, -1, "1e3", "٣", "0x10", "1_0", " 1", "NaN", ""])
def test_a_proof_of_impossible_sizes_is_refused_in_plain_words(city, number):
    client = Client()
    for query in (f"inclusion?index={number}", f"inclusion?index=1&size={number}", f"consistency?first={number}",
                  f"consistency?first=1&second={number}"):  # fmt: skip
        assert client.get(f"/api/audit/proofs/{query}").status_code in (200, 400, 409, 422), query


@pytest.mark.parametrize("query", ["offset=99999999999999999999", "limit=99999999999999999999", "offset=-1", "act=%00",
                                   "obj=%00", "actor=" + "x" * 5000, "offset=9223372036854775807"])  # fmt: skip
def test_a_list_asked_for_the_impossible_is_no_error_of_ours(city, query):
    assert by_token(city.auditor).get(f"/api/audit/entries?{query}").status_code in (200, 400)
    assert (
        browser(city.auditor).get(f"/audit/?{query}&object=%00&account=%00&organization=%00").status_code
        == 200
    )


# --- Entries for whom they are not ------------------------------------------------------------------------
def test_no_spelling_of_an_address_gives_entries_to_strangers(city, inspector):
    for client in (Client(), browser(inspector), by_token(inspector), browser(city.enterprise)):
        for path in ("tile/entries/000", "tile/entries/000.p/5", *TRICKS):
            response = client.get(f"/log/{path}")
            assert response.status_code in (301, 401, 403, 404), path
            assert b'"act":"' not in response.content


def test_an_expired_token_and_a_closed_account_read_nothing(city):
    client = by_token(city.auditor)
    assert client.get("/log/tile/entries/000").status_code == 200
    AuthToken.objects.update(expiry="2020-01-01T00:00:00Z")
    assert client.get("/log/tile/entries/000").status_code == 401
    client = by_token(city.auditor)
    User.objects.filter(pk=city.auditor.pk).update(is_active=False)
    assert client.get("/log/tile/entries/000").status_code in (401, 403)


def test_no_shared_cache_keeps_entries(city):
    response = by_token(city.auditor).get("/log/tile/entries/000")
    assert response["Cache-Control"].startswith("private")
    assert "ETag" not in response
    assert "Expires" not in response
    refused = Client().get("/log/tile/entries/000")
    assert "no-store" in refused["Cache-Control"] or "private" in refused["Cache-Control"]


def test_the_proof_of_a_hidden_entry_is_as_absent_as_one_that_never_was(city, inspector):
    readable = Entry.objects.filter(parties__contains=[str(inspector.organization.uid)]).values("seq")
    hidden = Entry.objects.exclude(seq__in=readable).order_by("seq").first().seq
    for client, path in (
        (browser(inspector), "/audit/{}/proof/"),
        (by_token(inspector), "/api/audit/entries/{}/proof"),
    ):
        one, other = client.get(path.format(hidden)), client.get(path.format(10**6))
        assert one.status_code == other.status_code == 404
        assert plain(one, hidden) == plain(other, 10**6)


def test_the_checkpoint_in_a_header_is_one_line_of_base64(city):
    value = Client(headers={"X-Audit-Checkpoint": "a\r\nSet-Cookie: x=1"}).get("/api/audit/checkpoint")[
        "X-Audit-Checkpoint"
    ]
    assert value.isascii()
    assert not set(value) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


# --- What is signed by us, in other hands -----------------------------------------------------------------
def test_a_reading_under_way_is_of_no_use_to_who_may_not_read_the_log(city, inspector):
    verification = Verification.begin()
    verification.step()
    for user in (inspector, city.enterprise, city.power):
        response = browser(user).post("/audit/verify/", {"state": verification.token})
        assert response.status_code == 403
        assert "verification" not in response.context


def test_what_we_signed_for_another_purpose_is_no_reading(city):
    state = {
        "reading": Verification.begin().reading.to_json(),
        "until": 1,
        "size": 0,
        "seconds": 0.0,
        "noted": False,
    }
    for token in (signing.dumps(state), signing.dumps(state, salt="x"), "", ":", "a:b:c"):
        response = browser(city.auditor).post("/audit/verify/", {"state": token})
        assert response.status_code == 200
        assert b"verified" not in response.content.lower() or response.context["expired"]


# --- Erasure ----------------------------------------------------------------------------------------------
@pytest.fixture
def traces(city) -> dict[str, object]:
    """What the log holds of an administrator and of others, by event id."""
    administrator = factories.account("admin-1", city.bureau.organization, Role.ADMINISTRATOR)
    with transaction.atomic():
        own = record(Event.LOGIN, actor=factories.actor(administrator), about=f"account:{administrator.uid}",
                     personal={"ip": "192.0.2.1"})  # fmt: skip
        typed = record(
            Event.LOGIN_FAILED, actor=SYSTEM, about="-", personal={"name": "ADMIN-1", "ip": "192.0.2.2"}
        )
        other = record(Event.LOGIN, actor=factories.actor(city.enterprise), about=f"account:{city.enterprise.uid}",
                       personal={"ip": "192.0.2.3"})  # fmt: skip
    return {"administrator": administrator, "own": own, "typed": typed, "other": other}


def test_nobody_but_an_administrator_of_the_bureau_erases(city, inspector, traces):
    body = {"event_ids": [str(traces["other"])], "fields": ["ip"], "basis": "retention_over"}
    for user in (inspector, city.auditor, city.enterprise, city.power, city.water):
        assert by_token(user).post("/api/audit/erasures", body, "application/json").status_code == 403, user
    assert Client().post("/api/audit/erasures", body, "application/json").status_code in (401, 403)
    assert Personal.objects.filter(event_id=traces["other"]).exists()


@pytest.mark.parametrize("which", [("own",), ("other", "own"), ("typed",), ("other", "typed")])
def test_own_traces_are_not_erased_by_hiding_them_among_others(traces, which):
    client, kept = by_token(traces["administrator"]), set(Personal.objects.values_list("pk"))
    body = {
        "event_ids": [str(traces[one]) for one in which],
        "fields": ["ip", "name"],
        "basis": "retention_over",
    }
    response = client.post("/api/audit/erasures", body, "application/json")
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (403, "erasure.own")
    assert set(Personal.objects.values_list("pk")) == kept
    assert not OutboxRow.objects.filter(body__contains=b"log.erased").exists()
