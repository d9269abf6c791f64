"""Sign, suspend, resume, terminate, expire."""

from __future__ import annotations

import base64

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from contracts import permissions
from contracts.models import Contract, Signature
from contracts.policy.canonical import matches
from contracts.states import ContractState
from parties.actors import SYSTEM, Actor
from parties.keys import signer_for
from parties.models import SigningKey


def _locked(contract: Contract) -> Contract:
    return Contract.objects.select_for_update().get(pk=contract.pk)


@use_case("contract.sign", about="contract")
def sign_contract(*, actor: Actor, contract: Contract, digest: str) -> Contract:
    """Sign the canonical document for the actor's organization; the last signature puts the contract in force.

    `digest` is that of the document the person saw: what is signed is what was read.
    Raises Refused: role.missing, contract.not_a_party, contract.already_signed, contract.other_document, key.missing.
    """
    contract = _locked(contract)
    signature = permissions.open_signature(actor, contract)
    if contract.state != ContractState.DRAFTED:
        raise Refused(
            "state.not_allowed", _("This is no longer possible: its state has changed. Reload the page.")
        )
    document = bytes(contract.document)
    if digest != contract.digest or not matches(document, digest):
        raise Refused(
            "contract.other_document",
            _("This is not the document you were shown. Reload the page and read it again."),
        )
    signer = signer_for(signature.organization)
    signature.value = signer.sign(document)
    signature.key = SigningKey.objects.get(uid=signer.key_uid)
    signature.signed_by, signature.signed = actor.user, timezone.now()
    signature.new_event()
    signature.save()
    record(
        Event.CONTRACT_SIGNED, actor=actor, about=signature, digest=contract.digest, key=signer.key_uid,
        signature=base64.b64encode(signature.value).decode(), part=signature.part,
    )  # fmt: skip
    if not Signature.objects.filter(contract=contract, signed=None).exists():
        move(contract, ContractState.ACTIVE, actor=actor, digest=contract.digest)
    return contract


def _halt(contract: Contract, to: ContractState, actor: Actor, reason: str) -> Contract:
    if not reason.strip():
        raise Refused("contract.reason", _("Give your reason; the other parties will read it."))
    move(
        contract,
        to,
        actor=actor,
        set_fields={"halted_by": actor.organization, "halt_reason": reason.strip()[:500]},
    )
    return contract


@use_case("contract.suspend", about="contract")
def suspend_contract(*, actor: Actor, contract: Contract, reason: str) -> Contract:
    """Stops submissions, releases and downloads at once, and runs under way within a second (P8)."""
    contract = _locked(contract)
    permissions.check_can_halt(actor, contract)
    return _halt(contract, ContractState.SUSPENDED, actor, reason)


@use_case("contract.resume", about="contract")
def resume_contract(*, actor: Actor, contract: Contract) -> Contract:
    contract = _locked(contract)
    permissions.check_can_resume(actor, contract)
    if contract.state != ContractState.SUSPENDED:
        raise Refused(
            "state.not_allowed", _("This is no longer possible: its state has changed. Reload the page.")
        )
    move(contract, ContractState.ACTIVE, actor=actor, set_fields={"halted_by": None, "halt_reason": ""})
    return contract


@use_case("contract.terminate", about="contract")
def terminate_contract(*, actor: Actor, contract: Contract, reason: str) -> Contract:
    contract = _locked(contract)
    permissions.check_can_terminate(actor, contract)
    return _halt(contract, ContractState.TERMINATED, actor, reason)


def expire_contracts() -> int:
    """Mark what has run out. Only the mark: decisions refuse by the clock whether this ran or not."""
    due = Contract.objects.filter(
        state__in=[ContractState.DRAFTED, ContractState.ACTIVE, ContractState.SUSPENDED],
        valid_until__lte=timezone.now(),
    )
    expired = 0
    for pk in due.values_list("pk", flat=True):
        with transaction.atomic():
            contract = Contract.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
            if contract and ContractState.EXPIRED in contract.MOVES.get(contract.state, {}):
                move(contract, ContractState.EXPIRED, actor=SYSTEM)
                expired += 1
    return expired
