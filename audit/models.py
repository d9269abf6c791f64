"""The outbox, the chain and its checkpoints. The database itself forbids forks, gaps, edits and deletions (migrations
0002 and 0004).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.events import TEXT, Event


class OutboxRow(models.Model):
    """An entry that is committed and not yet chained. Written by `audit_emit` only, removed by the sealer only."""

    event_id = models.UUIDField(unique=True)
    body = models.BinaryField()
    written = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_outbox"

    def __str__(self) -> str:
        return str(self.event_id)


class Entry(models.Model):
    """One sealed entry. `body` holds the hashed bytes; the other columns are copies of it for searching."""

    seq = models.BigIntegerField(primary_key=True)
    prev = models.BinaryField(max_length=32)
    leaf = models.BinaryField(max_length=32)
    body = models.BinaryField()
    event_id = models.UUIDField(unique=True)
    act = models.CharField(_("event"), max_length=40)
    actor = models.CharField(_("actor"), max_length=40)
    org = models.CharField(_("organization"), max_length=40)
    obj = models.CharField(_("object"), max_length=80)
    at = models.DateTimeField(_("time"))
    # The organizations it concerns: `org` and `cp`. Who may read one organization's entries searches here.
    parties = ArrayField(models.TextField(), default=list)
    # Measured, not hashed: when it was put into the outbox, when it was chained. Null for entries from before.
    written = models.DateTimeField(null=True)
    sealed = models.DateTimeField(null=True, db_default=Now())

    class Meta:
        db_table = "audit_entry"
        indexes = [  # `db_index` would make a second one of each, for LIKE: each costs the sealer time
            *(
                models.Index(fields=[name, "seq"], name=f"audit_entry_{name}")
                for name in ("act", "actor", "org", "obj")
            ),
            GinIndex(fields=["parties"], name="audit_entry_parties"),
        ]
        ordering = ["-seq"]
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")

    def __str__(self) -> str:
        return f"{self.seq} {self.act}"

    @cached_property
    def fields(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(bytes(self.body))
        return parsed

    @property
    def text(self) -> StrOrPromise:
        return TEXT.get(cast("Event", self.act), self.act)  # a StrEnum equals its text

    @property
    def leaf_hex(self) -> str:
        return bytes(self.leaf).hex()

    @staticmethod
    def parties_of(fields: dict[str, Any]) -> list[str]:
        """The organizations an entry concerns: the one acted for, and the others."""
        return [uid for uid in (fields["org"], *fields.get("cp", ())) if uid]

    @staticmethod
    def moment(fields: dict[str, Any]) -> datetime:
        return datetime.fromtimestamp(fields["t"] / 1_000_000, tz=UTC)


class Checkpoint(models.Model):
    """One published checkpoint. Nothing in it ever changes but `stamp`, which is filled once."""

    size = models.BigIntegerField(_("entries"), primary_key=True)
    root = models.BinaryField(max_length=32)
    note = models.BinaryField()  # the bytes as published, cosignatures included
    made = models.DateTimeField(_("time"), db_index=True)
    cosigners = models.JSONField(default=list)  # [{"name": …, "time": POSIX seconds}]
    stamp = models.BinaryField(null=True)  # RFC 3161 time-stamp response over `note`
    note_sm3 = models.BinaryField(null=True)  # that of the parallel tree, of the same size

    class Meta:
        db_table = "audit_checkpoint"
        ordering = ["-size"]
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")

    def __str__(self) -> str:
        return str(self.size)


class Trouble(models.Model):
    """What is wrong with signing or publishing at this moment; gone once it is right again.

    `code` and `facts` are those of audit/transparency/troubles.py; `subject` says of which witness or key.
    """

    code = models.CharField(max_length=40)
    subject = models.CharField(max_length=300, blank=True)
    facts = models.JSONField(default=dict)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "audit_trouble"
        ordering = ["since"]
        constraints = [models.UniqueConstraint(fields=["code", "subject"], name="audit_trouble_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.subject}".rstrip()


class Personal(models.Model):
    """The value of a personal field and the salt of its commitment. Written by `audit_keep`, never changed; it leaves
    together with an entry that says so (audit/erasure.py).
    """

    pk = models.CompositePrimaryKey("event_id", "field")
    event_id = models.UUIDField()
    field = models.CharField(max_length=32)
    salt = models.BinaryField(max_length=32)
    value = models.TextField()

    class Meta:
        db_table = "audit_personal"

    def __str__(self) -> str:
        return f"{self.event_id} {self.field}"


class Reconciliation(models.Model):
    """The findings of one comparison of rows and entries, for the page; what counts stands in the entry of this id."""

    event_id = models.UUIDField(primary_key=True)
    day = models.DateField(db_index=True)
    at = models.DateTimeField(auto_now_add=True)
    next = models.BigIntegerField()  # entries below are accounted for
    findings = models.JSONField()  # [{code, kind, ref, words}]

    class Meta:
        db_table = "audit_reconciliation"

    def __str__(self) -> str:
        return f"{self.day}: {len(self.findings)}"


class Lag(models.Model):
    """Whether entries wait too long at this moment (audit/lag.py). One row."""

    since = models.DateTimeField(null=True)  # null: nothing is late
    first = models.BigIntegerField(null=True)  # the first entry that was sealed after `since`
    suspect = models.BigIntegerField(
        null=True
    )  # id in the outbox: late if it is still there at the next look
    suspected = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_lag"

    def __str__(self) -> str:
        return f"late since {self.since}" if self.since else "nothing is late"
