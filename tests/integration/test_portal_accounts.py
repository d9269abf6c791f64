"""Logging in: on record, slowed down against guessing, and a front page for whoever comes."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import OutboxRow
from catalog.states import VersionState
from dataspace.portal import attempts
from parties.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db

LOGIN = "/login/"


@pytest.fixture(autouse=True)
def _no_attempts_yet():
    cache.clear()
    yield
    cache.clear()


def entries(act: str) -> list[dict]:
    bodies = [json.loads(bytes(row.body)) for row in OutboxRow.objects.order_by("pk")]
    return [body for body in bodies if body["act"] == act]


def log_in(client: Client, username: str, password: str = factories.PASSWORD, **more):
    return client.post(LOGIN, {"username": username, "password": password, **more})


def test_log_in_leads_home_and_is_on_record(client, city):
    response = log_in(client, "enterprise")
    assert response.status_code == 302
    assert response["Location"] == reverse("portal:home")
    [entry] = entries("account.login")
    assert entry["actor"] == str(city.enterprise.uid)
    assert entry["org"] == str(city.enterprise.organization.uid)


def test_log_in_goes_on_to_the_page_that_asked_for_it(client, city):
    asked = client.get("/requests/")
    assert asked.status_code == 302
    response = client.post(
        asked["Location"], {"username": "enterprise", "password": factories.PASSWORD, "next": "/requests/"}
    )
    assert response["Location"] == "/requests/"


def test_log_in_never_leads_to_another_site(client, city):
    response = log_in(client, "enterprise", next="https://example.org/")
    assert response["Location"] == reverse("portal:home")


def test_a_failure_is_on_record_without_the_name(client, city):
    response = log_in(client, "enterprise", "wrong")
    assert response.status_code == 200
    [entry] = entries("account.login_failed")
    assert entry["pc"].keys() == {"ip", "name"}  # commitments: tests/integration/test_audit_personal.py
    assert entry["out"] == "refused"
    assert "enterprise" not in json.dumps(entry)


def test_an_empty_form_is_no_attempt(client, city):
    client.post(LOGIN, {"username": "", "password": ""})
    client.post(LOGIN, {"username": "enterprise", "password": ""})
    assert entries("account.login_failed") == []


def test_after_five_failures_even_the_right_password_waits(client, city):
    for _ in range(attempts.PER_NAME):
        assert log_in(client, "enterprise", "wrong").status_code == 200
    response = log_in(client, "Enterprise")  # another spelling of the name is the same name
    assert response.status_code == 429
    assert response["Retry-After"] == str(attempts.WINDOW)
    assert log_in(client, "enterprise").status_code == 429
    assert "_auth_user_id" not in client.session
    assert entries("refused")[-1]["x"] == {"what": "account.login", "code": "account.slowed"}
    assert log_in(client, "rival").status_code == 302  # others at the same address go on


def test_the_count_holds_across_processes_in_the_database_cache(client, city, settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "attempts"}
    }
    call_command("createcachetable", "attempts", verbosity=0)
    for _ in range(attempts.PER_NAME):
        assert log_in(client, "enterprise", "wrong").status_code == 200
    assert log_in(client, "enterprise").status_code == 429
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(cache_key, ' ') FROM attempts")
        assert "enterprise" not in cursor.fetchone()[0]


def test_many_names_from_one_address_wait_too(client, city):
    for number in range(attempts.PER_ADDRESS):
        log_in(client, f"guess{number}", "wrong")
    assert log_in(client, "enterprise").status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.1.1.1")
    assert log_in(elsewhere, "enterprise").status_code == 302


def test_success_does_not_use_up_attempts(client, city):
    for _ in range(2 * attempts.PER_NAME):
        assert log_in(client, "enterprise").status_code == 302


def test_a_forwarded_address_counts_only_behind_our_own_proxy(client, city, settings, rf):
    request = rf.get("/", headers={"X-Forwarded-For": "1.1.1.1, 10.0.0.9"}, REMOTE_ADDR="127.0.0.1")
    assert attempts.address(request) == "127.0.0.1"
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert attempts.address(request) == "10.0.0.9"


def test_inactive_accounts_do_not_get_in(client, city):
    city.enterprise.is_active = False
    city.enterprise.save()
    assert log_in(client, "enterprise").status_code == 200
    assert "_auth_user_id" not in client.session


def test_log_out_needs_a_post(client, city):
    client.force_login(city.enterprise)
    assert client.get(reverse("portal:logout")).status_code == 405
    assert client.post(reverse("portal:logout")).status_code == 302
    assert "_auth_user_id" not in client.session


# --- The front page ---------------------------------------------------------------------------------------
def test_visitors_see_what_this_is_and_four_figures(client, city, django_assert_max_num_queries):
    factories.published_dataset(city.power)
    with django_assert_max_num_queries(8):
        response = client.get("/")
    assert [stat.value for stat in response.context["figures"]] == [1, "≈ 120", 0, 0]
    assert 'name="q"' in response.content.decode()


def test_figures_count_what_everyone_may_see(client, city):
    factories.published_dataset(city.power, "hidden", visibility="named")
    factories.published_dataset(city.power, "draft", listed=False)
    response = client.get("/")
    assert [stat.value for stat in response.context["figures"]][:2] == [0, 0]


def test_everyone_sees_what_waits_for_them(client, city):
    dataset = factories.published_dataset(city.power)
    asked = factories.filed_request(city.enterprise, [dataset])
    page = reverse("portal:request", args=[asked.uid])
    for user, waits in (
        (city.power, True),
        (city.bureau, True),
        (city.water, False),
        (city.enterprise, False),
        (city.auditor, False),
    ):
        client.force_login(user)
        queue = client.get("/").context["queue"]
        assert [item.url for item in queue] == ([page] if waits else []), user


def test_a_checked_version_waits_for_its_provider(client, city):
    dataset = factories.published_dataset(city.power)
    version = dataset.versions.get()
    dataset.versions.create(
        number=2, state=VersionState.CHECKED, handed_in_by=city.power, schema_json=version.schema_json
    )
    client.force_login(city.power)
    [item] = client.get("/").context["queue"]
    assert "/admin/catalog/version/" in item.url
    client.force_login(city.water)
    assert client.get("/").context["queue"] == []
    approver = factories.account("approver", city.power.organization, Role.APPROVER)
    client.force_login(approver)
    assert client.get("/").context["queue"] == []


def test_contracts_wait_for_signatures_and_then_show_what_is_left(client, city):
    dataset = factories.published_dataset(city.power)
    contract = factories.drafted_contract(city.enterprise, [dataset], city.deciders)
    client.force_login(city.enterprise)
    [item] = client.get("/").context["queue"]
    assert item.url == reverse("portal:contract", args=[contract.uid])
    factories.sign_contract(actor=factories.actor(city.enterprise), contract=contract, digest=contract.digest)
    assert client.get("/").context["queue"] == []
    for user in (city.power, city.bureau):
        factories.sign_contract(actor=factories.actor(user), contract=contract, digest=contract.digest)
    [row] = client.get("/").context["in_force"]
    assert (row.runs_left, row.days_left) == (100, 365)


def test_the_front_page_costs_no_more_with_more_in_the_queue(client, city, django_assert_max_num_queries):
    datasets = [factories.published_dataset(city.power), factories.water_dataset(city.water)]
    for number in range(4):
        factories.filed_request(city.enterprise, datasets, scenario=f"场景{number}")
        factories.signed_contract(city.enterprise, datasets, city.deciders, scenario=f"合同{number}")
    client.force_login(city.bureau)
    with django_assert_max_num_queries(30):
        response = client.get("/")
    assert len(response.context["queue"]) == 4
    assert len(response.context["in_force"]) == 4


# --- Passwords --------------------------------------------------------------------------------------------
NEW = "seventy-two springs"


def change(client: Client, old: str = factories.PASSWORD):
    passwords = {"old_password": old, "new_password1": NEW, "new_password2": NEW}
    return client.post(reverse("portal:password"), passwords)


def test_a_password_is_changed_on_record_and_ends_other_log_ins(client, city):
    elsewhere = Client()
    log_in(elsewhere, "enterprise")
    log_in(client, "enterprise")
    assert change(client)["Location"] == reverse("portal:home")
    [entry] = entries("account.changed")
    assert (entry["obj"], entry["x"]) == (city.enterprise.audit_ref, {"fields": ["password"]})
    assert client.get("/requests/").status_code == 200, "who changed it stays"
    assert elsewhere.get("/requests/").status_code == 302
    assert log_in(Client(), "enterprise").status_code == 200, "the old one no longer opens"
    assert log_in(Client(), "enterprise", NEW).status_code == 302


def test_a_wrong_old_password_changes_nothing(client, city):
    client.force_login(city.enterprise)
    assert change(client, "wrong").context["form"].errors["old_password"]
    assert entries("account.changed") == []
    assert log_in(Client(), "enterprise").status_code == 302


def test_there_is_one_way_to_change_a_password_and_none_for_strangers(client, city):
    assert client.get(reverse("portal:password"))["Location"].startswith(LOGIN)
    city.bureau.is_staff = True
    city.bureau.save()
    client.force_login(city.bureau)
    assert client.get("/admin/password_change/")["Location"] == reverse("portal:password")
