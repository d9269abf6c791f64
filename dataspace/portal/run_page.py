"""What the page of one run shows: how far it is, what was asked, and to whom it belongs, what came out."""

from __future__ import annotations

from functools import cached_property

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from contracts.models import Contract
from contracts.names import names_in
from contracts.permissions import allowed, check_can_compute
from dataspace.portal.doors import address, reason_against
from dataspace.portal.parts import Action, Crumb, Fact, Step, StepState
from dataspace.portal.prepared import PreparedBy, prepared_by, review_step
from dataspace.portal.questions import in_words, title_of_computation
from dataspace.portal.release_page import ReleasePage
from parties.actors import Actor
from parties.names import name_of
from sandbox.guard import AggregateQuery
from sandbox.models import Release, Run
from sandbox.permissions import check_can_open
from sandbox.selectors import is_reviewer, visible_releases, visible_runs
from sandbox.states import Failure, RunState

LATEST = 5


def latest_runs(actor: Actor, contract: Contract) -> QuerySet[Run]:
    """The newest runs of a contract, for `portal/_contract_runs.html`."""
    return visible_runs(actor).filter(contract=contract)[:LATEST]


class RunPage:
    """Everything is worked out on first use by the template."""

    def __init__(self, actor: Actor, run: Run) -> None:
        self._actor, self.run = actor, run
        self.trail = [
            Crumb(_("Computations"), address("portal:runs")),
            Crumb(run.contract.request.scenario[:40], address("portal:contract", run.contract.uid)),
        ]

    @property
    def title(self) -> str:
        return title_of_computation(self.run.computation)

    @cached_property
    def is_ours(self) -> bool:
        """Whether the run is the reader's own organization's, to cancel and to ask again."""
        return allowed(check_can_compute, self._actor, self.run.contract)

    @cached_property
    def release(self) -> ReleasePage | None:
        """None while there is none, and for those who may know that it ran but not what came out."""
        row = self._row
        return ReleasePage(self._actor, row) if row and not self.closed else None

    @cached_property
    def _row(self) -> Release | None:
        return visible_releases(self._actor).filter(run=self.run).first()

    @cached_property
    def closed(self) -> str:
        """Why the enterprise may no longer see its own result: the contract decides on every look (P8)."""
        if self._row is None or not self.is_ours:
            return ""
        return str(reason_against(check_can_open, self._actor, self._row))

    @property
    def hidden(self) -> bool:
        """Released, but not to this reader."""
        return self.run.state == RunState.RELEASED and self._row is None

    @cached_property
    def actions(self) -> list[Action]:
        if self.in_review and is_reviewer(self._actor):
            url = address("portal:run_review", self.run.uid)
            return [Action(_("Review the result"), url, tone="primary", icon="search")]
        if not self.is_ours:
            return []
        again = f"{address('portal:compute', self.run.contract.uid)}?from={self.run.uid}"
        return [Action(_("Change the question"), again, icon="pencil")]

    @property
    def in_review(self) -> bool:
        return self.run.state == RunState.IN_REVIEW

    @property
    def pace(self) -> str:
        """How often the page asks anew: people take longer than machines."""
        return "15s" if self.in_review else "1s"

    @cached_property
    def prepared(self) -> PreparedBy | None:
        return prepared_by(self._actor, self.run)

    @property
    def can_cancel(self) -> bool:
        return self.is_ours and not self.run.is_over and not self.run.cancel_requested

    @cached_property
    def steps(self) -> list[Step]:
        """Submitted, waiting, computing, released: who has it in hand and since when."""
        run = self.run
        enterprise = name_of(run.contract.enterprise)
        stopped = run.state in (RunState.FAILED, RunState.CANCELLED)
        ended = RunState(run.state).label if stopped else ""
        taken = run.started is not None
        waiting: StepState = "now" if run.state == RunState.QUEUED else "done" if taken else "stopped"
        computing: StepState = "now" if run.state == RunState.RUNNING else "next"
        held = self._review_step
        if run.state in (RunState.RELEASED, RunState.IN_REVIEW) or (held and held.state == "stopped"):
            computing = "done"
        elif stopped and taken:
            computing = "stopped"
        taken_up = run.started if taken else None
        again = _("attempt %(n)d") % {"n": run.attempts} if run.attempts > 1 else ""
        return [
            Step(_("Submitted"), "done", enterprise, run.queued),
            Step(
                _("Waiting"), waiting, _("queue"), run.state_since if waiting == "now" else run.started or run.finished,
                note=ended if waiting == "stopped" else "",
            ),
            Step(
                _("Computing"), computing, _("sandbox"), run.finished if computing == "stopped" else taken_up,
                note=ended if computing == "stopped" else again,
            ),
            *([held] if held else []),
            Step(_("Protected and released"), "done" if run.state == RunState.RELEASED else "next",
                 since=run.finished if run.state == RunState.RELEASED else None),
        ]  # fmt: skip

    @cached_property
    def _review_step(self) -> Step | None:
        return review_step(self.run)

    @property
    def failure(self) -> StrOrPromise:
        return Failure(self.run.failure).label if self.run.failure in Failure else ""

    @property
    def status(self) -> str:
        """One line to be read aloud when it changes."""
        if self.run.cancel_requested and not self.run.is_over:
            return _("Stopping: the sandbox is told within a second.")
        words = {
            RunState.QUEUED: _("Waiting for a free sandbox."),
            RunState.RUNNING: _("Computing in the sandbox, without network and file system."),
            RunState.IN_REVIEW: _(
                "Two reviewers look at the result before it leaves. You need not wait here."
            ),
        }
        return str(words.get(RunState(self.run.state), RunState(self.run.state).label))

    @cached_property
    def question(self) -> list[Fact]:
        run = self.run
        query = AggregateQuery.from_json(run.computation.query)
        return in_words(query, run.contract.terms, names_in(run.contract))

    @property
    def text(self) -> str:
        """As typed, comments and all: for those who see the result."""
        return self.run.computation.text if self.is_ours or self.release else ""

    @cached_property
    def facts(self) -> list[Fact]:
        run = self.run
        contract = address("portal:contract", run.contract.uid)
        facts = [
            Fact(_("Contract"), run.contract.request.scenario[:60], url=contract),
            Fact(_("Enterprise"), name_of(run.contract.enterprise)),
            Fact(_("Submitted"), run.queued, kind="moment"),
            Fact(_("Digest of the question"), run.computation.digest, kind="digest"),
        ]
        if self.is_ours:
            facts.insert(2, Fact(_("Submitted by"), str(run.submitted_by)))
        return facts

    @property
    def extracts(self) -> list[tuple[str, int, str, bool]]:
        """Table, version and SHA-256 of what the run may open; of prepared records the script's, and True.

        The digest of prepared records would tell whether two scripts prepared the same ones.
        """
        found = self.run.spec["extracts"]
        return [
            (e["table"], e["number"], e.get("script") or e["sha256"], bool(e.get("script"))) for e in found
        ]
