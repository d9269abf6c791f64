"""The only writer of the log: `record` puts an entry into the outbox, in the caller's transaction (P3).

If the entry cannot be written the transaction fails with it. The sealer chains it a moment later.
"""

from __future__ import annotations

import time
import uuid
from typing import Any, Protocol

from django.db import connection

from audit import chain
from audit.events import PAYLOAD, Event


class Who(Protocol):
    """Whoever acts: an opaque account id and the id of the organization it acts for ("" for none)."""

    @property
    def uid(self) -> str: ...

    @property
    def organization_uid(self) -> str: ...


def record(event: Event, *, actor: Who, about: str, outcome: str = "ok", **payload: Any) -> uuid.UUID:
    """Write one fact. `about` is `kind:uid` of the object; `payload` holds the keys PAYLOAD allows.

    Returns the entry's event id. Raises RuntimeError outside a transaction, chain.NotCanonical for a value that
    has no canonical form and ValueError for a payload key the event type does not have.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{event} must be recorded in the transaction of what it records")
    unknown = payload.keys() - PAYLOAD.get(event, frozenset())
    if unknown:
        raise ValueError(f"{event} has no payload key {', '.join(sorted(unknown))}")
    event_id = uuid.uuid4()
    fields: dict[str, Any] = {
        "act": str(event),
        "actor": actor.uid,
        "id": str(event_id),
        "obj": about,
        "org": actor.organization_uid,
        "out": outcome,
        "t": time.time_ns() // 1000,
        "v": chain.PROFILE,
    }
    if payload:
        fields["x"] = payload
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_emit(%s, %s)", [event_id, chain.body(fields)])
    return event_id
