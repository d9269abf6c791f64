"""The export for an auditor of one organization: its entries, each with the proof that it stands in everybody's log.

docs/audit-log.md, "Scoped export". That no entry was left out the file cannot prove.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, cast

from django.db import transaction

from audit.models import Entry


def lines(
    organization: str,
    *,
    inclusion: Callable[[int], list[bytes]],
    checkpoint: Callable[[], bytes],
    key_changes: Iterable[bytes] = (),
) -> Iterator[bytes]:
    """Every line, newline included; entries the checkpoint does not cover yet are left to the next export.

    `checkpoint()` is the newest published one, as a signed note; `inclusion(seq)` proves that entry in its tree;
    `key_changes` are the notes under keys/.
    """
    note = checkpoint()
    size = int(note.split(b"\n")[1])
    yield _line({"scope": organization})
    with transaction.atomic():
        found = Entry.objects.filter(parties__contains=[organization], seq__lt=size).order_by("seq")
        rows = found.values_list("seq", "body").iterator(chunk_size=2000)
        with closing(cast("Generator[tuple[int, bytes]]", rows)):  # see audit.export.lines
            for seq, body in rows:
                proof = [base64.b64encode(hash_).decode() for hash_ in inclusion(seq)]
                yield _line({"entry": bytes(body).decode(), "proof": proof})
    for change in key_changes:
        yield _line({"key_change": change.decode()})
    yield _line({"checkpoint": note.decode()})


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
