"""The ledger of answers: what was ever told."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models import Contract


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
