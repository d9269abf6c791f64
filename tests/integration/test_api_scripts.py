"""Scripts and reviews over the API: who may, what each reads, the codes of refusals."""

from __future__ import annotations

import pytest

from parties.roles import Role
from sandbox.models import Run, Script
from sandbox.worker import Worker
from tests import factories
from tests.api_calls import Caller

pytestmark = pytest.mark.django_db

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n FROM electricity GROUP BY district"
SCRIPT = {"title": "整理", "dataset": "electricity", "source": 'emit(extracts["electricity"].to_table())'}
APPROVE = {"verdict": "approve", "note": "看过"}


@pytest.fixture
def second(city):
    return factories.account("second", city.bureau.organization, Role.REVIEWER)


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders, limits={"allow_scripts": 1}
    )


def title_of(response) -> tuple[int, str]:
    return response.status_code, response.json()["title"]


def handed_in(city, contract, **more) -> str:
    answer = Caller(city.enterprise).post(f"contracts/{contract.uid}/scripts", {**SCRIPT, **more})
    assert answer.status_code == 201, answer.json()
    return answer.json()["uid"]


def test_the_whole_way(city, contract, second):
    enterprise, bureau = Caller(city.enterprise), Caller(city.bureau)
    uid = handed_in(city, contract)
    made = enterprise.get(f"scripts/{uid}").json()
    assert (made["state"], made["source"], made["reviews"]) == ("in_review", SCRIPT["source"], [])
    (listed,) = enterprise.get(f"contracts/{contract.uid}/scripts", state="in_review").json()["results"]
    assert listed["uid"] == uid
    assert enterprise.get(f"contracts/{contract.uid}/scripts", state="ready").json()["count"] == 0
    assert bureau.post(f"scripts/{uid}/reviews", APPROVE).json()["state"] == "in_review"
    assert title_of(bureau.post(f"scripts/{uid}/reviews", APPROVE)) == (409, "review.twice")
    asked = {"sql": SQL, "script": uid}
    (problem,) = enterprise.post(f"contracts/{contract.uid}/preview", asked).json()["problems"]
    assert problem["code"] == "script.not_ready"
    assert Caller(second).post(f"scripts/{uid}/reviews", APPROVE).json()["state"] == "approved"
    worker = Worker()
    worker.prepare(uid)
    assert enterprise.post(f"contracts/{contract.uid}/preview", asked).json()["rows"] == 120
    run = enterprise.post(f"contracts/{contract.uid}/runs", asked).json()
    assert run["script"] == uid
    worker.work(run["uid"])
    worker.close()
    assert enterprise.get(f"runs/{run['uid']}").json()["state"] == "in_review"
    assert title_of(enterprise.post(f"runs/{run['uid']}/reviews", APPROVE)) == (403, "role.missing")
    bureau.post(f"runs/{run['uid']}/reviews", APPROVE)
    assert title_of(bureau.post(f"runs/{run['uid']}/reviews", APPROVE)) == (409, "review.twice")
    done = Caller(second).post(f"runs/{run['uid']}/reviews", APPROVE).json()
    assert done["state"] == "released"
    receipt = enterprise.get(f"releases/{done['release']}").json()["receipt"]
    assert receipt["extracts"][0]["script"] == made["digest"]
    assert "rows" not in receipt["extracts"][0]
    assert title_of(bureau.post(f"runs/{run['uid']}/reviews", APPROVE)) == (409, "review.twice")


def test_each_reads_what_concerns_them(city, contract, second):
    uid = handed_in(city, contract)
    Caller(city.bureau).post(f"scripts/{uid}/reviews", APPROVE)
    sees = {
        "enterprise": (True, True),
        "bureau": (True, True),
        "power": (False, False),
        "auditor": (False, False),
    }
    for who, expected in sees.items():
        found = Caller(getattr(city, who)).get(f"scripts/{uid}").json()
        assert (found["source"] is not None, found["reviews"][0]["note"] is not None) == expected, who
    for who in ("rival", "water"):
        caller = Caller(getattr(city, who))
        for path in (f"scripts/{uid}", f"contracts/{contract.uid}/scripts"):
            assert title_of(caller.get(path)) == (404, "not_found")
        for path in (f"scripts/{uid}/withdraw", f"scripts/{uid}/reviews"):
            assert title_of(caller.post(path, APPROVE)) == (404, "not_found")
    assert Caller(None).get(f"scripts/{uid}").status_code == 401


def test_only_the_enterprise_withdraws_and_only_reviewers_review(city, contract):
    uid = handed_in(city, contract)
    for who in ("enterprise", "power", "auditor"):
        answer = Caller(getattr(city, who)).post(f"scripts/{uid}/reviews", APPROVE)
        assert title_of(answer) == (403, "role.missing"), who
    assert Caller(city.power).post(f"scripts/{uid}/withdraw").status_code == 403
    assert Caller(city.power).post(f"contracts/{contract.uid}/scripts", SCRIPT).status_code == 403
    assert Caller(city.enterprise).post(f"scripts/{uid}/withdraw").json()["state"] == "withdrawn"
    assert title_of(Caller(city.enterprise).post(f"scripts/{uid}/withdraw")) == (409, "state.not_allowed")
    assert title_of(Caller(city.bureau).post(f"scripts/{uid}/reviews", APPROVE)) == (409, "review.closed")


def test_refusals_of_a_text_have_codes_and_places(city, contract):
    caller = Caller(city.enterprise)

    def refused(**more):
        return caller.post(f"contracts/{contract.uid}/scripts", {**SCRIPT, **more})

    wrong = refused(source="x = 1\ny = )")
    assert title_of(wrong) == (422, "script.syntax")
    assert (wrong.json()["line"], wrong.json()["column"]) == (2, 5)
    assert title_of(refused(source="print(1)")) == (422, "script.no_emit")
    assert title_of(refused(dataset="water")) == (400, "script.dataset")
    assert title_of(refused(source="#" * 40_000)) == (400, "script.too_long")
    assert title_of(refused(title="")) == (400, "invalid")
    assert title_of(
        Caller(city.bureau).post(
            f"scripts/{handed_in(city, contract)}/reviews", {"verdict": "maybe", "note": "x"}
        )
    ) == (400, "invalid")
    assert Script.objects.count() == 1


def test_a_contract_without_scripts_takes_none(city):
    plain = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )
    caller = Caller(city.enterprise)
    assert title_of(caller.post(f"contracts/{plain.uid}/scripts", SCRIPT)) == (409, "contract.no_scripts")
    unknown = {"sql": SQL, "script": "5f0f6d0e-3a55-4a0e-9d2b-6c0f5e9f0b11"}
    assert title_of(caller.post(f"contracts/{plain.uid}/runs", unknown)) == (422, "script.unknown")
    assert not Run.objects.exists()
