"""Is anything missing from the log? Business rows and entries are compared in one snapshot, the stored log is read
anew, and what came out is an entry itself: `log.reconciled` (docs/audit-log.md, "Completeness").
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override
from django_stubs_ext import StrOrPromise

from audit import comparison, export, reading
from audit.comparison import Finding
from audit.events import Event
from audit.models import Reconciliation
from audit.recorder import Who, record
from audit.verifier.check import verify

log = logging.getLogger("audit.reconciliation")
_LOCK = 0x64735F7265636F  # any fixed number: "ds_reco"

WORDS: dict[str, StrOrPromise] = {
    "no_entry": _("The row has no entry: it was made or changed past the log."),
    "other_entry": _("The row carries the id of an entry that does not belong to it."),
    "no_row": _("There is an entry, but its row is gone."),
    "older": _("The row was set back: the log holds a later entry about it."),
    "state": _("The row's state is not the one its entry leads to."),
    "broken": _("The stored log is broken at this entry."),
}


class Busy(RuntimeError):
    """Another reconciliation is going on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an entry `log.reconciled` says, and the findings one by one (`number` of them, the first ones listed)."""

    first: int
    next: int
    counts: list[list[Any]]
    rows: list[list[Any]]
    number: int
    findings: tuple[Finding, ...]
    whole: bool
    lag_ms: int

    @property
    def ok(self) -> bool:
        return self.number == 0 and self.whole


def due() -> bool:
    """Whether a day has begun (in the space's time zone) that has not been looked back from yet."""
    last = Reconciliation.objects.order_by("-at").first()
    return last is None or last.day < timezone.localdate()


def reconcile(*, actor: Who) -> Outcome:
    """Compare, record, keep the findings for the page, and tell the operator of each. Raises Busy.

    It reads every entry and every row, so it takes as long as they are many; memory stays bounded.
    """
    day = timezone.localdate()
    with _alone():
        outcome = _compared()
        with transaction.atomic():
            event_id = record(
                Event.RECONCILED, actor=actor, about="log:0", first=outcome.first, next=outcome.next,
                counts=outcome.counts, rows=outcome.rows, findings=outcome.number, whole=outcome.whole,
                lag_ms=outcome.lag_ms,
            )  # fmt: skip
            Reconciliation.objects.create(
                event_id=event_id, day=day, next=outcome.next, findings=[_told(f) for f in outcome.findings]
            )
    for finding in outcome.findings:
        log.error("%(code)s: %(kind)s %(ref)s: %(words)s", _told(finding))
    if len(outcome.findings) < outcome.number:
        log.error("and more: %d in all", outcome.number)
    return outcome


def _compared() -> Outcome:
    """One snapshot of rows, entries and outbox: what happens meanwhile is seen by the next one, whole."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        before = next(reading.of_kind(Event.RECONCILED), None)
        first = before["x"]["next"] if before else 0
        cursor.execute("SELECT coalesce(max(seq) + 1, 0) FROM audit_entry")
        after = cursor.fetchone()[0]
        cursor.execute(
            "SELECT act, count(*), max(sealed - written) FROM audit_entry WHERE seq >= %s AND seq < %s GROUP BY act",
            [first, after],
        )
        counted = cursor.fetchall()
        waits = [longest.total_seconds() for _act, _number, longest in counted if longest is not None]
        compared = [comparison.compare(model) for model in comparison.recorded_models()]
        report = verify(export.chain_lines())  # the published checkpoint may be newer than this snapshot
    findings = [finding for one in compared for finding in one.findings]
    if report.finding is not None:
        seq = report.finding.seq
        findings.append(Finding("broken", "log", "log:0" if seq is None else f"entry:{seq}"))
    return Outcome(
        first=first, next=after, counts=sorted([act, number] for act, number, _longest in counted),
        rows=[[one.kind, one.rows] for one in compared], number=sum(one.number for one in compared),
        findings=tuple(findings), whole=report.ok, lag_ms=round(max([0.0, *waits]) * 1000),
    )  # fmt: skip


@contextmanager
def _alone() -> Iterator[None]:
    """Two at once would both count the same entries."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise Busy("another reconciliation is going on")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _told(finding: Finding) -> dict[str, str]:
    """For the operator and for the table; the page finds the reader's words by the code."""
    with override("en"):
        words = str(WORDS[finding.code])
    return {"code": finding.code, "kind": finding.kind, "ref": finding.ref, "words": words}
