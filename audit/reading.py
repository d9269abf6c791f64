"""What the log says, whether it is sealed already or still waits in the outbox."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.db.models import F, Func, IntegerField, QuerySet, Value
from django.db.models.lookups import GreaterThan

from audit.events import Event
from audit.models import Entry, OutboxRow

Fields = dict[str, Any]


def said(body: bytes | memoryview) -> Fields:
    """What an entry says. Nothing where it is none: the outbox takes whatever it is given (audit/sealer.py)."""
    try:
        fields = json.loads(bytes(body))
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def entries(ids: Collection[UUID]) -> Iterator[Fields]:
    """The entries with these event ids, in no order."""
    for model in (Entry, OutboxRow):
        for body in model._default_manager.filter(event_id__in=ids).values_list("body", flat=True):  # noqa: SLF001
            yield said(body)


def of_kind(act: Event, *, naming: str = "") -> Iterator[Fields]:
    """The entries of one kind, newest first; with `naming` those in which that text stands by itself."""
    kind = json.dumps({"act": str(act)}, separators=(",", ":"))[1:-1]
    waiting = _holding(OutboxRow.objects.order_by("-pk"), kind)
    sealed: QuerySet[Any] = Entry.objects.filter(act=act).order_by("-seq")
    for rows in (waiting, sealed):
        found = _holding(rows, json.dumps(naming)) if naming else rows
        for body in found.values_list("body", flat=True).iterator(chunk_size=100):
            fields = said(body)
            if fields.get("act") == act:
                yield fields


def _holding(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Those whose bytes hold the text."""
    place = Func(
        Value(text.encode()), F("body"), function="position", arg_joiner=" IN ", output_field=IntegerField()
    )
    return rows.filter(GreaterThan(place, Value(0)))
