"""What the page of one contract shows: the terms in words and as signed, who signed, what is left, what can be done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from math import ceil
from operator import itemgetter

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from contracts import permissions
from contracts.models import Contract, Signature
from contracts.names import names_in
from contracts.policy.wording import describe
from contracts.states import ContractState
from dataspace.portal.budgets import Gauge, gauges
from dataspace.portal.doors import address, reason_against
from dataspace.portal.forms.contracts import SignForm
from dataspace.portal.parts import Action, Crumb, Fact, Stat, Step
from dataspace.portal.run_page import latest_runs
from dataspace.portal.script_page import ContractScripts, scripts_of
from parties.actors import Actor
from parties.names import name_of
from sandbox.ledger import budgets
from sandbox.models import Run

OPEN = (ContractState.DRAFTED, ContractState.ACTIVE, ContractState.SUSPENDED)


@dataclass(frozen=True, slots=True)
class Party:
    """One party and what it put under the contract."""

    name: str
    part: StrOrPromise
    signature: Signature
    value: str  # the signature in hexadecimal; "" while open


class ContractPage:
    """Everything is worked out on first use by the template."""

    def __init__(self, actor: Actor, contract: Contract, form: SignForm | None = None) -> None:
        self._actor, self._contract, self._form = actor, contract, form
        self.trail = [Crumb(_("Contracts"), address("portal:contracts"))]

    @cached_property
    def title(self) -> str:
        return name_of(self._contract.enterprise)

    @cached_property
    def actions(self) -> list[Action]:
        """The next step on the way: sign what was drawn up, compute under what is in force."""
        if self.waits_for_signatures:
            waits = self.is_party and not self.why_not_sign
            return [Action(_("To the signature"), "#sign", tone="primary", icon="signature")] if waits else []
        url = address("portal:compute", self._contract.uid)
        ours = self._actor.acts_for(self._contract.enterprise)
        if not url or not ours:
            return []
        refused = (
            reason_against(permissions.check_can_compute, self._actor, self._contract)
            or self._why_not_in_force
        )
        return [Action(_("Compute"), url, tone="primary", icon="calculator", refused=refused)]

    @cached_property
    def stats(self) -> list[Stat]:
        contract = self._contract
        most = contract.terms.max_runs
        return [
            Stat(
                _("Computations left"),
                max(most - contract.runs_used, 0),
                unit=_("of %(most)s") % {"most": f"{most:,}"},
            ),
            Stat(_("Days left"), days_left(contract), note=_("in all %(days)s") % {"days": self._days}),
            Stat(_("Datasets"), len(contract.terms.datasets)),
            Stat(_("Contributors per cell, at least"), contract.terms.disclosure.min_contributors),
        ]

    @cached_property
    def gauges(self) -> list[Gauge]:
        return gauges(budgets(self._contract))

    @cached_property
    def runs_total(self) -> int:
        return self._contract.terms.max_runs

    @cached_property
    def facts(self) -> list[Fact]:
        contract = self._contract
        facts = [
            Fact(_("Digest of the document"), contract.digest, kind="digest"),
            Fact(
                _("Request"),
                contract.request.scenario[:60],
                url=address("portal:request", contract.request.uid),
            ),
            Fact(_("Drawn up"), contract.drafted, kind="moment"),
            Fact(_("Valid from"), contract.valid_from, kind="moment"),
            Fact(_("Valid until"), contract.valid_until, kind="moment"),
        ]
        if contract.halted_by:
            facts.append(Fact(_("Stopped by"), name_of(contract.halted_by)))
        if contract.halt_reason:
            facts.append(Fact(_("Reason"), contract.halt_reason))
        return facts

    @cached_property
    def parties(self) -> list[Party]:
        return [
            Party(name_of(s.organization), s.get_part_display(), s, bytes(s.value).hex() if s.value else "")
            for s in self._signatures
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """Drawn up, each signature, in force."""
        contract = self._contract
        drawn_up = Step(_("Drawn up"), "done", since=contract.drafted)
        return [drawn_up, *(_signature_step(contract, s) for s in self._signatures), _force_step(contract)]

    @cached_property
    def terms(self) -> list[tuple[str, list[str]]]:
        """The signed terms as sentences in the reader's language, gathered under their labels."""
        said = describe(self._contract.terms, get_language() or "zh-hans", names=names_in(self._contract))
        groups = groupby(said, key=itemgetter(0))
        return [(label, [text for _label, text in pairs]) for label, pairs in groups]

    @cached_property
    def document(self) -> str:
        """The signed bytes as text, exactly: what a verifier hashes."""
        return bytes(self._contract.document).decode()

    @cached_property
    def readable_document(self) -> str:
        """The same, indented for reading."""
        return json.dumps(json.loads(self.document), ensure_ascii=False, indent=2)

    @cached_property
    def runs(self) -> QuerySet[Run]:
        return latest_runs(self._actor, self._contract)

    @cached_property
    def scripts(self) -> ContractScripts | None:
        return scripts_of(self._actor, self._contract)

    @property
    def was_in_force(self) -> bool:
        return self._contract.state != ContractState.DRAFTED

    # --- What can be done ---------------------------------------------------------------------------------
    @cached_property
    def is_party(self) -> bool:
        return bool(permissions.parts_of(self._actor, self._contract))

    @cached_property
    def is_open(self) -> bool:
        return self._contract.state in OPEN

    @cached_property
    def waits_for_signatures(self) -> bool:
        return self._contract.state == ContractState.DRAFTED

    @cached_property
    def why_not_sign(self) -> StrOrPromise:
        return reason_against(permissions.open_signature, self._actor, self._contract)

    @cached_property
    def form(self) -> SignForm:
        return self._form or SignForm(initial={"digest": self._contract.digest})

    @cached_property
    def sign_url(self) -> str:
        return address("portal:contract_sign", self._contract.uid)

    @cached_property
    def can_be_suspended(self) -> bool:
        return self._contract.state == ContractState.ACTIVE

    @cached_property
    def why_not_suspend(self) -> StrOrPromise:
        return reason_against(permissions.check_can_halt, self._actor, self._contract)

    @cached_property
    def suspend_url(self) -> str:
        return address("portal:contract_suspend", self._contract.uid)

    @cached_property
    def resume(self) -> Action | None:
        if self._contract.state != ContractState.SUSPENDED:
            return None
        refused = reason_against(permissions.check_can_resume, self._actor, self._contract)
        url = address("portal:contract_resume", self._contract.uid)
        return Action(_("Resume"), url, tone="primary", icon="player-play", post=True, refused=refused)

    @cached_property
    def why_not_terminate(self) -> StrOrPromise:
        return reason_against(permissions.check_can_terminate, self._actor, self._contract)

    @cached_property
    def terminate_url(self) -> str:
        return address("portal:contract_terminate", self._contract.uid)

    @cached_property
    def _signatures(self) -> list[Signature]:
        return sorted(self._contract.signatures.all(), key=lambda s: s.pk)

    @property
    def _days(self) -> int:
        return (self._contract.valid_until - self._contract.valid_from).days

    @property
    def _why_not_in_force(self) -> StrOrPromise:
        if self._contract.state == ContractState.ACTIVE:
            return ""
        return _("The contract is not in force: %(state)s.") % {
            "state": ContractState(self._contract.state).label
        }


def days_left(contract: Contract, now: datetime | None = None) -> int:
    """Days until the contract runs out, the last one counted; 0 when it has."""
    return max(ceil((contract.valid_until - (now or timezone.now())) / timedelta(days=1)), 0)


def signatures_of(contract: Contract) -> list[tuple[str, bool]]:
    """Each party's name, and whether it has signed. Takes what `visible_contracts` fetched along."""
    signatures = sorted(contract.signatures.all(), key=lambda s: s.pk)
    return [(name_of(s.organization), s.signed is not None) for s in signatures]


def runs_left(contract: Contract) -> int:
    return max(contract.terms.max_runs - contract.runs_used, 0)


def _signature_step(contract: Contract, signature: Signature) -> Step:
    holder = name_of(signature.organization)
    label = signature.get_part_display()
    if signature.signed:
        return Step(label, "done", holder, signature.signed, note=_("signed"))
    if contract.state == ContractState.DRAFTED:
        return Step(label, "now", holder, contract.drafted, note=_("has yet to sign"))
    return Step(label, "next", holder, note=_("did not sign"))


def _force_step(contract: Contract) -> Step:
    label = ContractState(contract.state).label
    if contract.state == ContractState.DRAFTED:
        return Step(_("In force"), "next")
    if contract.state == ContractState.ACTIVE:
        return Step(label, "done", since=contract.state_since)
    return Step(label, "stopped", since=contract.state_since)
