"""Who may read the log, and how much of it: rules the pages and the API share."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.models import Entry
from audit.refusals import Refused
from parties.actors import Actor
from parties.roles import OrganizationKind, Role

_OVERSEERS = (Role.APPROVER, Role.ADMINISTRATOR)


def reads_whole_log(actor: Actor) -> bool:
    """The auditors of an auditing body, and of the bureau those who decide and those who administer."""
    return actor.holds(Role.AUDITOR, OrganizationKind.AUDITOR) or any(
        actor.holds(role, OrganizationKind.BUREAU) for role in _OVERSEERS
    )


def can_read_log(actor: Actor) -> bool:
    """Whoever reads all of it, and the auditors of other organizations, who read what concerns their own."""
    return reads_whole_log(actor) or actor.holds(Role.AUDITOR)


def check_can_read_log(actor: Actor) -> None:
    if not can_read_log(actor):
        raise Refused(
            "role.missing", _("Only auditors and the bureau's deciders and administrators read the log.")
        )


def check_reads_whole_log(actor: Actor) -> None:
    check_can_read_log(actor)
    if not reads_whole_log(actor):
        raise Refused(
            "role.missing",
            _("You read the entries that concern your organization; this needs the whole log."),
        )


def can_open(actor: Actor) -> bool:
    """See the values of personal fields: the auditors of an auditing body, and the bureau's administrators."""
    return actor.holds(Role.AUDITOR, OrganizationKind.AUDITOR) or actor.holds(
        Role.ADMINISTRATOR, OrganizationKind.BUREAU
    )


def check_can_open(actor: Actor) -> None:
    if not can_open(actor):
        raise Refused(
            "role.missing", _("Only auditing bodies and the bureau's administrators see personal fields.")
        )


def check_can_erase(actor: Actor) -> None:
    """The bureau's administrators; not what the log says of themselves (P5, audit/erasure.py)."""
    if not actor.holds(Role.ADMINISTRATOR, OrganizationKind.BUREAU):
        raise Refused("role.missing", _("Only the bureau's administrators erase personal fields."))


def readable_entries(actor: Actor) -> QuerySet[Entry]:
    """The entries the actor may read: what is not among them is not there for this reader (P6).

    Raises Refused role.missing for whoever reads none.
    """
    check_can_read_log(actor)
    if reads_whole_log(actor):
        return Entry.objects.all()
    return Entry.objects.filter(parties__contains=[actor.organization_uid])
