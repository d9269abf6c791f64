"""Who may see a result, and when. Asked at every look, on a page as for a file (P8)."""

from __future__ import annotations

from django.utils import timezone

from contracts.decisions import Action, Facts, decide
from contracts.permissions import check_can_compute
from parties.actors import Actor
from sandbox.models import Release


def check_can_open(actor: Actor, release: Release) -> None:
    """The enterprise of the contract, while the contract permits it. Raises Refused with the reason."""
    contract = release.run.contract
    check_can_compute(actor, contract)
    decide(contract, Facts(action=Action.DOWNLOAD, now=timezone.now(), released_at=release.released))
