"""The single sealer: takes committed outbox rows in batches and chains them.

Rows are taken by presence, never by `id > last`: identity values become visible out of order, and a watermark
would lose entries. A session advisory lock keeps a second sealer out.
"""

from __future__ import annotations

import json
import threading
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit import chain, lag
from audit.events import Event
from audit.models import Entry

BATCH = 1000
POLL_SECONDS = 0.1
_LOCK = 0x64735F61756469  # any fixed number: "ds_audi"

_TAKE = "SELECT event_id, body, written FROM audit_outbox ORDER BY id LIMIT %s"
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


def seal_batch(limit: int = BATCH) -> int:
    """Chain up to `limit` waiting entries in one transaction. Return how many were sealed, entry 0 included."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT seq, leaf FROM audit_entry ORDER BY seq DESC LIMIT 1")
        head = cursor.fetchone()
        cursor.execute(_TAKE, [limit])
        waiting = [(event_id, bytes(body), written) for event_id, body, written in cursor.fetchall()]
        taken = [event_id for event_id, _, _ in waiting]
        if head is None:
            waiting.insert(0, _opening())
        if not waiting:
            return 0
        seq, prev = (head[0] + 1, bytes(head[1])) if head else (0, chain.GENESIS)
        rows = []
        for event_id, raw, written in waiting:
            entry = chain.seal(prev, seq, raw)
            fields: dict[str, Any] = json.loads(raw)
            leaf = chain.leaf(entry)
            rows.append(
                (seq, prev, leaf, entry, event_id, fields["act"], fields["actor"], fields["org"], fields["obj"],
                 Entry.moment(fields), Entry.parties_of(fields), written)
            )  # fmt: skip
            seq, prev = seq + 1, leaf
        with cursor.copy(_PUT) as copy:
            copy.set_types(list(_COLUMNS.values()))
            for row in rows:
                copy.write_row(row)
        cursor.execute(_DROP, [taken])
        return len(rows)


def seal_all() -> int:
    """Seal until the outbox is empty. For commands and tests; the service is `run`."""
    total = 0
    while sealed := seal_batch():
        total += sealed
    return total


def run(stop: threading.Event) -> None:
    """Seal until `stop` is set. Raises SealerBusy if another sealer runs on this database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            raise SealerBusy("another sealer is at work on this database")
    watch = lag.Watch()
    while not stop.is_set():
        watch.look()
        if seal_batch() < BATCH:  # many at once cost less than one after the other
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
