"""Computations, their runs, what was answered, and what was released; trials of terms before they are signed."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Recorded
from audit.transitions import Stateful
from catalog.models import Dataset
from contracts.models import AccessRequest, Contract
from contracts.policy import agreement
from contracts.policy.terms import Terms
from parties.models import Organization
from sandbox.spec import ExtractRef
from sandbox.states import RUN_MOVES, TERMINAL, TRIAL_MOVES, Failure, RunState, TrialFailure, TrialState


class Computation(models.Model):
    """A checked question under a contract. It never changes; asking anew makes a new run of it or a new one."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    contract = models.ForeignKey(
        Contract, on_delete=models.PROTECT, related_name="computations", verbose_name=_("contract")
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(_("title"), max_length=120, blank=True)
    text = models.TextField(_("SQL"), blank=True)  # as typed; never executed
    query = models.JSONField()  # sandbox.guard.query.AggregateQuery in canonical form
    digest = models.CharField(max_length=80)  # of the canonical form
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("computation")
        verbose_name_plural = _("computations")

    def __str__(self) -> str:
        return self.title or self.digest[7:19]


class Answer(models.Model):
    """One bare question over certain extracts under one policy: asked once, paid once, answered once, kept.

    The ledger of everything that was ever told, over all users, contracts and versions. A repeat gets the same
    table; a new answer is compared with those before it; the private lane's charges are never given back.
    The database refuses to change or delete what was charged or given. The entry of each run names its answer, its
    lane and its charge.
    """

    key = models.CharField(max_length=80, unique=True)  # sandbox.answers.answer_key
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="answers")  # that paid
    lane = models.CharField(max_length=10)  # contracts.policy.terms.Lane
    datasets = ArrayField(models.UUIDField())  # uids in the catalog: the lineages it draws on
    measured = ArrayField(
        models.CharField(max_length=90)
    )  # "uid.column", or "uid." for counts of rows and units
    query = models.JSONField()  # the bare question
    extracts = models.JSONField()  # sandbox.spec.ExtractRef of each source
    charge = models.BigIntegerField(default=0)  # micro-rho
    asked = models.DateTimeField(auto_now_add=True)
    refused = models.DateTimeField(null=True)  # too close to what was told before: stays so
    given = models.DateTimeField(null=True)
    table = models.BinaryField(null=True)  # Arrow IPC stream of the protected answer of the bare question
    evidence = models.BinaryField(null=True)
    outline = models.BinaryField(null=True)  # Arrow IPC: sandbox.engines.overlap; table lane only
    summary = models.JSONField(null=True)
    compared = models.JSONField(
        null=True
    )  # earlier answers: key, and over how many contributors the closest differ
    sql_digest = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ["-asked"]
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        indexes = [
            GinIndex(fields=["datasets"], name="answer_datasets"),
            GinIndex(fields=["measured"], name="answer_measured"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(charge__gte=0), name="answer_charge"),
            models.CheckConstraint(
                condition=models.Q(given=None)
                | models.Q(table__isnull=False, evidence__isnull=False, refused=None),
                name="answer_given_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.key[7:19]


class Run(Stateful):
    """One execution. `spec` is frozen at submission: whatever happens later, this is what was asked for."""

    KIND = "run"
    MOVES = RUN_MOVES
    FIRST = (RunState.QUEUED, Event.RUN_QUEUED)

    computation = models.ForeignKey(
        Computation, on_delete=models.PROTECT, related_name="runs", verbose_name=_("computation")
    )
    contract = models.ForeignKey(Contract, on_delete=models.PROTECT, related_name="runs")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    spec = models.JSONField()  # sandbox.spec.RunSpec
    answer = models.ForeignKey(Answer, on_delete=models.PROTECT, null=True, related_name="runs")
    charged = models.BooleanField(default=True)  # one run of the contract; a repeat costs nothing
    queued = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    engine_seconds = models.FloatField(null=True)  # for the operator; never shown to the requester
    cancel_requested = models.BooleanField(default=False)
    failure = models.CharField(max_length=20, choices=Failure, blank=True)
    cause = models.CharField(
        max_length=60, blank=True
    )  # of the failure, for the operator; never shown to others

    # Who works on it: a fresh `claim` per attempt fences off a worker that was presumed dead (P4).
    claim = models.UUIDField(null=True)
    lease = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due = models.DateTimeField(null=True)  # the work is done; its end is told at this moment and not before

    class Meta:
        ordering = ["-queued"]
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        indexes = [models.Index(fields=["state", "lease"], name="run_to_sweep")]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=RunState.values), name="run_state_known"),
            models.CheckConstraint(
                condition=~models.Q(state=RunState.RUNNING)
                | models.Q(claim__isnull=False, lease__isnull=False),
                name="running_is_claimed",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=[RunState.FAILED, RunState.CANCELLED]) | ~models.Q(failure=""),
                name="ended_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.computation} {self.uid!s:.8}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.contract.audit_parties

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL


class Release(Recorded):
    """What leaves: the protected table and its receipt. The raw table is never stored anywhere.

    The run's entry is the release's too; facts about it, such as a download, name the release itself.
    """

    KIND = "release"
    EVENTS = {"": frozenset({Event.RUN_RELEASED})}
    ABOUT = ("run", "run__uid")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="release")
    table = models.BinaryField()  # Arrow IPC stream of the protected table
    digest = models.CharField(max_length=80)  # "sha256:<hex>" of `table`
    receipt = models.BinaryField()  # canonical JSON (RFC 8785)
    summary = models.JSONField()  # which rules ran with which parameters, how many cells are withheld
    evidence = (
        models.BinaryField()
    )  # Arrow IPC: contributors and reasons per cell; for reviewers, never downloaded
    released = models.DateTimeField()

    class Meta:
        ordering = ["-released"]
        verbose_name = _("release")
        verbose_name_plural = _("releases")

    def __str__(self) -> str:
        return f"{self.uid!s:.8}"

    @property
    def audit_ref(self) -> str:
        return f"release:{self.uid}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.run.audit_parties

    @property
    def dimensions(self) -> int:
        """How many of the table's first columns are dimensions."""
        return len(self.run.computation.query["dimensions"])

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk:
            raise RuntimeError("a release never changes")
        super().save(*args, **kwargs)


class Trial(Stateful):
    """What certain terms would withhold, told to one decider on a request. No answer, no table: only shares.

    `document` holds the terms as they would be drawn up, `extracts` the bytes they are tried on; both are frozen when
    it is asked for.
    """

    KIND = "trial"
    MOVES = TRIAL_MOVES
    FIRST = (TrialState.WAITING, Event.TRIAL_ASKED)

    request = models.ForeignKey(AccessRequest, on_delete=models.PROTECT, related_name="trials")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")  # the decider
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    document = models.BinaryField(editable=False)  # ODRL in canonical form; signed by nobody
    digest = models.CharField(max_length=80)  # of the terms, and so of what was wished for
    extracts = models.JSONField()  # sandbox.spec.ExtractRef of each dataset that is told of
    asked = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True)
    result = models.JSONField(null=True)  # sandbox.trials.result
    failure = models.CharField(max_length=20, choices=TrialFailure, blank=True)

    claim = models.UUIDField(null=True)  # as with runs: a worker presumed dead cannot write
    lease = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-asked", "-pk"]
        verbose_name = _("trial of terms")
        verbose_name_plural = _("trials of terms")
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=TrialState.values), name="trial_state_known"),
            models.CheckConstraint(
                condition=~models.Q(state=TrialState.FAILED) | ~models.Q(failure=""), name="trial_says_why"
            ),
            models.CheckConstraint(
                condition=models.Q(state=TrialState.DONE, result__isnull=False)
                | (~models.Q(state=TrialState.DONE) & models.Q(result__isnull=True)),
                name="trial_done_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.uid!s:.8}"

    @property
    def terms(self) -> Terms:
        return agreement.read(bytes(self.document)).terms

    @property
    def refs(self) -> list[ExtractRef]:
        return [ExtractRef(**extract) for extract in self.extracts]

    @property
    def audit_parties(self) -> tuple[str, ...]:
        """Who asked, and the providers whose data it is about. Not the enterprise: nothing is told to it."""
        datasets = Dataset.objects.filter(uid__in=[ref.dataset_uid for ref in self.refs])
        providers = datasets.order_by().values_list("provider__uid", flat=True)
        return (str(self.organization.uid), *map(str, providers))

    @property
    def is_over(self) -> bool:
        return self.state != TrialState.WAITING
