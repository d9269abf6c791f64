"""Who may see a result, and when. Asked at every look, on a page as for a file (P8)."""

from __future__ import annotations

from typing import Any

from django.db.models import Manager
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.decisions import Action, Facts, decide
from contracts.permissions import check_can_compute
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.models import Release


def check_can_review(actor: Actor, *, author: int, reviews: Manager[Any]) -> None:
    """A reviewer of the bureau or the operator who is neither the author nor one who has spoken already."""
    actor.require(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR)
    assert actor.user is not None
    if actor.user.pk == author:
        raise Refused("review.own", _("Nobody reviews their own work."))
    if reviews.filter(reviewer=actor.user).exists():
        raise Refused("review.twice", _("You have given your review; another reviewer is needed."))


def check_can_open(actor: Actor, release: Release) -> None:
    """The enterprise of the contract, while the contract permits it. Raises Refused with the reason."""
    contract = release.run.contract
    check_can_compute(actor, contract)
    decide(contract, Facts(action=Action.DOWNLOAD, now=timezone.now(), released_at=release.released))
