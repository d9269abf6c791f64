"""The log as a stream of lines: each entry's stored bytes, then one line that states the head.

The bytes are those that were hashed. The verifier (audit/verifier) reads nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Protocol, cast

from django.db import transaction

from audit.models import Entry


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Head:
    """`leaf` (hexadecimal) of the last entry commits to all before it; "" for an empty log."""

    entries: int
    leaf: str


def head() -> Head:
    last = Entry.objects.order_by("-seq").only("seq", "leaf").first()
    return Head(last.seq + 1, last.leaf_hex) if last else Head(0, "")


def lines() -> Iterator[bytes]:
    """Every line of an export, newline included. Memory stays bounded: rows come by a server-side cursor."""
    count, leaf = 0, ""
    with transaction.atomic():
        rows = Entry.objects.order_by("seq").values_list("body", "leaf").iterator(chunk_size=2000)
        with closing(
            cast("Generator[tuple[bytes, bytes]]", rows)
        ):  # a copy abandoned half-way must not hold the transaction's cursor
            for body, leaf_bytes in rows:
                count, leaf = count + 1, bytes(leaf_bytes).hex()
                yield bytes(body) + b"\n"
    yield json.dumps({"head": asdict(Head(count, leaf))}, separators=(",", ":")).encode() + b"\n"


def write(file: Writable) -> Head:
    """Write an export and return the head it ends on."""
    last = b""
    for line in lines():
        last = line
        file.write(line)
    return Head(**json.loads(last)["head"])
