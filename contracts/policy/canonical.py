"""The canonical bytes that both parties sign, and their digests.

RFC 8785 (JSON Canonicalization Scheme) within a narrower profile, in which every implementation agrees: no
floats, no null, integers within ±(2^53 − 1), text in Unicode NFC without lone surrogates, at most `MAX_BYTES`
and `MAX_DEPTH`. Outside the profile nothing is written.
"""

from __future__ import annotations

import hmac
import json
import unicodedata
from enum import StrEnum
from typing import Any, Final, NoReturn

import rfc8785
from cryptography.hazmat.primitives import hashes

from audit.refusals import Refused
from audit.wording import say, template

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 24
MAX_INTEGER: Final = 2**53 - 1
_TOO_LONG: Final = template("it is longer than %(most)d bytes")


class Algorithm(StrEnum):
    SHA256 = "sha256"
    SM3 = "sm3"  # GB/T 32905-2016


_HASHES: Final[dict[Algorithm, type[hashes.HashAlgorithm]]] = {
    Algorithm.SHA256: hashes.SHA256,
    Algorithm.SM3: hashes.SM3,
}


def canonical(doc: object) -> bytes:
    """The one UTF-8 form of a JSON document; the order of keys in `doc` does not matter.

    Raises Refused `policy.not_canonical` with `path` for a value outside the profile.
    """
    _check(doc, "$", 0)
    body = rfc8785.dumps(doc)  # type: ignore[arg-type]  # _check has seen that it is JSON
    if len(body) > MAX_BYTES:
        raise _refused("$", say(_TOO_LONG, most=MAX_BYTES))
    return body


def parse(body: bytes) -> Any:
    """Read JSON that must already be canonical; raises Refused `policy.not_canonical` where it is not.

    A repeated key, a float, white space or another order of keys all show as a difference from the
    canonical form, so whoever hashes the bytes and whoever reads the values cannot see two documents.
    """
    if len(body) > MAX_BYTES:
        raise _refused("$", say(_TOO_LONG, most=MAX_BYTES))
    try:
        doc = json.loads(body.decode("utf-8"), parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise _refused("$", say("it is not JSON text in UTF-8")) from None
    if canonical(doc) != body:
        what = say("its keys are repeated or out of order, or it is spelled in another way")
        raise _refused("$", what)
    return doc


def digest(body: bytes, algorithm: Algorithm = Algorithm.SHA256) -> str:
    """`sha256:<64 hex>` or `sm3:<64 hex>`: a digest never goes without the name of its algorithm."""
    state = hashes.Hash(_HASHES[algorithm]())
    state.update(body)
    return f"{algorithm}:{state.finalize().hex()}"


def matches(body: bytes, named_digest: str) -> bool:
    """True where `named_digest` (`algorithm:hex`) is the digest of `body`; False for an unknown algorithm."""
    name = named_digest.partition(":")[0]
    if name not in {algorithm.value for algorithm in Algorithm}:
        return False
    return hmac.compare_digest(digest(body, Algorithm(name)).encode(), named_digest.encode())


def _check(value: object, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _refused(path, say("it is nested deeper than %(most)d levels", most=MAX_DEPTH))
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, dict):
        for key, member in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise _refused(path, say("its keys must be ASCII text"))
            _check(member, f"{path}.{key[:80]}", depth + 1)
    elif isinstance(value, list | tuple):
        for n, member in enumerate(value):
            _check(member, f"{path}[{n}]", depth + 1)
    elif not isinstance(value, int):
        raise _refused(path, say("only text, whole numbers, true and false are allowed"))
    elif abs(value) > MAX_INTEGER:
        raise _refused(path, say("a whole number must lie within ±%(most)d", most=MAX_INTEGER))


def _check_text(text: str, path: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused(path, say("it holds half a character (a lone surrogate)"))
    if not unicodedata.is_normalized("NFC", text):
        raise _refused(path, say("its text must be in Unicode normal form C"))


def _no_float(_text: str) -> NoReturn:
    raise ValueError("floats are not part of the profile")


def _refused(path: str, what: str) -> Refused:
    reason = say("The document cannot be signed, at %(path)s: %(what)s.", path=path, what=what)
    return Refused("policy.not_canonical", reason, path=path)
