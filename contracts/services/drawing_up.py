"""Draw up a contract from a granted request: terms → ODRL → canonical bytes → one open signature per party."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from contracts.draft import draft_terms
from contracts.models import AccessRequest, Contract, Signature
from contracts.policy.canonical import canonical, digest
from contracts.policy.odrl import to_odrl
from contracts.policy.validate import check_terms
from contracts.states import ContractState, Part
from parties.actors import Actor


def draw_up(request: AccessRequest, *, actor: Actor) -> Contract:
    """Runs in the transaction that grants the request. Raises Refused if the terms cannot be enforced."""
    terms = draft_terms(request, now=timezone.now())
    problems = check_terms(terms)
    if problems:
        raise Refused(
            "contract.terms",
            _("The terms cannot be enforced as they stand: %(problems)s") % {"problems": "; ".join(p.message for p in problems)},
            problems=[p.code for p in problems],
        )
    contract = Contract(
        request=request, enterprise=request.organization, state=ContractState.DRAFTED,
        valid_from=terms.valid_from, valid_until=terms.valid_until,
    )  # fmt: skip
    contract.document = canonical(to_odrl(terms, uid=f"urn:uuid:{contract.uid}"))
    contract.digest = digest(contract.document)
    contract.save()
    for decision in request.decisions.filter(part=Part.PROVIDER):
        Signature.objects.create(contract=contract, organization=decision.organization, part=Part.PROVIDER)
    for decision in request.decisions.filter(part=Part.BUREAU):
        # The bureau authorizes by its decision and supervises as a party that can halt; it signs too, as implementing body.
        Signature.objects.create(contract=contract, organization=decision.organization, part=Part.BUREAU)
    Signature.objects.create(contract=contract, organization=request.organization, part=Part.ENTERPRISE)
    record(
        Event.CONTRACT_DRAFTED, actor=actor, about=contract.audit_ref, request=request.audit_ref, digest=contract.digest
    )
    return contract
