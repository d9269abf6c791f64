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
    # Providers and the implementing body, which supervises as a party that can halt; then the enterprise.
    deciders = request.decisions.filter(part__in=[Part.PROVIDER, Part.BUREAU]).select_related("organization")
    parties = [*((decision.organization, decision.part) for decision in deciders.order_by("pk")),
               (request.organization, Part.ENTERPRISE)]  # fmt: skip
    for organization, part in parties:
        Signature.objects.create(
            contract=contract, organization=organization, part=part, event_id=contract.event_id
        )
    record(
        Event.CONTRACT_DRAFTED,
        actor=actor,
        about=contract,
        request=request.audit_ref,
        digest=contract.digest,
    )
    return contract
