"""Admit organizations and open accounts, on record, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable

from audit.events import Event
from audit.recorder import record
from parties.actors import Actor
from parties.models import Membership, Organization, User


def admit(*, actor: Actor, name: str, kind: str, name_en: str = "") -> Organization:
    """A new organization, active and without a signing key (`parties.keys.create_key` makes one)."""
    organization = Organization.objects.create(name=name, name_en=name_en, kind=kind)
    record(Event.ORGANIZATION_CREATED, actor=actor, about=organization, kind=str(kind))
    return organization


def open_account(
    *,
    actor: Actor,
    username: str,
    password: str,
    organization: Organization,
    roles: Iterable[str],
    full_name: str = "",
    is_staff: bool = False,
) -> User:
    """A new account of the organization with these roles. `is_staff` opens the back office."""
    user = User.objects.create_user(
        username, password=password, full_name=full_name, organization=organization, is_staff=is_staff
    )
    user.groups.add(organization.group)
    record(Event.ACCOUNT_CREATED, actor=actor, about=user, organization=organization.audit_ref)
    held = sorted(str(role) for role in roles)
    if held:
        Membership.objects.bulk_create(Membership(user=user, role=role) for role in held)
        touch(user)
        record(Event.ROLES_CHANGED, actor=actor, about=user, roles=held)
    return user


def touch(account: User) -> None:
    """Roles stand in rows of their own, and Django saves some changes by itself: the account's row follows."""
    account.new_event()
    account.save(update_fields=["event_id"])
