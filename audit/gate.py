"""What may be sealed: what a verifier takes, under an id the log does not hold yet.

The outbox takes whatever whoever has the application's database role gives it. One row that is no entry must neither
stop the log nor get into it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import connection

from audit.events import Event
from audit.models import Entry
from audit.verifier.form import Fields, NotForm, fields_of
from audit.verifier.rules import Rules

_WIDTHS = {"act": 40, "actor": 40, "org": 40, "obj": 80}  # of the columns of audit_entry


class Gate:
    """For one batch: `ids` are the event ids of all that is in it."""

    def __init__(self, ids: Iterable[uuid.UUID]) -> None:
        self._rules = Rules()
        self._held = _held(ids)
        self._passed = set[str]()

    def fields(self, entry: bytes, seq: int, event_id: uuid.UUID) -> Fields:
        """What a verifier reads in it. Raises NotForm."""
        if event_id in self._held:
            raise NotForm("fields", "the log holds an entry with this event id already")
        fields = fields_of(entry)
        if fields["id"] != str(event_id):
            raise NotForm("fields", "its id is not the event id")
        self._check_rules(seq, fields)
        for name, most in _WIDTHS.items():
            if len(fields[name]) > most:
                raise NotForm("fields", f"{name} is longer than {most} characters")
        if any("," in party or len(party) > _WIDTHS["org"] for party in Entry.parties_of(fields)):
            raise NotForm("fields", "org or cp is no id of an organization")
        self._passed.add(fields["id"])
        return fields

    def _check_rules(self, seq: int, fields: Fields) -> None:
        """How much a reconciliation counts right takes the entries it counts; all else is judged here."""
        found = None if fields["act"] == Event.RECONCILED else self._rules.alone(seq, fields)
        if found is not None:
            raise NotForm(found.code, found.en)
        if fields["act"] == Event.ERASED:
            absent = {*fields["x"]["ids"]} - self._passed
            if absent - {str(one) for one in _held(map(uuid.UUID, absent))}:
                raise NotForm("erasure", "it erases of entries that are not in the log")


def _held(ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these event ids that the log holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM audit_entry WHERE event_id = ANY(%s::uuid[])", [list(ids)])
        return {event_id for (event_id,) in cursor.fetchall()}
