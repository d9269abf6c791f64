"""Who may read the whole log: a rule the pages and the API share."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from parties.actors import Actor
from parties.roles import OrganizationKind, Role

_OVERSEERS = (Role.APPROVER, Role.ADMINISTRATOR)


def can_read_log(actor: Actor) -> bool:
    """Auditors, and of the bureau those who decide and those who administer."""
    return actor.holds(Role.AUDITOR) or any(actor.holds(role, OrganizationKind.BUREAU) for role in _OVERSEERS)


def check_can_read_log(actor: Actor) -> None:
    if not can_read_log(actor):
        raise Refused(
            "role.missing", _("Only auditors and the bureau's deciders and administrators read the log.")
        )
