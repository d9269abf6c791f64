"""Business rows against entries: SQL for one kind of row at a time, whatever number there is of either.

Both sides are read in the caller's snapshot; entries that wait in the outbox count as the latest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from audit.events import Event
from audit.recorded import Recorded, events_of
from audit.transitions import Stateful

LISTED = 200  # findings of one kind that are told one by one; the rest is counted


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit. `kind` is that of the row; `ref` is what its entries are about; WORDS has the code."""

    code: str
    kind: str
    ref: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`findings` are the first LISTED of `number`."""

    kind: str
    rows: int
    number: int
    findings: tuple[Finding, ...]


def recorded_models() -> list[type[Recorded]]:
    """Every kind of row that belongs to entries, of whatever room, by kind."""
    found = [model for model in apps.get_models() if issubclass(model, Recorded)]
    return sorted(found, key=lambda model: model.KIND)


def compare(model: type[Recorded]) -> Compared:
    rows = _rows(model)
    sql, parameters = rows.query.sql_with_params()
    judged = _PARTS if model.ABOUT else _WHOLES
    query = f"WITH rows (subject, state, org, event_id) AS ({sql}), {_LOG}, {judged} {_FOUND}"
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters, *_arguments(model), LISTED])
        found = cursor.fetchall()
    findings = tuple(Finding(code, model.KIND, ref) for code, ref, _number in found)
    return Compared(model.KIND, rows.count(), found[0][2] if found else 0, findings)


def _rows(model: type[Recorded]) -> QuerySet[Any, Any]:
    """(what its entries are about, state, organization that must have acted or "", event id)."""
    kind, path = model.audit_about()
    state = F(model.STATE) if isinstance(model.STATE, str) else model.STATE
    by = Cast(model.BY, TextField()) if model.BY else Value("")
    rows = model._base_manager.order_by().annotate(  # noqa: SLF001  # Django's documented name
        audit_subject=Concat(Value(f"{kind}:"), Cast(path, TextField()), output_field=TextField()),
        audit_state=Cast(state, TextField()),
        audit_by=by,
    )
    return rows.values_list("audit_subject", "audit_state", "audit_by", "event_id")


def _arguments(model: type[Recorded]) -> list[list[str]]:
    """What _WHOLES and _PARTS ask for, in their order."""
    acts = _texts(events_of(model))
    leading = [(str(state), event) for state, events in model.audit_events().items() for event in events]
    pairs = [f"{state} {event}" for state, event in leading]
    if model.ABOUT:
        settled = [event for state, event in leading if state]
        making = [event for state, event in leading if not state and model.BY]
        return [acts, pairs, _texts(settled) or acts, _texts(making)]
    changes = model.CHANGES if issubclass(model, Stateful) else ()
    return [acts, _texts(events_of(model) - set(changes)), acts, pairs]


def _texts(events: Iterable[Event]) -> list[str]:
    return sorted(str(event) for event in events)


_LOG = """log AS NOT MATERIALIZED (
    SELECT event_id, act, obj, org, seq AS place FROM audit_entry
    UNION ALL
    SELECT event_id, b->>'act', b->>'obj', b->>'org', 4611686018427387904 + id
    FROM (SELECT id, event_id, audit_said(body) AS b FROM audit_outbox) waiting
)"""

# Each row carries the id of the latest entry about it. Its state is that of the latest move: later changes of other
# fields must not hide it.
_WHOLES = """latest AS (
    SELECT DISTINCT ON (obj) obj, event_id FROM log WHERE act = ANY(%s) ORDER BY obj, place DESC
), moved AS (
    SELECT DISTINCT ON (obj) obj, act FROM log WHERE act = ANY(%s) ORDER BY obj, place DESC
), judged AS (
    SELECT coalesce(r.subject, t.obj) AS ref, CASE
        WHEN r.subject IS NULL THEN 'no_row'
        WHEN l.event_id IS NULL THEN 'no_entry'
        WHEN l.obj <> r.subject OR l.act <> ALL(%s) THEN 'other_entry'
        WHEN t.event_id <> r.event_id THEN 'older'
        WHEN m.act IS NULL OR r.state || ' ' || m.act <> ALL(%s) THEN 'state'
    END AS code
    FROM rows r FULL JOIN latest t ON t.obj = r.subject
    LEFT JOIN log l ON l.event_id = r.event_id LEFT JOIN moved m ON m.obj = r.subject
)"""

# Several parts of one thing may have one entry. An entry that made one part what it is for good still has its row, and
# so has each organization that the entry which made the parts concerns.
_PARTS = """judged AS (
    SELECT r.subject AS ref, CASE
        WHEN l.event_id IS NULL THEN 'no_entry'
        WHEN l.obj <> r.subject OR l.act <> ALL(%s) OR (r.state <> '' AND r.org NOT IN ('', l.org)) THEN 'other_entry'
        WHEN r.state || ' ' || l.act <> ALL(%s) THEN 'state'
    END AS code
    FROM rows r LEFT JOIN log l ON l.event_id = r.event_id
    UNION ALL (
        SELECT l.obj, 'no_row' FROM log l
        WHERE l.act = ANY(%s) AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.event_id = l.event_id)
        UNION
        SELECT e.obj, 'no_row' FROM audit_entry e, unnest(e.parties) AS p (org)
        WHERE e.act = ANY(%s) AND p.org <> e.org
        AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.subject = e.obj AND r.org = p.org)
    )
)"""

_FOUND = "SELECT code, ref, count(*) OVER () FROM judged WHERE code IS NOT NULL ORDER BY ref, code LIMIT %s"
