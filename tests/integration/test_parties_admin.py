"""The bureau's administrators keep organizations, accounts and roles; every change is on record (P3, P5)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from audit import sealer
from audit.events import Event
from audit.models import Entry
from parties.models import Membership, Organization, User
from parties.roles import Role
from tests import factories

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def acts() -> list[str]:
    sealer.seal_all()
    return list(Entry.objects.order_by("seq").values_list("act", flat=True))


def test_an_administrator_admits_an_organization_and_makes_its_key(city):
    client = signed_in(city.bureau)
    answer = client.post(
        reverse("admin:parties_organization_add"),
        {"name": "新数据企业", "kind": "enterprise", "active": "on"},
    )
    assert answer.status_code == 302
    made = Organization.objects.get(name="新数据企业")
    client.post(
        reverse("admin:parties_organization_changelist"),
        {"action": "make_key", "_selected_action": [made.pk]},
    )
    assert made.signing_keys.count() == 1
    assert acts()[-2:] == [Event.ORGANIZATION_CREATED, Event.KEY_CREATED]


def test_an_administrator_gives_roles_and_it_is_on_record(city):
    client = signed_in(city.bureau)
    address = reverse("admin:parties_user_change", args=[city.rival.pk])
    rows = list(Membership.objects.filter(user=city.rival).order_by("pk"))
    form = {
        "username": city.rival.username, "organization": city.rival.organization_id, "is_active": "on",
        "memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": len(rows),
        "memberships-MIN_NUM_FORMS": 0, "memberships-MAX_NUM_FORMS": 1000,
    }  # fmt: skip
    for i, row in enumerate(rows):
        form |= {
            f"memberships-{i}-id": row.pk,
            f"memberships-{i}-user": city.rival.pk,
            f"memberships-{i}-role": row.role,
        }
    form["memberships-0-DELETE"] = "on"
    assert client.post(address, form).status_code == 302
    assert Membership.objects.filter(user=city.rival).count() == len(rows) - 1
    assert Event.ROLES_CHANGED in acts()


def test_a_role_that_does_not_exist_in_that_kind_of_organization_is_refused(city):
    client = signed_in(city.bureau)
    form = {
        "username": city.rival.username, "organization": city.rival.organization_id, "is_active": "on",
        "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0,
        "memberships-MIN_NUM_FORMS": 0, "memberships-MAX_NUM_FORMS": 1000,
        "memberships-0-user": city.rival.pk, "memberships-0-role": Role.STEWARD,
    }  # fmt: skip
    assert client.post(reverse("admin:parties_user_change", args=[city.rival.pk]), form).status_code == 200
    assert not Membership.objects.filter(user=city.rival, role=Role.STEWARD).exists()


@pytest.mark.parametrize("side", ["power", "enterprise", "auditor"])
def test_nobody_else_sees_organizations_or_accounts(city, side):
    user = getattr(city, side)
    user.is_staff = True
    user.save()
    client = signed_in(user)
    for name in ("organization", "user"):
        assert client.get(reverse(f"admin:parties_{name}_changelist")).status_code in (302, 403, 404)


def test_setting_another_account_s_password_is_on_record(city):
    client = signed_in(city.bureau)
    changed = client.post(
        reverse("admin:auth_user_password_change", args=[city.enterprise.pk]),
        {"password1": "seventy-two springs", "password2": "seventy-two springs", "usable_password": "true"},
    )
    assert changed.status_code == 302
    sealer.seal_all()
    entry = Entry.objects.get(act=Event.ACCOUNT_CHANGED)
    assert entry.obj == city.enterprise.audit_ref
    assert city.enterprise.check_password(factories.PASSWORD)
    city.enterprise.refresh_from_db()
    assert city.enterprise.check_password("seventy-two springs")
