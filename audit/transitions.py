"""`move`: a change of state is check + set + record, in one function. Nothing else changes a state."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Events, Recorded
from audit.recorder import Who, record
from audit.refusals import Refused

Moves = Mapping[str, Mapping[str, Event]]  # from -> {to: event}; a terminal state has no row


class Stateful(Recorded):
    """A row whose `state` only `move` may change.

    Subclasses set KIND, MOVES, FIRST (the state rows begin in, and the event of making one) and CHANGES (events that
    change other fields and are possible in any state).
    """

    MOVES: ClassVar[Moves]
    FIRST: ClassVar[tuple[str, Event]]
    CHANGES: ClassVar[frozenset[Event]] = frozenset()
    STATE = "state"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(_("state"), max_length=20)
    state_since = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        abstract = True

    _stored_state: str | None = None

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        if "state" in field_names:
            row._stored_state = row.state  # noqa: SLF001
        return row

    @classmethod
    def audit_events(cls) -> Events:
        """Each state with the events that lead to it, and those that may have happened in it since."""
        leading = [cls.FIRST, *((to, event) for row in cls.MOVES.values() for to, event in row.items())]
        return {
            str(state): frozenset(event for to, event in leading if to == state) | cls.CHANGES
            for state, _event in leading
        }

    @property
    def iri(self) -> str:
        """How contracts and receipts name it."""
        return f"urn:uuid:{self.uid}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and self._stored_state is not None and self.state != self._stored_state:
            raise RuntimeError(f"{self.KIND}: a state changes through audit.transitions.move only")
        super().save(*args, **kwargs)
        self._stored_state = self.state


def move(
    thing: Stateful, to: str, *, actor: Who, set_fields: Mapping[str, Any] | None = None, **payload: Any
) -> None:
    """Bring a row, locked by the caller, to state `to`; save it with `set_fields`; record the event under a new id.

    Raises Refused("state.not_allowed") if the machine has no such move.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("move() needs the caller's transaction and row lock")
    event = thing.MOVES.get(thing.state, {}).get(to)
    if event is None:
        raise Refused(
            "state.not_allowed", _("This is no longer possible: its state has changed. Reload the page.")
        )
    for name, value in (set_fields or {}).items():
        setattr(thing, name, value)
    thing.state = thing._stored_state = to  # noqa: SLF001
    thing.state_since = timezone.now()
    thing.take_new_id()
    thing.save(update_fields=["state", "state_since", "event_id", *(set_fields or {})])
    record(event, actor=actor, about=thing, **payload)
