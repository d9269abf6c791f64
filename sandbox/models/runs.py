"""Computations, their runs, and what was released."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Recorded
from audit.transitions import Stateful
from contracts.models import Contract
from sandbox.models.answers import Answer
from sandbox.models.scripts import Script
from sandbox.states import RUN_MOVES, TERMINAL, Failure, RunState


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
    script = models.ForeignKey(  # that prepared the records it is asked of
        Script, on_delete=models.PROTECT, null=True, related_name="computations"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]
        verbose_name = _("computation")
        verbose_name_plural = _("computations")

    def __str__(self) -> str:
        return self.title or self.digest[7:19]


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
