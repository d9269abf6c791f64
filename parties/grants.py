"""Per-object grants: the only importer of django-guardian.

Guardian's own shortcuts list objects for inactive accounts, let a model-wide permission open every row, and let
bulk grants skip checks. Here: a grant goes to an organization's group, one object at a time, from a closed list;
nobody inactive sees anything; `visible_to` and `holds` agree on every object (tests/unit/test_grants.py).
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from guardian.shortcuts import (  # noqa: TID251  # this is the module the ban points to
    assign_perm,
    get_groups_with_perms,
    get_objects_for_group,
    remove_perm,
)

from parties.actors import Actor
from parties.models import Organization

GRANTABLE = frozenset({"catalog.view_dataset"})

M = TypeVar("M", bound=Model)


def grant(permission: str, organization: Organization, thing: Model) -> None:
    _check(permission)
    assign_perm(permission, organization.group, thing)


def revoke(permission: str, organization: Organization, thing: Model) -> None:
    _check(permission)
    remove_perm(permission, organization.group, thing)


def holds(actor: Actor, permission: str, thing: Model) -> bool:
    """Whether the actor's organization was granted `permission` on this object."""
    return visible_to(actor, type(thing)._default_manager.all(), permission).filter(pk=thing.pk).exists()  # noqa: SLF001


def visible_to(actor: Actor, queryset: QuerySet[M], permission: str) -> QuerySet[M]:
    """The rows of `queryset` the actor's organization was granted. None for an actor without organization."""
    _check(permission)
    if actor.organization is None:
        return queryset.none()
    granted: QuerySet[M] = get_objects_for_group(
        actor.organization.group, permission, klass=queryset, accept_global_perms=False
    )
    return granted


def granted_to(permission: str, thing: Model) -> QuerySet[Organization]:
    """The organizations that hold `permission` on this object."""
    _check(permission)
    codename = permission.partition(".")[2]
    holders: dict[Group, list[str]] = cast("Any", get_groups_with_perms(thing, attach_perms=True))
    groups = [group.pk for group, held in holders.items() if codename in held]
    return Organization.objects.filter(group__in=groups)


def _check(permission: str) -> None:
    if permission not in GRANTABLE:
        raise ValueError(f"{permission} is not a permission that may be granted per object")
