"""The whole journey over the API, each role with its own token, every answer as the OpenAPI document says."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest
from django.test import Client
from python_calamine import CalamineWorkbook

from audit import sealer
from audit.verifier.check import verify
from tests import factories
from tests.api_calls import PROBLEM, Caller, described

pytestmark = pytest.mark.django_db

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"
ASKED = {
    "datasets": [{"dataset": "electricity", "columns": ["district", "month", "kwh"]}],
    "purpose": "industry",
    "scenario": "园区用能监测",
    "wanted": "各区县用电量",
    "term_days": 90,
    "max_runs": 10,
}


@pytest.fixture
def city():
    made = factories.city()
    factories.published_dataset(made.power)
    return made


def logged_in(username: str) -> Caller:
    """Through the front door: name and password for a token."""
    caller = Caller(None)
    answer = caller.post("token", {"username": username, "password": factories.PASSWORD})
    assert answer.status_code == 201
    caller.client.defaults["HTTP_AUTHORIZATION"] = f"Token {answer.json()['token']}"
    return caller


def signed_over_the_api(city, **asked) -> str:
    enterprise = Caller(city.enterprise)
    request = enterprise.post("requests", {**ASKED, **asked}).json()["uid"]
    for user in (city.power, city.bureau):
        Caller(user).post(f"requests/{request}/decision", {"outcome": "grant", "reason": "同意"})
    contract = enterprise.get(f"requests/{request}").json()["contract"]
    for user in (city.power, city.bureau, city.enterprise):
        caller = Caller(user)
        digest = caller.get(f"contracts/{contract}").json()["digest"]
        caller.post(f"contracts/{contract}/signature", {"digest": digest})
    assert enterprise.get(f"contracts/{contract}").json()["state"] == "active"
    return contract


def released(enterprise: Caller, contract: str, worker, question: dict) -> dict:
    run = enterprise.post(f"contracts/{contract}/runs", question).json()
    assert (run["state"], run["release"]) == ("queued", None)
    worker.work(run["uid"])
    run = enterprise.get(f"runs/{run['uid']}").json()
    assert run["state"] == "released"
    return enterprise.get(f"releases/{run['release']}").json()


def test_from_search_to_verified_log(published_log, city, worker):
    enterprise, power, bureau, auditor = (
        logged_in(name) for name in ("enterprise", "power", "bureau", "auditor")
    )

    found = enterprise.get("datasets", q="用电").json()
    assert [dataset["name"] for dataset in found["results"]] == ["electricity"]
    offered = {c["name"]: c["offered_as"] for c in enterprise.get("datasets/electricity").json()["columns"]}
    assert offered == {"credit_code": "unit", "district": "dimension", "month": "dimension", "kwh": "measure"}

    filed = enterprise.post("requests", ASKED)
    assert filed.status_code == 201
    request = filed.json()["uid"]
    assert filed.json()["contract"] is None
    for caller, limits in ((power, {"min_contributors": 15}), (bureau, {})):
        assert [row["uid"] for row in caller.get("requests", waiting="true").json()["results"]] == [request]
        caller.post(f"requests/{request}/decision", {"outcome": "grant", "reason": "同意", "limits": limits})
        assert caller.get("requests", waiting="true").json()["count"] == 0
    contract = enterprise.get(f"requests/{request}").json()["contract"]

    for caller in (power, bureau, enterprise):
        assert caller.get("contracts", waiting="true").json()["count"] == 1
        shown = caller.get(f"contracts/{contract}").json()
        assert shown["document"]["uid"] == f"urn:uuid:{contract}"
        signed = caller.post(f"contracts/{contract}/signature", {"digest": shown["digest"]})
        assert signed.status_code == 200
    assert signed.json()["state"] == "active"
    assert all(signature["signed"] for signature in signed.json()["signatures"])

    preview = enterprise.post(f"contracts/{contract}/preview", {"sql": SQL}).json()
    assert (preview["problems"], preview["rows"], preview["cells"], preview["runs_left"]) == ([], 120, 3, 10)
    release = released(enterprise, contract, worker, {"sql": SQL, "title": "各区用电"})
    assert release["columns"] == ["district", "n", "kwh"]
    assert [row[:2] for row in release["rows"]] == [["历下区", 20], ["市中区", 20], ["槐荫区", 20]]
    assert all(row[2] is not None for row in release["rows"]), "twenty contributors each, none dominant"
    assert release["receipt"]["contract"] == shown["digest"]
    assert release["receipt"]["parameters"]["min_contributors"] == 15
    again = released(enterprise, contract, worker, {"query": preview["query"]})
    assert again["digest"] == release["digest"], "the structured form is the same question"
    assert enterprise.get("runs", contract=contract, state="released").json()["count"] == 2

    waiting = enterprise.get(f"releases/{release['uid']}/receipt")
    assert (waiting.status_code, waiting.json()["title"]) == (409, "release.receipt_pending")
    assert waiting.headers["Retry-After"]
    published_log.publish()
    files = {
        name: enterprise.get(f"releases/{release['uid']}/{name}")
        for name in ("csv", "xlsx", "parquet", "receipt")
    }
    assert "历下区" in files["csv"].content.decode("utf-8-sig")
    assert (
        CalamineWorkbook.from_filelike(io.BytesIO(files["xlsx"].content))
        .get_sheet_by_index(0)
        .to_python()[1][0]
        == "历下区"
    )
    assert pq.read_table(io.BytesIO(files["parquet"].content)).num_rows == 3
    assert json.loads(files["receipt"].json()["receipt"]) == release["receipt"]
    assert all(file.headers["Content-Disposition"].startswith("attachment") for file in files.values())

    sealer.seal_all()
    downloads = auditor.get("audit/entries", act="release.downloaded", obj=f"release:{release['uid']}").json()
    assert downloads["count"] == 5, "the table as JSON and four files"
    lines = list(auditor.get("audit/export").streaming_content)
    assert verify(iter(lines)).ok
    acts = [json.loads(line).get("act") for line in lines]
    assert acts.count("account.token_issued") == 4
    assert acts[-2] != "log.exported", (
        "the copy is taken from what was sealed; that it was taken is sealed next"
    )


def test_a_suspended_contract_takes_no_questions_until_it_is_resumed(city):
    contract = signed_over_the_api(city)
    enterprise, power = Caller(city.enterprise), Caller(city.power)
    halted = power.post(f"contracts/{contract}/suspension", {"reason": "核查"})
    assert (halted.json()["state"], halted.json()["halt_reason"]) == ("suspended", "核查")
    refused = enterprise.post(f"contracts/{contract}/runs", {"sql": SQL})
    assert (refused.status_code, refused.json()["title"]) == (409, "contract.suspended")
    assert enterprise.delete(f"contracts/{contract}/suspension").status_code == 403
    assert power.delete(f"contracts/{contract}/suspension").json()["state"] == "active"
    assert enterprise.post(f"contracts/{contract}/runs", {"sql": SQL}).status_code == 201
    ended = enterprise.post(f"contracts/{contract}/termination", {"reason": "项目结束"})
    assert ended.json()["state"] == "terminated"
    assert (
        Caller(city.bureau).delete(f"contracts/{contract}/suspension").json()["title"] == "state.not_allowed"
    )


def test_a_waiting_run_can_be_cancelled_once(city):
    contract = signed_over_the_api(city)
    enterprise = Caller(city.enterprise)
    run = enterprise.post(f"contracts/{contract}/runs", {"sql": SQL}).json()["uid"]
    cancelled = enterprise.post(f"runs/{run}/cancellation").json()
    assert (cancelled["state"], cancelled["failure"]) == ("cancelled", "requested")
    assert cancelled["failure_text"]
    assert enterprise.post(f"runs/{run}/cancellation").json()["title"] == "run.over"
    assert enterprise.get(f"contracts/{contract}").json()["runs_used"] == 0


def test_a_request_can_be_withdrawn_and_is_then_closed(city):
    enterprise = Caller(city.enterprise)
    request = enterprise.post("requests", ASKED).json()["uid"]
    assert enterprise.post(f"requests/{request}/withdrawal").json()["state"] == "withdrawn"
    late = Caller(city.power).post(f"requests/{request}/decision", {"outcome": "grant", "reason": "同意"})
    assert (late.status_code, late.json()["title"]) == (409, "request.closed")


def test_nobody_decides_on_their_own_and_one_decline_closes(city):
    request = Caller(city.enterprise).post("requests", ASKED).json()["uid"]
    own = Caller(city.enterprise).post(f"requests/{request}/decision", {"outcome": "grant", "reason": "同意"})
    assert (own.status_code, own.json()["title"]) == (403, "role.missing")
    declined = Caller(city.power).post(
        f"requests/{request}/decision", {"outcome": "decline", "reason": "用途不符"}
    )
    assert declined.json()["state"] == "declined"


def test_what_is_signed_is_what_was_read(city):
    request = Caller(city.enterprise).post("requests", ASKED).json()["uid"]
    for user in (city.power, city.bureau):
        Caller(user).post(f"requests/{request}/decision", {"outcome": "grant", "reason": "同意"})
    contract = Caller(city.enterprise).get(f"requests/{request}").json()["contract"]
    wrong = Caller(city.enterprise).post(f"contracts/{contract}/signature", {"digest": "sha256:" + "0" * 64})
    assert (wrong.status_code, wrong.json()["title"]) == (409, "contract.other_document")


def test_the_guard_names_the_term_and_the_place(city):
    contract = signed_over_the_api(city)
    refused = Caller(city.enterprise).post(
        f"contracts/{contract}/runs",
        {"sql": "SELECT district,\n  pg_sleep(10) AS x FROM electricity GROUP BY district"},
    )
    assert refused.status_code == 422
    assert refused.json()["title"].startswith("guard.")
    assert (refused.json()["line"], refused.json()["column"]) == (2, 3)
    assert refused.json()["problems"][0]["reason"] == refused.json()["detail"]
    preview = Caller(city.enterprise).post(
        f"contracts/{contract}/preview", {"sql": "SELECT kwh FROM electricity"}
    )
    assert preview.status_code == 200
    assert preview.json()["problems"][0]["line"] == 1


def test_the_browser_session_works_too_and_needs_its_csrf_token(city):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(city.enterprise)
    assert browser.get("/api/requests").status_code == 200
    forged = browser.post("/api/requests", ASKED, "application/json")
    assert (forged.status_code, forged.headers["Content-Type"]) == (403, PROBLEM)
    browser.get("/api/?script=")  # the page's script carries the token
    token = browser.cookies["csrftoken"].value
    filed = described(
        browser.post("/api/requests", ASKED, "application/json", headers={"X-CSRFToken": token})
    )
    assert filed.status_code == 201
