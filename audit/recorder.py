"""The only writer of the log: `record` puts an entry into the outbox, in the caller's transaction (P3).

If the entry cannot be written the transaction fails with it. The sealer chains it a moment later.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from django.db import connection

from audit import chain
from audit.events import PAYLOAD, Event
from audit.recorded import Recorded


class Who(Protocol):
    """Whoever acts: an opaque account id and the id of the organization it acts for ("" for none)."""

    @property
    def uid(self) -> str: ...

    @property
    def organization_uid(self) -> str: ...


def record(
    event: Event,
    *,
    actor: Who,
    about: Recorded | str,
    outcome: str = "ok",
    concerns: Iterable[str] = (),
    **payload: Any,
) -> uuid.UUID:
    """Write one fact. `about` is the row it is about, or `kind:uid`; `payload` holds the keys PAYLOAD allows.

    An event that made or changed the row has the row's event id; any other has one of its own. Returns it.
    `concerns` names organizations by uid, besides those the row itself concerns.
    Raises RuntimeError outside a transaction, chain.NotCanonical for a value that has no canonical form, ValueError
    for a payload key the event type does not have, and IntegrityError for a change that got no id of its own.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{event} must be recorded in the transaction of what it records")
    unknown = payload.keys() - PAYLOAD.get(event, frozenset())
    if unknown:
        raise ValueError(f"{event} has no payload key {', '.join(sorted(unknown))}")
    changed = isinstance(about, Recorded) and about.carries(event)
    event_id = about.event_id if changed else uuid.uuid4()  # type: ignore[union-attr]  # changed: a row
    fields: dict[str, Any] = {
        "act": str(event),
        "actor": actor.uid,
        "id": str(event_id),
        "obj": about if isinstance(about, str) else about.audit_ref,
        "org": actor.organization_uid,
        "out": outcome,
        "t": time.time_ns() // 1000,
        "v": chain.PROFILE,
    }
    parties = {*concerns, *(about.audit_parties if isinstance(about, Recorded) else ())}
    if others := sorted(parties - {actor.organization_uid, ""}):
        fields["cp"] = others
    if payload:
        fields["x"] = payload
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_emit(%s, %s)", [event_id, chain.body(fields)])
    return event_id
