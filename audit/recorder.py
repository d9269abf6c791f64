"""The only writer of the log: `record` puts an entry into the outbox, in the caller's transaction (P3).

If the entry cannot be written the transaction fails with it. The sealer chains it a moment later.
"""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.db import IntegrityError, connection

from audit import chain, commitments, lint
from audit.events import PAYLOAD, PERSONAL, Event
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
    personal: Mapping[str, str] | None = None,
    **payload: Any,
) -> uuid.UUID:
    """Write one fact. `about` is the row it is about, or `kind:uid`; `payload` holds the keys PAYLOAD allows.

    An event that made or changed the row has the row's event id; any other has one of its own. Returns it.
    `concerns` names organizations by uid, besides those the row itself concerns. Of `personal` (the fields PERSONAL
    allows) the entry holds commitments; values and salts go into a table of their own.
    Raises RuntimeError outside a transaction, chain.NotCanonical for a value that has no canonical form, ValueError
    for a key the event type does not have, lint.PersonalData for personal data in the clear, and IntegrityError for a
    change that got no id of its own.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{event} must be recorded in the transaction of what it records")
    _check_keys("payload key", event, payload, PAYLOAD)
    _check_keys("personal field", event, personal or {}, PERSONAL)
    event_id = _id_of(event, about)
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
        lint.check(payload, "x")
    lint.check(fields["obj"], "obj")
    kept = [(name, commitments.salt(), _plain(name, value)) for name, value in (personal or {}).items()]
    if kept:
        fields["pc"] = {name: commitments.commit(salt, name, value) for name, salt, value in kept}
    _write(event_id, chain.body(fields), kept)
    return event_id


def _id_of(event: Event, about: Recorded | str) -> uuid.UUID:
    if not isinstance(about, Recorded) or not about.carries(event):
        return uuid.uuid4()
    if not about.event_is_new:
        raise IntegrityError(f"{event} changes {about.audit_ref}, which needs an id for it: new_event()")
    about.event_is_new = False
    return about.event_id


def _write(event_id: uuid.UUID, body: bytes, kept: list[tuple[str, bytes, str]]) -> None:
    """One call for all of it."""
    call = "SELECT audit_emit(%s, %s)" + ", audit_keep(%s, %s, %s, %s)" * len(kept)
    personal = [value for name, salt, text in kept for value in (event_id, name, salt, text)]
    with connection.cursor() as cursor:
        cursor.execute(call, [event_id, body, *personal])


def _plain(name: str, value: str) -> str:
    """The one form of a text that is committed to. Raises chain.NotCanonical for what a database cannot hold."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise chain.NotCanonical(f"pc.{name}: lone surrogate") from error
    if "\0" in value:
        raise chain.NotCanonical(f"pc.{name}: text with a NUL character")
    return unicodedata.normalize("NFC", value)


def _check_keys(
    what: str, event: Event, given: Mapping[str, Any], allowed: Mapping[Event, frozenset[str]]
) -> None:
    unknown = given.keys() - allowed.get(event, frozenset())
    if unknown:
        raise ValueError(f"{event} has no {what} {', '.join(sorted(unknown))}")
