"""Inclusion proofs with their checkpoint in one text: C2SP tlog-proof@v1 (edition of 2026). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint

HEADER = b"c2sp.org/tlog-proof@v1\n"
_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,18})")
_MOST = 64  # hashes: no tree is higher


@dataclass(frozen=True, slots=True)
class Proof:
    """The entry at `index` stands in the tree of `checkpoint`: nothing of it is checked yet."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint
    extra: bytes  # what the application says besides, unauthenticated; b"" if nothing


def parse_proof(raw: bytes) -> Proof:
    """Raises Malformed."""
    if not raw.startswith(HEADER):
        raise Malformed("not a proof: the first line is not c2sp.org/tlog-proof@v1")
    above, blank, checkpoint = raw.removeprefix(HEADER).partition(b"\n\n")
    if not blank:
        raise Malformed("a proof is an index, hashes, an empty line, and a checkpoint")
    lines = above.split(b"\n")
    extra = b""
    if lines[0].startswith(b"extra "):
        extra = _decoded(lines.pop(0).removeprefix(b"extra "))
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if index is None:
        raise Malformed("a proof states the index of its entry")
    return Proof(int(index[1]), hashes(lines[1:]), parse_checkpoint(checkpoint), extra)


def hashes(lines: Iterable[bytes]) -> tuple[bytes, ...]:
    """Hashes of 32 bytes from base64. Raises Malformed."""
    found = tuple(_decoded(line) for line in lines)
    if len(found) > _MOST or any(len(one) != 32 for one in found):
        raise Malformed(f"a proof is at most {_MOST} hashes of 32 bytes")
    return found


def _decoded(line: bytes) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a line of the proof is not base64") from None
    if base64.b64encode(raw) != line:
        raise Malformed("a line of the proof is not base64 in canonical form")
    return raw
