"""What a contract must know to permit a script. Reads only."""

from __future__ import annotations

from django.utils import timezone

from contracts.decisions import Action, Facts
from contracts.models import Contract
from contracts.policy.terms import Lane
from sandbox.ledger import refusals
from sandbox.models import Answer


def facts_of_script(action: Action, contract: Contract) -> Facts:
    """A script asks nothing yet: no column is used, no answer taken."""
    asked = Answer.objects.filter(runs__contract=contract, lane=Lane.TABLE)
    return Facts(
        action=action, now=timezone.now(), runs_used=contract.runs_used, used=(), joined=(), lane=Lane.TABLE,
        answers=0, refusals=refusals(asked, contract), scripted=True,
    )  # fmt: skip
