"""Commitments to personal fields: the log holds the commitment for ever, the value can be erased. Pure.

docs/audit-log.md, "Personal fields". Salted for each entry and field: without the salt nobody can try values out, and
one opening helps nobody to guess another.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

SALT_BYTES = 32


def salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def commit(key: bytes, field: str, value: str) -> str:
    """HMAC-SHA256(key = salt, field ‖ 0x00 ‖ value), hexadecimal. Raises ValueError for a value without UTF-8 form."""
    return hmac.digest(key, field.encode() + b"\x00" + value.encode(), hashlib.sha256).hex()


def opens(commitment: str, key: bytes, field: str, value: str) -> bool:
    """Whether salt and value are those that were committed to."""
    return hmac.compare_digest(commit(key, field, value), commitment)
