"""Trials of terms before they are signed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.transitions import Stateful
from catalog.models import Dataset
from contracts.models import AccessRequest
from contracts.policy import agreement
from contracts.policy.terms import Terms
from parties.models import Organization
from sandbox.spec import ExtractRef
from sandbox.states import TRIAL_MOVES, TrialFailure, TrialState


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
