"""The openings of personal fields as a stream of lines, apart from any export of the log (docs/audit-log.md).

Whoever holds the log and this file can check what the commitments stand for; an erasure need not chase copies of the
log, only copies of this file, and who took one is on record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from django.db import connection, transaction

_ROWS = """
    SELECT e.seq, p.event_id, p.field, p.salt, p.value
    FROM audit_personal p JOIN audit_entry e ON e.event_id = p.event_id
    WHERE %(scope)s = '' OR e.parties @> ARRAY[%(scope)s]
    ORDER BY e.seq, p.field
"""


def lines(*, opened: bool, organization: str = "") -> Iterator[bytes]:
    """One line for each field of a sealed entry that was not erased, in order of `seq`, newline included.

    With `opened` value and salt, without only that there is a value. `organization`: only entries that concern it.
    """
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(_ROWS, {"scope": organization})
        while rows := cursor.fetchmany(2000):
            for seq, event_id, field, salt, value in rows:
                said: dict[str, Any] = {"field": field, "id": str(event_id)}
                if opened:
                    said |= {"salt": bytes(salt).hex(), "seq": seq, "value": value}
                else:
                    said |= {"seq": seq, "withheld": True}
                yield json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
