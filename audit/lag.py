"""Do entries wait too long to be sealed? The sealer looks every second, and another process too, should it be dead.

An episode is two entries: `log.sealing_late` when it begins, `log.sealing_caught_up` with the longest wait when it is
over. However many processes look, there is one of each.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from audit.actors import WATCH
from audit.events import Event
from audit.models import Lag
from audit.recorder import record

log = logging.getLogger("audit.lag")
EVERY = 1.0  # seconds between two looks
# An entry that was written long before its transaction was committed looks late for the instant until it is sealed.
STILL_THERE = timedelta(seconds=0.5)
_LOCK = 0x64735F6C6167  # any fixed number: "ds_lag"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the outbox: how many, at most one more than may wait; id and age of the oldest."""

    number: int
    oldest: int | None
    seconds: float

    @property
    def too_many(self) -> bool:
        return self.number > settings.AUDIT_MOST_WAITING

    @property
    def too_long(self) -> bool:
        return self.seconds > settings.AUDIT_LATE_SECONDS


class Watch:
    """`look` as often as you like: it looks once a second."""

    def __init__(self) -> None:
        self._looked = float("-inf")

    def look(self) -> None:
        if time.monotonic() - self._looked >= EVERY:
            watch()
            self._looked = time.monotonic()


def watch() -> None:
    """Look once, and record the beginning or the end of an episode."""
    with transaction.atomic():
        if not _alone():
            return
        waiting = _waiting()
        lag, _made = Lag.objects.get_or_create(pk=1)
        late = waiting.too_many or waiting.too_long
        if lag.since is not None:
            if not late:
                _end(lag)
        elif waiting.too_many or (waiting.too_long and _is_still_there(lag, waiting)):
            _begin(lag, waiting)
        elif lag.suspect is not None and not late:
            _note(lag, None)


def _is_still_there(lag: Lag, waiting: Waiting) -> bool:
    """Whether this very entry was found too old before; if not, it is noted down."""
    now = timezone.now()
    if lag.suspect != waiting.oldest or lag.suspected is None:
        _note(lag, waiting.oldest)
        return False
    return now - lag.suspected >= STILL_THERE


def _note(lag: Lag, suspect: int | None) -> None:
    lag.suspect, lag.suspected = suspect, timezone.now()
    lag.save(update_fields=["suspect", "suspected"])


def _begin(lag: Lag, waiting: Waiting) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), (SELECT coalesce(max(seq) + 1, 0) FROM audit_entry) FROM audit_outbox"
        )
        number, first = cursor.fetchone()
    lag.since, lag.first, lag.suspect, lag.suspected = timezone.now(), first, None, None
    lag.save()
    milliseconds = round(waiting.seconds * 1000)
    record(Event.SEALING_LATE, actor=WATCH, about="log:0", oldest_ms=milliseconds, waiting=number)
    log.error("%d entries wait to be sealed, the oldest for %d ms", number, milliseconds)


def _end(lag: Lag) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(sealed - written) FROM audit_entry WHERE seq >= %s", [lag.first])
        longest = cursor.fetchone()[0] or timedelta()
    lag.since, lag.first = None, None
    lag.save()
    milliseconds = round(longest.total_seconds() * 1000)
    record(Event.SEALING_CAUGHT_UP, actor=WATCH, about="log:0", oldest_ms=milliseconds)
    log.warning("no entry waits any longer; the longest wait was %d ms", milliseconds)


def _alone() -> bool:
    """Until the transaction ends. Who is not alone need not look: somebody does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _waiting() -> Waiting:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM (SELECT FROM audit_outbox LIMIT %s) counted), oldest.id, oldest.seconds "
            "FROM (SELECT 1) one LEFT JOIN (SELECT id, extract(epoch FROM clock_timestamp() - written) AS seconds "
            "FROM audit_outbox ORDER BY id LIMIT 1) oldest ON true",
            [settings.AUDIT_MOST_WAITING + 1],
        )
        number, oldest, seconds = cursor.fetchone()
    return Waiting(number, oldest, float(seconds or 0))
