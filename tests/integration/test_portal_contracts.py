"""Contracts in the browser: what is shown is what is signed, every party stops it, each sees what is theirs."""

from __future__ import annotations

import hashlib
import html

import pytest
from django.urls import reverse

from contracts.models import Contract
from contracts.states import ContractState
from parties.keys import verify
from parties.roles import OrganizationKind, Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def drafted(city):
    return factories.drafted_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


@pytest.fixture
def active(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


def at(name: str, contract) -> str:
    return reverse(f"portal:{name}", args=[contract.uid])


def state(contract) -> str:
    return Contract.objects.get(pk=contract.pk).state


# --- What is shown ----------------------------------------------------------------------------------------
def test_each_sees_the_contracts_that_concern_them(client, city, active):
    sees = {"enterprise": 200, "power": 200, "bureau": 200, "auditor": 200, "water": 404, "rival": 404}
    for name, status in sees.items():
        client.force_login(getattr(city, name))
        assert client.get(at("contract", active)).status_code == status, name
        assert [row.contract for row in client.get("/contracts/").context["rows"]] == (
            [active] if status == 200 else []
        ), name


@pytest.mark.parametrize(
    "step", ["contract_sign", "contract_suspend", "contract_resume", "contract_terminate"]
)
def test_another_organization_s_contract_is_not_there_for_any_step(client, city, active, step):
    client.force_login(city.rival)
    absent = reverse(f"portal:{step}", args=["00000000-0000-4000-8000-000000000000"])
    for address in (at(step, active), absent):
        response = client.post(address, {"reason": "x", "read": "on", "digest": active.digest})
        assert response.status_code == 404
    assert state(active) == ContractState.ACTIVE


def test_visitors_are_led_to_the_log_in(client, active):
    for address in ("/contracts/", at("contract", active)):
        assert client.get(address)["Location"].startswith("/login/")


def test_the_copied_document_is_byte_for_byte_what_was_signed(client, city, active):
    client.force_login(city.enterprise)
    response = client.get(at("contract", active))
    document = response.context["page"].document
    assert f"sha256:{hashlib.sha256(document.encode()).hexdigest()}" == active.digest
    body = response.content.decode()
    copied = body.split('data-copy="{', 1)[1].split('" data-done', 1)[0]
    assert html.unescape("{" + copied) == document


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "数据提供方"), ("en", "Provider")])
def test_the_terms_are_in_the_reader_s_language_with_names_not_ids(client, city, active, language, words):
    client.force_login(city.enterprise)
    terms = client.get(at("contract", active), headers={"accept-language": language}).context["page"].terms
    assert (words, ["供电公司"]) in terms
    said = " ".join(f"{label} {text}" for label, text in terms)
    assert "用电量(千瓦时) (kwh)" in said
    assert "urn:uuid" not in said


def test_signatures_are_shown_with_who_when_and_key(client, city, active):
    client.force_login(city.auditor)
    parties = client.get(at("contract", active)).context["page"].parties
    assert {party.name for party in parties} == {"供电公司", "大数据局", "泉城数据公司"}
    for party in parties:
        assert verify(party.signature.key, bytes(active.document), bytes.fromhex(party.value))


def test_what_is_left_is_counted_from_the_terms(client, city, active):
    Contract.objects.filter(pk=active.pk).update(runs_used=40)
    client.force_login(city.enterprise)
    page = client.get(at("contract", active)).context["page"]
    assert [stat.value for stat in page.stats][:2] == [60, 365]
    assert page.runs_total == 100


def test_a_long_list_costs_as_few_queries_as_a_short_one(client, city, django_assert_max_num_queries):
    datasets = [factories.published_dataset(city.power), factories.water_dataset(city.water)]
    for number in range(6):
        factories.signed_contract(city.enterprise, datasets, city.deciders, scenario=f"场景{number}")
    client.force_login(city.enterprise)
    with django_assert_max_num_queries(14):
        assert len(client.get("/contracts/").context["rows"]) == 6
    assert len(client.get("/contracts/", {"show": "active"}).context["rows"]) == 6
    assert client.get("/contracts/", {"show": "waiting"}).context["rows"] == []


def test_one_contract_costs_a_bounded_number_of_queries(client, city, active, django_assert_max_num_queries):
    client.force_login(city.enterprise)
    with django_assert_max_num_queries(16):
        client.get(at("contract", active))


# --- Sign -----------------------------------------------------------------------------------------------
def test_every_party_signs_and_then_it_is_in_force(client, city, drafted):
    for user in (city.power, city.bureau, city.enterprise):
        assert state(drafted) == ContractState.DRAFTED
        client.force_login(user)
        form = client.get(at("contract", drafted)).context["page"].form
        response = client.post(at("contract_sign", drafted), {"digest": form["digest"].value(), "read": "on"})
        assert response["Location"] == at("contract", drafted)
    assert state(drafted) == ContractState.ACTIVE


def test_nothing_is_signed_unread(client, city, drafted):
    client.force_login(city.enterprise)
    response = client.post(at("contract_sign", drafted), {"digest": drafted.digest})
    assert response.status_code == 422
    assert "read" in response.context["page"].form.errors
    assert not drafted.signatures.exclude(signed=None).exists()


def test_another_digest_than_the_one_shown_is_refused(client, city, drafted):
    client.force_login(city.enterprise)
    response = client.post(at("contract_sign", drafted), {"digest": "sha256:" + "0" * 64, "read": "on"})
    assert response.status_code == 409
    assert response.context["refused"].code == "contract.other_document"
    assert not drafted.signatures.exclude(signed=None).exists()


def test_only_signatories_of_the_parties_sign_and_once(client, city, drafted):
    member = factories.account("member", city.enterprise.organization, Role.MEMBER)
    signed = {"digest": drafted.digest, "read": "on"}
    for user, status in ((member, 403), (city.auditor, 403), (city.enterprise, 302), (city.enterprise, 409)):
        client.force_login(user)
        assert client.post(at("contract_sign", drafted), signed).status_code == status, user
    assert drafted.signatures.exclude(signed=None).get().signed_by == city.enterprise


def test_a_colleague_without_the_role_sees_why_signing_is_closed(client, city, drafted):
    client.force_login(factories.account("member", city.enterprise.organization, Role.MEMBER))
    response = client.get(at("contract", drafted))
    assert response.context["page"].why_not_sign
    assert 'name="read"' not in response.content.decode()


def test_an_organization_without_a_key_is_told_whom_to_ask(client, city):
    keyless = factories.account(
        "keyless", factories.organization(OrganizationKind.ENTERPRISE, "无密钥公司", key=False)
    )
    contract = factories.drafted_contract(keyless, [factories.published_dataset(city.power)], city.deciders)
    client.force_login(keyless)
    response = client.post(at("contract_sign", contract), {"digest": contract.digest, "read": "on"})
    assert response.status_code == 409
    assert response.context["refused"].code == "key.missing"


# --- Suspend, resume, terminate ---------------------------------------------------------------------------
def test_the_bureau_suspends_with_a_reason_and_resumes(client, city, active):
    client.force_login(city.bureau)
    assert client.post(at("contract_suspend", active), {"reason": " "}).status_code == 400
    assert state(active) == ContractState.ACTIVE
    assert client.post(at("contract_suspend", active), {"reason": "核查用途"}).status_code == 302
    assert state(active) == ContractState.SUSPENDED
    client.force_login(city.enterprise)
    assert "核查用途" in client.get(at("contract", active)).content.decode()
    assert client.post(at("contract_resume", active)).status_code == 403
    client.force_login(city.power)
    assert client.get(at("contract", active)).context["page"].resume.refused
    assert client.post(at("contract_resume", active)).status_code == 403
    client.force_login(city.bureau)
    assert client.post(at("contract_resume", active)).status_code == 302
    assert state(active) == ContractState.ACTIVE


@pytest.mark.parametrize("who", ["power", "bureau", "enterprise"])
def test_any_party_terminates_and_nothing_brings_it_back(client, city, active, who):
    client.force_login(getattr(city, who))
    assert client.post(at("contract_terminate", active), {"reason": "合作结束"}).status_code == 302
    assert state(active) == ContractState.TERMINATED
    client.force_login(city.bureau)
    assert client.post(at("contract_resume", active)).status_code == 409
    assert client.post(at("contract_suspend", active), {"reason": "x"}).status_code == 409


def test_an_auditor_looks_and_stops_nothing(client, city, active):
    client.force_login(city.auditor)
    assert (
        "<form"
        not in client.get(at("contract", active)).content.decode().split("<main", 1)[1].split("</main", 1)[0]
    )
    for step in ("contract_suspend", "contract_terminate", "contract_resume"):
        assert client.post(at(step, active), {"reason": "x"}).status_code == 403
    assert state(active) == ContractState.ACTIVE


def test_the_enterprise_cannot_suspend_and_is_told_why(client, city, active):
    client.force_login(city.enterprise)
    assert client.get(at("contract", active)).context["page"].why_not_suspend
    response = client.post(at("contract_suspend", active), {"reason": "x"})
    assert response.status_code == 403
    assert response.context["refused"].reason in response.content.decode()


def test_steps_need_a_post(client, city, active):
    client.force_login(city.bureau)
    for step in ("contract_sign", "contract_suspend", "contract_resume", "contract_terminate"):
        assert client.get(at(step, active)).status_code == 405
