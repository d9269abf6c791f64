"""Canonical form and hash chain of the audit log. Pure: no Django, no I/O.

Profile AUD-1. An entry is canonical JSON (RFC 8785 restricted) that begins `{"_prev":"<64 hex>","_seq":N,`;
its leaf hash is that of RFC 6962 §2.1, SHA-256(0x00 ‖ bytes), and `_prev` is the leaf hash of the entry before.
One hash per entry so serves the chain now and a Merkle tree over the same leaves later.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

PROFILE = 1
GENESIS = b"\x00" * 32  # `_prev` of entry 0
MAX_BYTES = 65_535  # C2SP tlog-tiles stores a length as uint16
_MAX_INT = 2**53 - 1  # beyond this JSON readers disagree
_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
# `{"_prev":"` + 64 hex + `","_seq":N,` precedes the body's own keys; 40 bytes leave room for any bigint.
_PREFIX_BYTES = 10 + 64 + 40


class NotCanonical(ValueError):
    """The value cannot be written in profile AUD-1; the message names the path."""


def body(fields: Mapping[str, Any]) -> bytes:
    """Canonical UTF-8 bytes of an entry before it is sealed: an object without `_prev` and `_seq`.

    Raise NotCanonical for floats, integers beyond 2^53−1, keys outside [a-z][a-z0-9_]{0,31}, text that is not
    NFC or has lone surrogates, an empty object, or more than 65,535 bytes once sealed.
    Within these limits sorted compact JSON equals RFC 8785.
    """
    if not fields:
        raise NotCanonical("$: an entry needs at least one field")
    _check(fields, "$")
    raw = _ENCODE(fields).encode()
    if len(raw) + _PREFIX_BYTES > MAX_BYTES:
        raise NotCanonical(f"$: {len(raw)} bytes is more than an entry may hold")
    return raw


def seal(prev: bytes, seq: int, raw_body: bytes) -> bytes:
    """The entry's bytes: the body with its place in the chain put in front. Nothing is serialized again."""
    return b'{"_prev":"%s","_seq":%d,' % (prev.hex().encode(), seq) + raw_body[1:]


def leaf(entry: bytes) -> bytes:
    """RFC 6962 §2.1 leaf hash, 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _check(value: Any, path: str) -> None:
    match value:
        case None | bool():
            return
        case int():
            if abs(value) > _MAX_INT:
                raise NotCanonical(f"{path}: integer beyond 2^53-1")
        case str():
            _check_text(value, path)
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str) or not _KEY.match(key):
                    raise NotCanonical(f"{path}: key {key!r} is not of the form [a-z][a-z0-9_]*")
                _check(item, f"{path}.{key}")
        case list() | tuple():
            for i, item in enumerate(value):
                _check(item, f"{path}[{i}]")
        case _:
            raise NotCanonical(
                f"{path}: {type(value).__name__} has no canonical form; write decimals as text"
            )


def _check_text(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(f"{path}: lone surrogate") from error
    if not unicodedata.is_normalized("NFC", value):
        raise NotCanonical(f"{path}: text is not in Unicode normal form C")
