"""What the API answers when something is wrong, absent, hidden, too much, or asked too often."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from audit.events import Event
from audit.models import OutboxRow
from audit.refusals import Refused
from contracts.models import AccessRequest, Contract
from dataspace.api.doors import Pages
from dataspace.api.errors import status_of
from dataspace.portal import attempts
from sandbox.models import Run
from sandbox.services.submit import Question, submit
from tests import factories
from tests.api_calls import Caller, assert_problem

pytestmark = pytest.mark.django_db

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n FROM electricity GROUP BY district"
HIDDEN = ("requests/{}", "contracts/{}", "runs/{}")


@pytest.fixture(autouse=True)
def _no_places_taken():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


@pytest.fixture
def run(city, contract):
    return submit(actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SQL))


def acts() -> list[str]:
    return [json.loads(bytes(row.body))["act"] for row in OutboxRow.objects.order_by("pk")]


# --- Hidden and absent ------------------------------------------------------------------------------------
def test_hidden_absent_malformed_and_unknown_addresses_are_one_answer(city, contract, run):
    rival = Caller(city.rival)
    secret = factories.water_dataset(city.water, "water", visibility="named")
    paths = [
        f"requests/{contract.request.uid}", f"contracts/{contract.uid}", f"runs/{run.uid}", f"datasets/{secret.name}",
        f"datasets/{secret.uid}", f"releases/{uuid.uuid4()}", f"releases/{uuid.uuid4()}/csv",
        *(path.format(uuid.uuid4()) for path in HIDDEN), *(path.format("not-a-uuid") for path in HIDDEN),
        "datasets/no_such", "datasets/%00", "datasets/%E7%94%A8", "nowhere", "contracts/1/2/3", "datasets/", "requests/",
    ]  # fmt: skip
    answers = {(answer.status_code, answer.content) for answer in map(rival.get, paths)}
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert Caller(city.enterprise).get(f"contracts/{contract.uid}").status_code == 200


def test_what_is_hidden_cannot_be_acted_on_either(city, contract, run):
    rival = Caller(city.rival)
    doors = {
        f"requests/{contract.request.uid}/decision": {"outcome": "grant", "reason": "x"},
        f"requests/{contract.request.uid}/withdrawal": {},
        f"contracts/{contract.uid}/signature": {"digest": contract.digest},
        f"contracts/{contract.uid}/suspension": {"reason": "x"},
        f"contracts/{contract.uid}/termination": {"reason": "x"},
        f"contracts/{contract.uid}/preview": {"sql": SQL},
        f"contracts/{contract.uid}/runs": {"sql": SQL},
        f"runs/{run.uid}/cancellation": {},
    }
    for path, body in doors.items():
        absent = path.replace(path.split("/")[1], str(uuid.uuid4()))
        assert rival.post(path, body).content == rival.post(absent, body).content
        assert rival.post(path, {"nonsense": 1}).status_code == 404, (
            "the object is looked for before the body is read"
        )
    assert Run.objects.get().state == "queued"


def test_lists_and_objects_agree(city, contract, run):
    seen = {
        "requests": {city.enterprise, city.power, city.bureau, city.auditor},
        "contracts": {city.enterprise, city.power, city.bureau, city.auditor},
        "runs": {city.enterprise, city.power, city.bureau, city.auditor},
    }
    uids = {"requests": contract.request.uid, "contracts": contract.uid, "runs": run.uid}
    for user in (city.enterprise, city.power, city.water, city.bureau, city.rival, city.auditor):
        caller = Caller(user)
        for kind, uid in uids.items():
            expected = user in seen[kind]
            assert caller.get(kind).json()["count"] == int(expected), f"{user} {kind}"
            assert caller.get(f"{kind}/{uid}").status_code == (200 if expected else 404), f"{user} {kind}"


def test_the_log_is_for_those_who_audit_or_oversee_and_trying_is_on_record(city):
    for user in (city.enterprise, city.power, city.water):
        for path in ("audit/entries", "audit/export"):
            answer = Caller(user).get(path)
            assert (answer.status_code, answer.json()["title"]) == (403, "role.missing")
    assert acts().count(Event.REFUSED) == 6
    for user in (city.auditor, city.bureau):
        assert Caller(user).get("audit/entries").status_code == 200


# --- Who calls --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["requests", "contracts", "runs", "audit/entries", "audit/export"])
def test_without_a_token_nothing_but_the_public_catalog(path, city):
    factories.published_dataset(city.power)
    answer = Caller(None).get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert Caller(None).get("datasets").json()["count"] == 1


@pytest.mark.parametrize(
    "header",
    ["Token", "Token x", "Token a b", "Token " + "x" * 5000, "Token \xff\xfe" * 9, "Token " + "\x00" * 20],
)
def test_a_header_that_is_no_token_is_a_401(header):
    answer = Client().get("/api/requests", headers={"Authorization": header})
    assert_problem(answer)
    assert answer.status_code == 401


def test_an_expired_token_opens_nothing(city):
    caller = Caller(city.enterprise)
    assert caller.get("requests").status_code == 200
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert caller.get("requests").status_code == 401


def test_tokens_expire_and_are_not_kept_readable(city):
    answer = Caller(None).post("token", {"username": "enterprise", "password": factories.PASSWORD}).json()
    stored = AuthToken.objects.get()
    assert timedelta(hours=9) < stored.expiry - timezone.now() <= timedelta(hours=10)
    assert answer["token"] not in (stored.digest, stored.token_key)
    assert acts()[-1] == Event.TOKEN_ISSUED


def test_an_inactive_account_and_an_inactive_organization_have_no_rights(city, contract):
    caller = Caller(city.enterprise)
    city.enterprise.organization.active = False
    city.enterprise.organization.save()
    assert caller.get("contracts").json()["count"] == 0
    assert caller.get(f"contracts/{contract.uid}").status_code == 404
    city.enterprise.is_active = False
    city.enterprise.save()
    assert caller.get("contracts").status_code == 401
    refused = Caller(None).post("token", {"username": "enterprise", "password": factories.PASSWORD})
    assert refused.status_code == 401


def test_a_wrong_password_is_a_401_on_record_without_the_name(city):
    answer = Caller(None).post("token", {"username": "enterprise", "password": "guess"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
    body = bytes(OutboxRow.objects.order_by("-pk").first().body).decode()
    assert Event.LOGIN_FAILED in body
    assert "enterprise" not in body
    unknown = Caller(None).post("token", {"username": "nobody", "password": "guess"})
    assert unknown.content == answer.content


def test_guessing_is_slowed_down_wherever_it_comes_from(city):
    def guess(n: int, password: str = "guess"):
        caller = Caller(None, **{"X-Forwarded-For": f"203.0.113.{n}"})
        return caller.post("token", {"username": "enterprise", "password": password})

    assert [guess(n).status_code for n in range(attempts.PER_NAME)] == [401] * attempts.PER_NAME
    slowed = guess(99, factories.PASSWORD)
    assert (slowed.status_code, slowed.json()["title"]) == (429, "account.slowed")
    assert int(slowed.headers["Retry-After"]) > 0
    assert acts()[-1] == Event.REFUSED


def test_the_portal_and_the_api_count_guesses_together(city, rf):
    for _ in range(attempts.PER_NAME):
        attempts.begin(rf.get("/"), "enterprise")
    assert Caller(None).post("token", {"username": "ENTERPRISE", "password": "x"}).status_code == 429


def test_logging_in_rightly_is_never_slowed_down(city):
    for _ in range(attempts.PER_NAME + 1):
        answer = Caller(None).post("token", {"username": "enterprise", "password": factories.PASSWORD})
        assert answer.status_code == 201


# --- Bodies and addresses ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "kind", "status", "title"),
    [
        ("{", "application/json", 400, "parse_error"),
        ("[1]", "application/json", 400, "invalid"),
        ('"x"', "application/json", 400, "invalid"),
        ("{}", "application/json", 400, "invalid"),
        ("", "application/json", 400, "invalid"),
        ('{"term_days": NaN}', "application/json", 400, "parse_error"),
        (b"\xff\xfe{}", "application/json", 400, "parse_error"),
        ("[" * 100_000, "application/json", 400, "parse_error"),
        ('{"term_days": ' + "9" * 5000 + "}", "application/json", 400, "parse_error"),
        (b" " * (2 * 1024 * 1024 + 1), "application/json", 413, "too_large"),
        ("a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("<x/>", "text/xml", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_does_not_fit_is_said_so(city, body, kind, status, title):
    answer = Caller(city.enterprise).client.post("/api/requests", body, kind)
    assert_problem(answer)
    assert (answer.status_code, answer.json()["title"]) == (status, title)


def test_each_wrong_field_is_named(city):
    dataset = {"dataset": "electricity", "columns": "district"}
    answer = Caller(city.enterprise).post(
        "requests",
        {
            "datasets": [dataset],
            "purpose": "profit",
            "scenario": "",
            "wanted": 1,
            "term_days": 0,
            "max_runs": "many",
        },
    )
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"datasets", "purpose", "scenario", "term_days", "max_runs"}


@pytest.mark.parametrize("body", [{}, {"sql": SQL, "query": {}}, {"sql": ""}, {"sql": 5, "query": 5}])
def test_a_question_is_sql_or_structured_and_not_both(city, contract, body):
    assert Caller(city.enterprise).post(f"contracts/{contract.uid}/runs", body).status_code == 400


def test_a_method_that_a_door_does_not_have_is_a_405(city):
    answer = Caller(city.enterprise).delete("requests")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "params",
    [
        {"grade": "99"},
        {"grade": "x"},
        {"provider": "x"},
        {"synthetic": "maybe"},
        {"q": "x" * 201},
        {"theme": "\x00"},
    ],
)
def test_a_filter_that_does_not_fit_is_a_400(params):
    assert Caller(None).get("datasets", **params).status_code == 400


def test_the_catalog_is_narrowed_by_each_of_its_filters(city):
    factories.published_dataset(city.power)
    factories.water_dataset(city.water, synthetic=False, cadence="每日")

    def names(**params):
        return [row["name"] for row in Caller(None).get("datasets", **params).json()["results"]]

    assert len(names()) == 2
    assert names(q="用水") == ["water"]
    assert names(q="水 企业") == ["water"]
    assert names(theme="能源") == ["electricity"]
    assert names(cadence="每日") == ["water"]
    assert names(synthetic="false") == ["water"]
    assert names(provider=str(city.power.organization.uid)) == ["electricity"]
    assert names(grade="1") == []
    assert len(names(grade="2", theme="")) == 2


def test_a_dataset_can_be_named_once_in_a_request(city):
    dataset = factories.published_dataset(city.power)
    wish = {"columns": ["kwh"]}
    answer = Caller(city.enterprise).post("requests", {
        "datasets": [{"dataset": dataset.name, **wish}, {"dataset": str(dataset.uid), **wish}],
        "purpose": "industry", "scenario": "x", "wanted": "x", "term_days": 1, "max_runs": 1,
    })  # fmt: skip
    assert (answer.status_code, answer.json()["title"]) == (400, "invalid")
    assert not AccessRequest.objects.exists()


def test_a_contract_whose_document_was_changed_does_not_break_the_list(city, contract):
    other = factories.signed_contract(city.rival, [factories.water_dataset(city.water)], city.deciders)
    Contract.objects.filter(pk=contract.pk).update(document=b'{"tampered":true}')
    rows = {row["uid"]: row for row in Caller(city.bureau).get("contracts").json()["results"]}
    assert rows[str(contract.uid)]["runs_left"] is None
    assert rows[str(other.uid)]["runs_left"] == 100
    assert Caller(city.bureau).get(f"contracts/{contract.uid}").status_code == 200
    refused = Caller(city.enterprise).post(f"contracts/{contract.uid}/runs", {"sql": SQL})
    assert refused.status_code in (409, 422)


# --- Size -------------------------------------------------------------------------------------------------
def test_pages_are_bounded_whatever_is_asked_for(city):
    for n in range(3):
        factories.published_dataset(city.power, f"electricity_{n}")
    page = Caller(None).get("datasets", limit=2).json()
    assert (page["count"], len(page["results"])) == (3, 2)
    rest = Caller(None).client.get(page["next"]).json()
    assert len({row["uid"] for row in page["results"] + rest["results"]}) == 3
    assert len(Caller(None).get("datasets", limit=10**9, offset=-1).json()["results"]) == 3
    assert Caller(None).get("datasets", offset=10**30).json()["results"] == []


def test_no_page_is_longer_than_the_longest(city, monkeypatch):
    assert 0 < Pages.default_limit <= Pages.max_limit <= 200
    monkeypatch.setattr(Pages, "max_limit", 2)
    monkeypatch.setattr(Pages, "default_limit", 2)
    for n in range(3):
        factories.published_dataset(city.power, f"electricity_{n}")
    for limit in (3, 10**9, "all", -1):
        assert len(Caller(None).get("datasets", limit=limit).json()["results"]) == 2


def test_a_longer_list_takes_no_more_queries(city, contract):
    enterprise = Caller(city.enterprise)
    acting = factories.actor(city.enterprise)
    for n in range(4):
        dataset = factories.published_dataset(city.power, f"more_{n}")
        made = factories.signed_contract(city.enterprise, [dataset], city.deciders)
        submit(actor=acting, contract=made, question=Question(text=SQL.replace("electricity", dataset.name)))
    for path in ("datasets", "requests", "contracts", "runs"):
        with CaptureQueriesContext(connection) as one:
            assert len(enterprise.get(path, limit=1).json()["results"]) == 1
        with CaptureQueriesContext(connection) as all_of_them:
            assert len(enterprise.get(path).json()["results"]) >= 4
        assert len(all_of_them) <= len(one), path


def test_no_cache_keeps_an_answer(city):
    for answer in (Caller(city.enterprise).get("contracts"), Caller(city.enterprise).get("nowhere")):
        assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_reasons_are_in_the_language_of_the_request_and_codes_are_not(city, language):
    answer = Caller(city.enterprise, **{"Accept-Language": language}).get("nowhere")
    assert answer.json()["title"] == "not_found"
    assert answer.headers["Content-Language"] == language


def test_every_status_is_that_of_its_code():
    expected = {
        "not_found": 404, "role.missing": 403, "request.own": 403, "contract.halted_by_other": 403,
        "request.limits": 400, "release.format": 400, "guard.function": 422, "policy.invalid": 422,
        "run.too_many": 429, "account.slowed": 429, "contract.expired": 409, "state.not_allowed": 409,
    }  # fmt: skip
    assert {code: status_of(Refused(code, "x")) for code in expected} == expected
