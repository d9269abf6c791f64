"""Pseudonyms of units and keys of records: what is computed, in Python and in the engine.

Pseudonym: the first 8 bytes, big-endian, of HMAC-SHA-256(space key, unit_space ‖ 0x00 ‖ value) (RFC 2104). Equal for
equal values in every dataset published under one space key.

Record key: the first 8 bytes of SHA-256(subkey ‖ content), subkey = the first 16 bytes, in base64 without padding, of
HMAC-SHA-256(space key, LABEL). Cutting 192 of 256 bits makes the secret-prefix construction a sound MAC (Coron et al.,
CRYPTO 2005, "chop-MD"). `content` is the canonical text of the record's published source columns in the order of
their names, joined by 0x1F, null as empty text. So a record keeps its key from version to version as long as its
content and the set of columns stay. The n-th repetition (n ≥ 2) of a record has the key
SHA-256(subkey ‖ 0x1E ‖ first key ‖ "/" ‖ n): equal records have distinct keys, whichever stands first.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from audit.wording import say
from catalog.ingest.errors import IngestError

KEY_BYTES = 32  # least length of a space key
BLOCK = 64  # SHA-256
LABEL = b"dataspace record key v1"
SEPARATOR = 31  # unit separator between the cells of `content`
REPEATED = 30  # record separator before a repetition


def check(space_key: bytes) -> None:
    """Raise IngestError extract.key for a key that is too short to be one."""
    if len(space_key) < KEY_BYTES:
        raise IngestError(
            "extract.key", say("The space key must have at least %(least)d bytes.", least=KEY_BYTES)
        )


def pseudonym(space_key: bytes, unit_space: str, value: str) -> int:
    """The unsigned 64-bit pseudonym of a unit."""
    message = unit_space.encode() + b"\0" + value.encode()
    return int.from_bytes(hmac.digest(space_key, message, "sha256")[:8], "big")


def record_subkey(space_key: bytes) -> str:
    """The 128-bit key of record keys, as text: the engine hashes it without copying. Tells nothing of the space key."""
    return base64.b64encode(hmac.digest(space_key, LABEL, "sha256")[:16]).decode().rstrip("=")


def pseudonym_parameters(space_key: bytes, unit_space: str) -> dict[str, bytes]:
    """The values of $inner and $outer in `PSEUDONYM`."""
    block = (hashlib.sha256(space_key).digest() if len(space_key) > BLOCK else space_key).ljust(BLOCK, b"\0")
    return {
        "inner": bytes(b ^ 0x36 for b in block) + unit_space.encode() + b"\0",
        "outer": bytes(b ^ 0x5C for b in block),
    }


def pseudonym_sql(text: str) -> str:
    """`pseudonym` of the SQL text expression `text`; needs `pseudonym_parameters`."""
    inner = f"sha256($inner::BLOB || encode({text}))"
    return _first_bytes(f"sha256($outer::BLOB || from_hex({inner}))")


def record_sql(cells: list[str]) -> str:
    """The record key over SQL texts `cells` (no cell of an extract is the empty text); needs $subkey."""
    content = f", chr({SEPARATOR}), ".join(cells)
    return _first_bytes(f"sha256(concat($subkey::VARCHAR, {content}))")


def repeated_sql(first: str, number: str) -> str:
    """The key of the `number`-th record whose content gave the key `first`; needs $subkey."""
    return _first_bytes(f"sha256(concat($subkey::VARCHAR, chr({REPEATED}), {first}, '/', {number}))")


def _first_bytes(digest: str) -> str:
    return f"CAST('0x' || left({digest}, 16) AS UBIGINT)"
