"""Draw up a contract from a granted request: terms → ODRL → canonical bytes → one open signature per party."""

from __future__ import annotations

from django.utils import timezone

from audit.events import Event
from audit.recorder import record
from contracts.draft import draft_terms
from contracts.models import AccessRequest, Contract, Signature
from contracts.policy.agreement import draw_up as agree
from contracts.states import ContractState, Part
from parties.actors import Actor


def draw_up(request: AccessRequest, *, actor: Actor) -> Contract:
    """Runs in the transaction that grants the request. Raises Refused if the terms cannot be enforced."""
    terms = draft_terms(request, now=timezone.now())
    contract = Contract(
        request=request, enterprise=request.organization, state=ContractState.DRAFTED,
        valid_from=terms.valid_from, valid_until=terms.valid_until,
    )  # fmt: skip
    agreement = agree(terms, uid=f"urn:uuid:{contract.uid}")
    contract.document, contract.digest = agreement.body, agreement.digest()
    contract.save()
    for decision in request.decisions.filter(part=Part.PROVIDER):
        Signature.objects.create(contract=contract, organization=decision.organization, part=Part.PROVIDER)
    for decision in request.decisions.filter(part=Part.BUREAU):
        # The implementing body signs too: it supervises as a party that can halt.
        Signature.objects.create(contract=contract, organization=decision.organization, part=Part.BUREAU)
    Signature.objects.create(contract=contract, organization=request.organization, part=Part.ENTERPRISE)
    record(
        Event.CONTRACT_DRAFTED,
        actor=actor,
        about=contract.audit_ref,
        request=request.audit_ref,
        digest=contract.digest,
    )
    return contract
