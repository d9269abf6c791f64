"""The single sealer: takes committed outbox rows in batches and chains them.

Rows are taken by presence, never by `id > last`: identity values become visible out of order, and a watermark
would lose entries. A session advisory lock keeps a second sealer out.

What a verifier would call no entry is never chained: it would spoil the log for ever. It stays where it is, for all to
see, and holds up nothing else.
"""

from __future__ import annotations

import threading
import uuid
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from audit import chain, lag
from audit.events import Event
from audit.gate import Gate
from audit.models import Entry
from audit.transparency import troubles
from audit.verifier.form import NotForm

BATCH = 1000
POLL_SECONDS = 0.2
_LOCK = 0x64735F61756469  # any fixed number: "ds_audi"

_TAKE = (
    "SELECT event_id, body, written FROM audit_outbox WHERE event_id <> ALL(%s::uuid[]) ORDER BY id LIMIT %s"
)
# Binary COPY takes half the time of an INSERT of the same rows, which the writers beside the sealer get.
_COLUMNS = {
    "seq": "int8", "prev": "bytea", "leaf": "bytea", "body": "bytea", "event_id": "uuid", "act": "varchar",
    "actor": "varchar", "org": "varchar", "obj": "varchar", "at": "timestamptz", "parties": "text[]",
    "written": "timestamptz",
}  # fmt: skip
_PUT = f"COPY audit_entry ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_DROP = "DELETE FROM audit_outbox WHERE event_id = ANY(%s::uuid[])"


class SealerBusy(RuntimeError):
    """Another sealer holds the lock."""


class Refused:
    """What stands in the outbox and is no entry, by event id, with the reason."""

    def __init__(self) -> None:
        self.reasons: dict[uuid.UUID, str] = {}

    def tell(self) -> None:
        """Show it where everybody sees what is wrong with the log."""
        first = next(iter(self.reasons.items()), None)
        told = [] if first is None else [
            troubles.Finding(
                "sealing.refused",
                facts={"number": len(self.reasons), "id": str(first[0]), "reason": first[1]},
            )
        ]  # fmt: skip
        troubles.set_all(troubles.SEALING, told)


def seal_batch(limit: int = BATCH, refused: Refused | None = None) -> int:
    """Chain up to `limit` waiting entries in one transaction. Return how many were sealed, entry 0 included.

    What is no entry goes into `refused`, and is not looked at again.
    """
    refused = refused or Refused()
    known = len(refused.reasons)
    sealed = _seal_batch(limit, refused.reasons)
    if len(refused.reasons) > known:
        refused.tell()
    return sealed


def _seal_batch(limit: int, refused: dict[uuid.UUID, str]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT seq, leaf FROM audit_entry ORDER BY seq DESC LIMIT 1")
        head = cursor.fetchone()
        cursor.execute(_TAKE, [list(refused), limit])
        waiting = [(event_id, bytes(body), written) for event_id, body, written in cursor.fetchall()]
        if head is None:
            waiting.insert(0, _opening())
        if not waiting:
            return 0
        seq, prev = (head[0] + 1, bytes(head[1])) if head else (0, chain.GENESIS)
        rows, gate = [], Gate(event_id for event_id, _raw, _written in waiting)
        for event_id, raw, written in waiting:
            entry = chain.seal(prev, seq, raw)
            try:
                fields = gate.fields(entry, seq, event_id)
            except NotForm as wrong:
                refused[event_id] = str(wrong)
                continue
            leaf = chain.leaf(entry)
            rows.append(
                (seq, prev, leaf, entry, event_id, fields["act"], fields["actor"], fields["org"], fields["obj"],
                 Entry.moment(fields), Entry.parties_of(fields), written)
            )  # fmt: skip
            seq, prev = seq + 1, leaf
        if rows:
            with cursor.copy(_PUT) as copy:
                copy.set_types(list(_COLUMNS.values()))
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_DROP, [[row[4] for row in rows]])
        return len(rows)


def seal_all() -> int:
    """Seal until the outbox is empty. For commands and tests; the service is `run`."""
    total, refused, seen = 0, Refused(), -1
    while seen < len(refused.reasons):
        seen = len(refused.reasons)
        while sealed := seal_batch(refused=refused):
            total += sealed
    return total


def run(stop: threading.Event) -> None:
    """Seal until `stop` is set. Raises SealerBusy if another sealer runs on this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise SealerBusy("another sealer is at work on this database")
    watch, refused = lag.Watch(), Refused()
    refused.tell()
    while not stop.is_set():
        watch.look()
        if seal_batch(refused=refused) < BATCH:  # many at once cost less than one after the other
            stop.wait(POLL_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _opening() -> tuple[uuid.UUID, bytes, datetime]:
    """Entry 0 names the log, so that an export says which one it is."""
    event_id = uuid.UUID(int=0)
    fields = {
        "act": str(Event.LOG_INIT),
        "actor": "system:sealer",
        "id": str(event_id),
        "obj": "log:0",
        "org": "",
        "out": "ok",
        "t": _now_us(),
        "v": chain.PROFILE,
        "x": {"origin": settings.AUDIT_ORIGIN, "profile": "AUD-1"},
    }
    return event_id, chain.body(fields), Entry.moment(fields)


def _now_us() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return int(cursor.fetchone()[0])
