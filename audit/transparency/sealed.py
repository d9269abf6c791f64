"""Sealed entries read back from the database, each checked again: only what was read back is signed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import cast

from django.db import transaction

from audit.models import Entry
from audit.transparency import merkle
from audit.transparency.troubles import WillNotSign

_CHUNK = 2000
Row = tuple[int, bytes, bytes, bytes]


def count() -> int:
    """How many entries are sealed."""
    last = Entry.objects.order_by("-seq").values_list("seq", flat=True).first()
    return 0 if last is None else last + 1


def entries(first: int, before: bytes, end: int) -> Iterator[tuple[bytes, bytes]]:
    """(bytes, leaf hash) of the entries `first` … `end - 1`, in order; memory stays bounded.

    `before` is the leaf hash of the entry before `first`. Checked of each: it stands at its place, its bytes have the
    stored leaf hash, and they hold the leaf hash of the entry before. Raises WillNotSign.
    """
    expected = first
    found = Entry.objects.filter(seq__gte=first, seq__lt=end).order_by("seq")
    with transaction.atomic():
        rows = found.values_list("seq", "prev", "leaf", "body").iterator(chunk_size=_CHUNK)
        with closing(cast("Generator[Row]", rows)):
            for seq, prev, stored, raw in rows:
                body, leaf = bytes(raw), merkle.leaf(bytes(raw))
                begins = b'{"_prev":"%s","_seq":%d,' % (before.hex().encode(), expected)
                if (seq, bytes(prev), bytes(stored)) != (expected, before, leaf) or not body.startswith(
                    begins
                ):
                    raise WillNotSign("changed", seq=expected)
                yield body, leaf
                before, expected = leaf, expected + 1
    if expected != end:
        raise WillNotSign("rolled_back", entries=expected, signed=end)


def check_last(size: int, leaf: bytes) -> None:
    """The last of `size` entries still has this leaf hash. Raises WillNotSign."""
    row = Entry.objects.filter(seq=size - 1).values_list("leaf", "body").first()
    if row is None:
        raise WillNotSign("rolled_back", entries=count(), signed=size)
    if bytes(row[0]) != leaf or merkle.leaf(bytes(row[1])) != leaf:
        raise WillNotSign("changed", seq=size - 1)
