"""Who may do what with requests and contracts. Each rule raises Refused with its reason; `allowed` makes it a bool.

Nobody decides on their own: the asking enterprise has no decision, and who filed a request can never decide it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.models import AccessRequest, Contract, Decision, Signature
from contracts.states import Part, RequestState
from parties.actors import Actor
from parties.roles import OrganizationKind, Role


def allowed(check: Callable[..., Any], *args: Any) -> bool:
    try:
        check(*args)
    except Refused:
        return False
    return True


def check_can_file(actor: Actor) -> None:
    actor.require(Role.MEMBER, OrganizationKind.ENTERPRISE)


def check_can_withdraw(actor: Actor, request: AccessRequest) -> None:
    actor.require(Role.MEMBER, OrganizationKind.ENTERPRISE)
    if not actor.acts_for(request.organization):
        raise Refused("request.not_yours", _("Only the organization that filed a request can withdraw it."))


def open_decision(actor: Actor, request: AccessRequest) -> Decision:
    """The decision that waits for this actor. Raises Refused where none does."""
    actor.require(Role.APPROVER, OrganizationKind.PROVIDER, OrganizationKind.BUREAU)
    if actor.acts_for(request.organization) or (actor.user and request.filed_by_id == actor.user.pk):
        raise Refused("request.own", _("Nobody decides on their own request."))
    if request.state != RequestState.FILED:
        raise Refused("request.closed", _("This request is closed; nothing is left to decide."))
    for decision in request.decisions.all():
        if actor.acts_for(decision.organization) and not decision.outcome:
            return decision
    raise Refused("request.nothing_to_decide", _("Your organization has no open decision on this request."))


def open_signature(actor: Actor, contract: Contract) -> Signature:
    """The signature that waits for this actor. Raises Refused where none does."""
    actor.require(Role.SIGNATORY)
    for signature in contract.signatures.all():
        if actor.acts_for(signature.organization):
            if signature.signed:
                raise Refused("contract.already_signed", _("Your organization has signed already."))
            return signature
    raise Refused("contract.not_a_party", _("Your organization is not a party to this contract."))


def check_can_halt(actor: Actor, contract: Contract) -> None:
    """Suspend: a providing party or the bureau, by its signatory."""
    actor.require(Role.SIGNATORY, OrganizationKind.PROVIDER, OrganizationKind.BUREAU)
    _check_party(actor, contract)


def check_can_resume(actor: Actor, contract: Contract) -> None:
    """Resume: the organization that suspended, or the bureau."""
    check_can_halt(actor, contract)
    if actor.kind != OrganizationKind.BUREAU and (
        contract.halted_by is None or not actor.acts_for(contract.halted_by)
    ):
        raise Refused(
            "contract.halted_by_other",
            _("Only the organization that suspended the contract, or the bureau, can resume it."),
        )


def check_can_terminate(actor: Actor, contract: Contract) -> None:
    """Terminate: any party, by its signatory."""
    actor.require(Role.SIGNATORY)
    _check_party(actor, contract)


def check_can_compute(actor: Actor, contract: Contract) -> None:
    actor.require(Role.MEMBER, OrganizationKind.ENTERPRISE)
    if not actor.acts_for(contract.enterprise):
        raise Refused("contract.not_yours", _("Only the enterprise of the contract computes under it."))


def _check_party(actor: Actor, contract: Contract) -> None:
    if not any(actor.acts_for(signature.organization) for signature in contract.signatures.all()):
        raise Refused("contract.not_a_party", _("Your organization is not a party to this contract."))


def parts_of(actor: Actor, contract: Contract) -> set[Part]:
    return {Part(s.part) for s in contract.signatures.all() if actor.acts_for(s.organization)}
