"""`Actor`: whoever acts, as services see it. Built from the logged-in account; background work has `SYSTEM`."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from parties.models import Organization, User
from parties.roles import OrganizationKind, Role


@dataclass(frozen=True, slots=True)
class Actor:
    """An account with the organization it acts for and its roles there. Inactive accounts have none."""

    uid: str
    user: User | None = None
    organization: Organization | None = None
    roles: frozenset[str] = field(default_factory=frozenset)

    @property
    def organization_uid(self) -> str:
        return str(self.organization.uid) if self.organization else ""

    @property
    def kind(self) -> str:
        return self.organization.kind if self.organization else ""

    def holds(self, role: Role, *kinds: OrganizationKind) -> bool:
        """Whether the actor has `role`, in an organization of one of `kinds` (any kind if none is named)."""
        return role in self.roles and (not kinds or self.kind in kinds)

    def require(self, role: Role, *kinds: OrganizationKind) -> None:
        if not self.holds(role, *kinds):
            raise Refused(
                "role.missing", _("Your account does not have the role this step needs."), role=str(role)
            )

    def acts_for(self, organization: Organization) -> bool:
        return self.organization is not None and self.organization.pk == organization.pk


SYSTEM = Actor(uid="system:worker")
NOBODY = Actor(uid="anonymous")


def actor_for(user: User | AnonymousUser) -> Actor:
    """The actor behind a request. Anonymous, inactive, and of an inactive organization: nobody."""
    if not isinstance(user, User) or not user.is_active:
        return NOBODY
    organization = user.organization
    if organization is not None and not organization.active:
        return NOBODY
    roles = frozenset(user.memberships.values_list("role", flat=True)) if organization else frozenset()
    return Actor(uid=str(user.uid), user=user, organization=organization, roles=roles)
