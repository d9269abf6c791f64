"""What a log asks of a witness: the body of `add-checkpoint` (C2SP tlog-witness, edition of 2026). Pure."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint

LONGEST = (
    256 * 1024
)  # bytes of a body: 63 proof lines, and 16 signatures of the longest kind with room to spare
MOST_PROOF_LINES = 63
_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Request:
    """`proof`: consistency of the tree of `old` leaves with that of the checkpoint, hashes of 32 bytes."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint


def parse_request(raw: bytes) -> Request:
    """Raises Malformed."""
    head, blank, note = raw.partition(b"\n\n")
    if not blank:
        raise Malformed("expected: an old size line, proof lines, an empty line, a checkpoint")
    first, *lines = head.split(b"\n")
    old = _OLD.fullmatch(first)
    if old is None:
        raise Malformed("the first line is `old` and a decimal number")
    if len(lines) > MOST_PROOF_LINES:
        raise Malformed(f"more than {MOST_PROOF_LINES} proof lines")
    return Request(int(old[1]), tuple(_hash(line) for line in lines), parse_checkpoint(note))


def _hash(line: bytes) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a proof line is not base64") from None
    if len(raw) != 32 or base64.b64encode(raw) != line:
        raise Malformed("a proof line is one hash of 32 bytes in base64")
    return raw
