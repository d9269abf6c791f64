"""Scripts, and what reviewers say of them and of what came out of the records they prepared."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Recorded
from audit.transitions import Stateful
from contracts.models import Contract
from parties.models import Organization
from sandbox.scripts.states import SCRIPT_MOVES, ScriptState, Verdict
from sandbox.spec import ExtractRef
from sandbox.states import Failure


class Script(Stateful):
    """Python that prepares the records of one dataset of a contract. Its text never changes."""

    KIND = "script"
    MOVES = SCRIPT_MOVES
    FIRST = (ScriptState.IN_REVIEW, Event.SCRIPT_SUBMITTED)

    contract = models.ForeignKey(
        Contract, on_delete=models.PROTECT, related_name="scripts", verbose_name=_("contract")
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=120)
    dataset = models.CharField(_("dataset"), max_length=63)  # its name in SQL; what it reads and prepares
    source = models.TextField(_("source"))
    digest = models.CharField(max_length=80)  # "sha256:<hex>" of the source's UTF-8
    read = models.JSONField()  # sandbox.spec.ExtractRef of what it reads, frozen at submission
    prepared = models.JSONField(null=True)  # the ExtractRef of what it made
    submitted = models.DateTimeField(auto_now_add=True)
    failure = models.CharField(max_length=20, choices=Failure, blank=True)
    cause = models.CharField(max_length=60, blank=True)  # for the operator; never shown to others

    # Who runs it: as for a run, a fresh claim fences off a worker that was presumed dead.
    claim = models.UUIDField(null=True)
    lease = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-submitted"]
        verbose_name = _("script")
        verbose_name_plural = _("scripts")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ScriptState.values), name="script_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=ScriptState.READY) | models.Q(prepared__isnull=False),
                name="script_ready_has_records",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.contract.audit_parties

    @property
    def extract(self) -> ExtractRef:
        """What it reads."""
        return ExtractRef(**self.read)

    @property
    def records(self) -> ExtractRef | None:
        """What it prepared."""
        return None if self.prepared is None else ExtractRef(**self.prepared)


class Review(Recorded):
    """What one reviewer says. Final."""

    STATE = "verdict"
    BY = "organization__uid"

    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(_("verdict"), max_length=8, choices=Verdict)
    note = models.TextField(_("note"), max_length=2000)
    given = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class ScriptReview(Review):
    KIND = "script_review"
    EVENTS = dict.fromkeys(Verdict.values, frozenset({Event.SCRIPT_REVIEWED}))
    ABOUT = ("script", "script__uid")

    script = models.ForeignKey(Script, on_delete=models.PROTECT, related_name="reviews")

    class Meta:
        ordering = ["given"]
        constraints = [models.UniqueConstraint(fields=["script", "reviewer"], name="script_reviewed_once")]

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.script.audit_parties


class RunReview(Review):
    KIND = "run_review"
    EVENTS = dict.fromkeys(Verdict.values, frozenset({Event.RUN_REVIEWED}))
    ABOUT = ("run", "run__uid")

    run = models.ForeignKey("sandbox.Run", on_delete=models.PROTECT, related_name="reviews")

    class Meta:
        ordering = ["given"]
        constraints = [models.UniqueConstraint(fields=["run", "reviewer"], name="run_reviewed_once")]

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.run.audit_parties
