"""What the page of one script shows, and a contract's list of scripts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from contracts.decisions import Action as Act
from contracts.decisions import decide
from contracts.models import Contract
from contracts.names import names_in
from contracts.permissions import allowed, check_can_compute
from dataspace.portal.doors import address, reason_against
from dataspace.portal.forms.scripts import ReviewForm
from dataspace.portal.parts import Action, Crumb, Fact, Step, StepState
from dataspace.portal.questions import title as title_of
from parties.actors import Actor
from parties.names import name_of
from parties.roles import OrganizationKind
from sandbox.models import Run, Script
from sandbox.models.scripts import Review
from sandbox.permissions import check_can_review
from sandbox.scripts.facts import facts_of_script
from sandbox.scripts.states import REVIEWERS, ScriptState, Verdict
from sandbox.selectors import is_reviewer, reads_source, visible_scripts
from sandbox.states import Failure

LATEST = 10
MOVING = (ScriptState.IN_REVIEW, ScriptState.APPROVED)


@dataclass(frozen=True, slots=True)
class Said:
    """One review as this reader may see it: `who` is the organization, to colleagues the account too."""

    who: str
    verdict: StrOrPromise
    approved: bool
    review: Review
    note: str


@dataclass(frozen=True, slots=True)
class ContractScripts:
    """The part of a contract's page about scripts."""

    rows: QuerySet[Script]
    submit: Action | None


def scripts_of(actor: Actor, contract: Contract) -> ContractScripts | None:
    """None where the terms permit none."""
    if not contract.terms.disclosure.allow_scripts:
        return None
    submit = None
    if allowed(check_can_compute, actor, contract):
        url = address("portal:script_new", contract.uid)
        submit = Action(_("Submit a script"), url, icon="pencil", refused=why_no_script(contract))
    return ContractScripts(visible_scripts(actor).filter(contract=contract)[:LATEST], submit)


def why_no_script(contract: Contract) -> StrOrPromise:
    """Why no script can be submitted under this contract now; "" where one can."""
    return reason_against(decide, contract, facts_of_script(Act.SUBMIT, contract))


def ready_scripts(contract: Contract) -> list[Script]:
    """Whose records can be asked, newest first; none where the terms permit no scripts."""
    if not contract.terms.disclosure.allow_scripts:
        return []
    return list(contract.scripts.filter(state=ScriptState.READY).defer("source"))


def reviews_said(actor: Actor, about: Script | Run, *, notes: bool) -> list[Said]:
    """Colleagues of the reviewers read who it was; `notes` says whether others read the notes."""
    overseer = actor.kind in (OrganizationKind.BUREAU, OrganizationKind.OPERATOR)
    reviews: list[Review] = list(about.reviews.select_related("organization", "reviewer"))
    return [
        Said(
            f"{name_of(r.organization)} · {r.reviewer}" if overseer else name_of(r.organization),
            Verdict(r.verdict).label, r.verdict == Verdict.APPROVE, r, r.note if notes or overseer else "",
        )
        for r in reviews
    ]  # fmt: skip


class ScriptPage:
    """Everything is worked out on first use by the template."""

    def __init__(self, actor: Actor, script: Script, form: ReviewForm | None = None) -> None:
        self._actor, self.script, self._form = actor, script, form
        contract = script.contract
        self.trail = [
            Crumb(_("Contracts"), address("portal:contracts")),
            Crumb(contract.request.scenario[:40], address("portal:contract", contract.uid)),
        ]

    @cached_property
    def is_ours(self) -> bool:
        return allowed(check_can_compute, self._actor, self.script.contract)

    @cached_property
    def actions(self) -> list[Action]:
        if not self.is_ours or self.script.state != ScriptState.READY:
            return []
        url = f"{address('portal:compute', self.script.contract.uid)}?script={self.script.uid}"
        return [Action(_("Ask over its records"), url, tone="primary", icon="calculator")]

    @property
    def moves(self) -> bool:
        """Whether the page renews itself: a worker has it in hand."""
        return self.script.state == ScriptState.APPROVED

    @property
    def status(self) -> str:
        return _(
            "Running in the sandbox, without network and file system; then what it hands over is checked."
        )

    @property
    def failure(self) -> StrOrPromise:
        return Failure(self.script.failure).label if self.script.failure in Failure else ""

    # --- Its way ------------------------------------------------------------------------------------------
    @cached_property
    def steps(self) -> list[Step]:
        script = self.script
        given = sum(said.approved for said in self.reviews)
        note = _("%(given)d of %(all)d approve") % {"given": given, "all": REVIEWERS}
        review, run, ready = _marks(ScriptState(script.state), reviewed=given >= REVIEWERS)
        ended = ScriptState(script.state).label if "stopped" in (review, run) else ""
        last = self.reviews[-1].review.given if self.reviews else script.submitted
        return [
            Step(_("Submitted"), "done", name_of(script.contract.enterprise), script.submitted),
            Step(
                _("Read by two reviewers"), review, _("reviewers"), script.state_since if review == "stopped" else last,
                note=ended if review == "stopped" else note,
            ),
            Step(
                _("Run once, and its records checked"), run, _("sandbox"),
                script.state_since if run in ("now", "stopped") else None, note=ended if run == "stopped" else "",
            ),
            Step(_("Records prepared"), ready, since=script.state_since if ready == "done" else None),
        ]  # fmt: skip

    # --- What it is ---------------------------------------------------------------------------------------
    @cached_property
    def facts(self) -> list[Fact]:
        script = self.script
        contract, read = script.contract, script.extract
        term = contract.terms.dataset(script.dataset)
        called = title_of(term, names_in(contract)) if term else script.dataset
        facts = [
            Fact(_("Contract"), contract.request.scenario[:60], url=address("portal:contract", contract.uid)),
            Fact(_("Enterprise"), name_of(contract.enterprise)),
            Fact(_("Digest of the script"), script.digest, kind="digest"),
            Fact(_("Dataset"), called, url=address("portal:dataset", script.dataset)),
            Fact(_("Reads, version %(n)d") % {"n": read.number}, read.sha256, kind="digest"),
        ]
        if self.is_ours:
            facts.insert(2, Fact(_("Submitted by"), str(script.author)))
        if script.records is not None and is_reviewer(self._actor):
            facts.append(Fact(_("Prepared records"), script.records.sha256, kind="digest"))
        return facts

    @cached_property
    def columns(self) -> list[str]:
        """What it reads: the contract's columns, in their order."""
        term = self.script.contract.terms.dataset(self.script.dataset)
        return [column.name for column in term.columns] if term else []

    @cached_property
    def lines(self) -> list[str] | None:
        """None for those who may know of it but not read it."""
        return self.script.source.rstrip("\n").split("\n") if reads_source(self._actor, self.script) else None

    @property
    def refused_before(self) -> bool:
        """Whether reviewers have refused the very same text: for reviewers, who are not asked twice in vain."""
        same = Script.objects.filter(digest=self.script.digest, state=ScriptState.REFUSED)
        return self.can_be_reviewed and same.exclude(pk=self.script.pk).exists()

    @cached_property
    def reviews(self) -> list[Said]:
        return reviews_said(self._actor, self.script, notes=self.is_ours)

    # --- What can be done ---------------------------------------------------------------------------------
    @cached_property
    def withdraw_url(self) -> str:
        """Empty where there is nothing to withdraw, or not for this reader."""
        open_still = self.is_ours and self.script.state in MOVING
        return address("portal:script_withdraw", self.script.uid) if open_still else ""

    @cached_property
    def can_be_reviewed(self) -> bool:
        """Whether reviewing is anything to do with this reader at all: then a closed door says why."""
        return is_reviewer(self._actor) and self.script.state == ScriptState.IN_REVIEW

    @cached_property
    def why_not_review(self) -> StrOrPromise:
        return why_not_review(self._actor, self.script.author_id, self.script)

    @cached_property
    def form(self) -> ReviewForm:
        return self._form or ReviewForm()


def why_not_review(actor: Actor, author: int, about: Script | Run) -> StrOrPromise:
    return reason_against(lambda: check_can_review(actor, author=author, reviews=about.reviews))


def _marks(state: ScriptState, *, reviewed: bool) -> tuple[StepState, StepState, StepState]:
    """Review, run, records."""
    if state == ScriptState.IN_REVIEW:
        return "now", "next", "next"
    if not reviewed:
        return "stopped", "next", "next"
    if state == ScriptState.APPROVED:
        return "done", "now", "next"
    return ("done", "done", "done") if state == ScriptState.READY else ("done", "stopped", "next")
