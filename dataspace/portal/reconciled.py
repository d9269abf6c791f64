"""The last comparison of business rows and log, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django_stubs_ext import StrOrPromise

from audit import reading
from audit.models import Entry, Reconciliation
from audit.reconciliation import WORDS
from dataspace.portal.log_reading import Names, Thing

SHOWN = 50  # findings


@dataclass(frozen=True, slots=True)
class Found:
    kind: str
    words: StrOrPromise
    thing: Thing


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`rows` were compared with the log; `entries` are those since the comparison before. The first SHOWN findings."""

    at: datetime
    rows: int
    entries: int
    number: int
    whole: bool
    lag_ms: int
    counts: Sequence[tuple[StrOrPromise, int]]  # of `entries`, by event, most frequent first
    findings: Sequence[Found]

    @property
    def ok(self) -> bool:
        return self.number == 0 and self.whole


def last_reconciliation() -> Reconciled | None:
    """None before the first."""
    row = Reconciliation.objects.order_by("-at").first()
    said = next(reading.entries([row.event_id]), None) if row else None
    if row is None or said is None:
        return None
    x = said["x"]
    counts = sorted(((Entry(act=act).text, number) for act, number in x["counts"]), key=lambda one: -one[1])
    return Reconciled(
        at=row.at, rows=sum(number for _kind, number in x["rows"]), entries=x["next"] - x["first"],
        number=x["findings"], whole=x["whole"], lag_ms=x["lag_ms"], counts=counts,
        findings=_found(row.findings[:SHOWN]),
    )  # fmt: skip


def _found(findings: Sequence[dict[str, str]]) -> list[Found]:
    names = Names([Entry(obj=one["ref"], actor="", org="") for one in findings])
    return [Found(one["kind"], WORDS[one["code"]], names.thing(one["ref"])) for one in findings]
