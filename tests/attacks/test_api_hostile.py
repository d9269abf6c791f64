"""Hostile bodies, headers and addresses at the API: refused in plain words, never an error of ours, never a change."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.models import AccessRequest, Contract, Decision, Signature
from sandbox.models import Computation, Run
from sandbox.services.preview import preview
from sandbox.services.submit import Question, submit
from tests import factories
from tests.api_calls import Caller, assert_problem

pytestmark = pytest.mark.django_db

SQL = "SELECT district, SUM(kwh) AS kwh FROM electricity GROUP BY district"
TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\u202e",
    "'; DROP TABLE x; --",
    "%s%n",
    "{{ 7*7 }}",
    "x" * 100_000,
    "９" * 99,
    "𝟙",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**400,
    1.5,
    1e400,
    [],
    [[]],
    {},
    {"a": {"b": []}},
    *TEXTS,
)
FEW = (None, -1, 1.5, [], {}, "\x00", "x" * 10_000)
ASKED = {
    "datasets": [{"dataset": "electricity", "columns": ["kwh"]}],
    "purpose": "industry", "scenario": "园区", "wanted": "用电量", "term_days": 90, "max_runs": 10,
}  # fmt: skip


@pytest.fixture
def city():
    return factories.city()


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


def rows() -> dict[str, int]:
    return {
        model.__name__: model.objects.count()
        for model in (AccessRequest, Decision, Contract, Signature, Computation, Run)
    }


def send(caller: Caller, path: str, body: object) -> Any:
    """As bytes that no JSON library of ours has looked at; `Infinity` and lone surrogates included."""
    text = json.dumps(body).encode("ascii")
    return caller.client.post(f"/api/{path}", text, "application/json")


def refused(answer: Any) -> None:
    assert 400 <= answer.status_code < 500, answer.content[:300]
    assert_problem(answer)


def with_each_value_replaced(body: Any, by: tuple[Any, ...] = VALUES) -> list[Any]:
    """`body` with each of its values, at any depth, replaced by each hostile one; and without each of its members."""
    if isinstance(body, dict):
        made = [
            {**body, key: inner}
            for key, value in body.items()
            for inner in with_each_value_replaced(value, by)
        ]
        return made + [{key: value for key, value in body.items() if key != gone} for gone in body] + list(by)
    if isinstance(body, list):
        inner_made = [[inner, *body[1:]] for inner in with_each_value_replaced(body[0], by)] if body else []
        return [*inner_made, body * 3000, *by]
    return list(by)


def test_no_hostile_value_in_a_request_is_an_error_of_ours(city, contract):
    caller, before = Caller(city.enterprise), rows()
    accepted = 0
    for body in with_each_value_replaced(ASKED):
        answer = send(caller, "requests", body)
        if answer.status_code == 201:
            accepted += 1
        else:
            refused(answer)
    assert rows()["AccessRequest"] == before["AccessRequest"] + accepted
    said = AccessRequest.objects.values_list("scenario", "wanted", "term_days", "max_runs")
    assert all(s.strip() and w.strip() and 0 < t <= 1825 and 0 < m <= 100_000 for s, w, t, m in said)


@pytest.mark.parametrize(
    ("who", "path", "body"),
    [
        (
            "power",
            "requests/{request}/decision",
            {"outcome": "grant", "reason": "同意", "limits": {"min_contributors": 12}},
        ),
        ("enterprise", "contracts/{contract}/signature", {"digest": "sha256:0"}),
        ("enterprise", "contracts/{contract}/preview", {"sql": SQL}),
        ("enterprise", "contracts/{contract}/runs", {"sql": "SELECT", "title": "x"}),
        ("nobody", "token", {"username": "enterprise", "password": "x"}),
    ],
)
def test_no_hostile_value_at_another_door_is_an_error_of_ours(city, contract, who, path, body):
    filed = factories.filed_request(city.enterprise, [contract.request.items.get().dataset])
    caller = Caller(getattr(city, who, None))
    address = path.format(request=filed.uid, contract=contract.uid)
    for hostile in with_each_value_replaced(body):
        cache.clear()
        answer = send(caller, address, hostile)
        assert answer.status_code < 500
        if answer.status_code >= 400:
            assert_problem(answer)
            assert "Traceback" not in answer.content.decode()
    cache.clear()


def test_no_hostile_structured_question_is_an_error_of_ours(city, contract):
    query = preview(
        actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SQL)
    ).query
    assert query is not None
    shape = {
        **query.to_json(),
        "filters": [{"column": {"dataset": "electricity", "column": "district"}, "values": ["历下区"]}],
        "having": [{"label": "kwh", "comparison": ">", "value": 1}],
        "order": [{"label": "kwh", "descending": True}],
    }
    caller, before = Caller(city.enterprise), rows()
    path = f"contracts/{contract.uid}/preview"
    for hostile in with_each_value_replaced(shape, FEW):
        answer = send(caller, path, {"query": hostile})
        assert answer.status_code in (200, 400), answer.content[:300]
    assert rows() == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON, question=JSON)
def test_no_body_at_all_is_an_error_of_ours(city, contract, body, question):
    caller, before = Caller(city.enterprise), rows()
    refused(send(caller, "requests", body))
    refused(send(caller, f"contracts/{contract.uid}/runs", {"query": question}))
    assert rows() == before


def test_members_that_a_door_does_not_have_are_not_taken(city, contract):
    caller = Caller(city.enterprise)
    stolen = {
        "state": "granted",
        "organization": city.rival.organization.pk,
        "filed_by": city.rival.pk,
        "uid": str(uuid.uuid4()),
    }
    filed = AccessRequest.objects.get(uid=send(caller, "requests", {**ASKED, **stolen}).json()["uid"])
    assert (filed.state, filed.organization, filed.filed_by) == (
        "filed",
        city.enterprise.organization,
        city.enterprise,
    )
    assert str(filed.uid) != stolen["uid"]
    run = send(
        caller,
        f"contracts/{contract.uid}/runs",
        {"sql": SQL, "state": "released", "spec": {}, "contract": "x"},
    )
    assert Run.objects.get(uid=run.json()["uid"]).state == "queued"


@pytest.mark.parametrize(
    "limits",
    [
        {"min_contributors": 0},
        {"min_contributors": 1},
        {"max_runs": 10**9},
        {"retention_days": 0},
        {"state": 1},
        {"__class__": 1},
    ],
)
def test_a_decision_can_only_tighten(city, limits):
    request = factories.filed_request(city.enterprise, [factories.published_dataset(city.power)])
    answer = Caller(city.power).post(
        f"requests/{request.uid}/decision", {"outcome": "grant", "reason": "同意", "limits": limits}
    )
    if answer.status_code == 200:
        for user in (city.bureau,):
            Caller(user).post(f"requests/{request.uid}/decision", {"outcome": "grant", "reason": "同意"})
        terms = Contract.objects.get(request=request).terms
        assert terms.disclosure.min_contributors >= 10
        assert terms.max_runs <= request.max_runs
    else:
        refused(answer)


@pytest.mark.parametrize(
    "name",
    [
        "../contracts",
        "..%2f..%2fetc%2fpasswd",
        "csv/../xlsx",
        "CSV",
        "csv.gz",
        "%00",
        "exe",
        "json%0d%0aX: 1",
    ],
)
def test_only_the_named_formats_are_files(city, contract, name):
    answer = Caller(city.enterprise).client.get(f"/api/releases/{uuid.uuid4()}/{name}")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=%00",
        "offset=-1",
        "limit=1e9",
        "limit[]=1",
        "state=%00",
        "contract=x",
        "waiting=perhaps",
        "q=%ff%fe",
        "q=%00",
    ],
)
@pytest.mark.parametrize("path", ["datasets", "requests", "contracts", "runs"])
def test_no_query_string_is_an_error_of_ours(city, path, query):
    answer = Caller(city.enterprise).client.get(f"/api/{path}?{query}")
    assert answer.status_code in (200, 400)


def test_a_refused_computation_tells_nothing_about_the_data(city, contract):
    """Whether a value occurs in the data cannot be read from a refusal: both questions are refused by the same rule."""
    answers = set()
    for code in ("9137010" + "0" * 10 + "1", "9137010" + "9" * 11):
        sql = f"SELECT COUNT(*) AS n FROM electricity WHERE credit_code = '{code}'"
        answer = Caller(city.enterprise).post(f"contracts/{contract.uid}/runs", {"sql": sql})
        assert answer.status_code == 422
        answers.add(answer.content.decode().replace(code, "…"))
    assert len(answers) == 1


def test_a_run_of_a_released_contract_shows_providers_no_result(city, contract):
    run = submit(actor=factories.actor(city.enterprise), contract=contract, question=Question(text=SQL))
    for user in (city.power, city.auditor):
        answer = Caller(user).get(f"runs/{run.uid}")
        assert answer.status_code == 200
        assert set(answer.json()) == {
            "uid", "title", "contract", "state", "state_since", "queued", "cancel_requested", "failure", "failure_text", "release",
            "script",
        }  # fmt: skip
