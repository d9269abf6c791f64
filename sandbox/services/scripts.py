"""Submit a script, and withdraw it again."""

from __future__ import annotations

import hashlib

from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from contracts.decisions import Action, decide
from contracts.models import Contract
from contracts.permissions import check_can_compute
from parties.actors import Actor
from sandbox.models import Script
from sandbox.reads import extract_for
from sandbox.scripts.facts import facts_of_script
from sandbox.scripts.reading import check_dataset, check_source
from sandbox.scripts.states import ScriptState

MAX_WAITING = 10  # scripts of one contract that may wait for review or for their run at once


@use_case("script.submit", about="contract")
def submit_script(*, actor: Actor, contract: Contract, dataset: str, source: str, title: str) -> Script:
    """Check the text and queue it for review. What it reads is the dataset's newest version, frozen now.

    Raises Refused: role.missing, contract.* (any term), script.*, dataset.no_version.
    """
    contract = (
        Contract.objects.select_for_update(of=["self"]).select_related("enterprise", "request").get(pk=contract.pk)
    )  # fmt: skip
    check_can_compute(actor, contract)
    assert actor.user is not None
    decide(contract, facts_of_script(Action.SUBMIT, contract))
    term = check_dataset(dataset, contract.terms)
    text = source.removeprefix("\ufeff").replace("\r\n", "\n")
    check_source(text)
    if not title.strip():
        raise Refused("script.title", _("Say in a few words what the script does."))
    waiting = contract.scripts.filter(state__in=[ScriptState.IN_REVIEW, ScriptState.APPROVED])
    if waiting.count() >= MAX_WAITING:
        raise Refused("script.too_many", _("Too many scripts of this contract are waiting."))
    script = Script(
        contract=contract, author=actor.user, title=title.strip()[:120], dataset=term.name, source=text,
        digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", read=extract_for(term).to_json(),
        state=ScriptState.IN_REVIEW,
    )  # fmt: skip
    script.save()
    record(
        Event.SCRIPT_SUBMITTED, actor=actor, about=script, contract=contract.audit_ref, source=script.digest,
        dataset=script.extract.dataset_uid,
    )  # fmt: skip
    return script


@use_case("script.withdraw", about="script")
def withdraw_script(*, actor: Actor, script: Script) -> Script:
    """Before it has run."""
    script = _locked(script)
    check_can_compute(actor, script.contract)
    move(script, ScriptState.WITHDRAWN, actor=actor)
    return script


def _locked(script: Script) -> Script:
    return (
        Script.objects.select_for_update(of=["self"])
        .select_related("contract__enterprise", "contract__request")
        .get(pk=script.pk)
    )
