"""`visible_to` and `holds` agree on every object for every kind of account."""

from __future__ import annotations

import pytest

from catalog.models import Dataset, DatasetUserPermission
from catalog.states import DatasetState
from parties.actors import NOBODY, SYSTEM, Actor, actor_for
from parties.grants import grant, granted_to, holds, revoke, visible_to
from parties.models import Organization
from parties.roles import OrganizationKind, Role
from tests.catalog_world import account, organization

VIEW = "catalog.view_dataset"
pytestmark = pytest.mark.django_db


@pytest.fixture
def datasets() -> list[Dataset]:
    provider = organization()
    return [
        Dataset.objects.create(
            provider=provider, name=f"t{n}", title=f"t{n}", description="d", state=DatasetState.LISTED
        )
        for n in range(4)
    ]


@pytest.fixture
def enterprise() -> Organization:
    return organization(OrganizationKind.ENTERPRISE)


def everyone(enterprise: Organization) -> dict[str, Actor]:
    superuser = account(None, is_superuser=True, is_staff=True)
    inactive = account(enterprise, Role.MEMBER, is_active=False)
    gone = organization(OrganizationKind.ENTERPRISE, active=False)
    return {
        "anonymous": NOBODY,
        "system": SYSTEM,
        "stranger": actor_for(account(organization(OrganizationKind.ENTERPRISE), Role.MEMBER)),
        "member": actor_for(account(enterprise, Role.MEMBER)),
        "without a role": actor_for(account(enterprise)),
        "inactive": actor_for(inactive),
        "of an inactive organization": actor_for(account(gone, Role.MEMBER)),
        "superuser": actor_for(superuser),
        "superuser of the organization": actor_for(account(enterprise, is_superuser=True)),
    }


def test_visible_to_and_holds_agree_on_every_object(datasets, enterprise) -> None:
    for dataset in datasets[:2]:
        grant(VIEW, enterprise, dataset)
    grant(VIEW, organization(), datasets[3])
    for name, actor in everyone(enterprise).items():
        seen = set(visible_to(actor, Dataset.objects.all(), VIEW).values_list("pk", flat=True))
        held = {dataset.pk for dataset in datasets if holds(actor, VIEW, dataset)}
        assert seen == held, name
        ours = name in {"member", "without a role", "superuser of the organization"}
        assert seen == ({datasets[0].pk, datasets[1].pk} if ours else set()), name


def test_a_revoked_grant_opens_nothing(datasets, enterprise) -> None:
    member = actor_for(account(enterprise, Role.MEMBER))
    grant(VIEW, enterprise, datasets[0])
    assert list(granted_to(VIEW, datasets[0])) == [enterprise]
    revoke(VIEW, enterprise, datasets[0])
    assert not holds(member, VIEW, datasets[0])
    assert not visible_to(member, Dataset.objects.all(), VIEW).exists()
    assert not granted_to(VIEW, datasets[0]).exists()


def test_a_model_wide_permission_opens_nothing(datasets, enterprise) -> None:
    from django.contrib.auth.models import Permission

    user = account(enterprise, Role.MEMBER)
    permission = Permission.objects.get(content_type__app_label="catalog", codename="view_dataset")
    user.user_permissions.add(permission)
    enterprise.group.permissions.add(permission)
    actor = actor_for(user)
    assert not visible_to(actor, Dataset.objects.all(), VIEW).exists()
    assert not any(holds(actor, VIEW, dataset) for dataset in datasets)


def test_only_listed_permissions_are_granted(datasets, enterprise) -> None:
    for permission in ("catalog.delete_dataset", "catalog.change_dataset", "view_dataset"):
        with pytest.raises(ValueError, match="not a permission"):
            grant(permission, enterprise, datasets[0])
    assert not DatasetUserPermission.objects.exists()
    assert not granted_to(VIEW, datasets[0]).exists()
