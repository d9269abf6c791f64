"""Signed notes, checkpoints, cosignatures and keys, from the verifying side (C2SP signed-note, tlog-checkpoint,
tlog-cosignature; editions of 2026). Pure.

Three kinds of signature are known: Ed25519 by a log (type 0x01), Ed25519 with a time by a witness (0x04), and SM2 with
SM3 by a log (type 0xff and a name of ours: docs/audit-log.md). Lines of other keys are ignored, as the format demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.verifier import sm2

ED25519, COSIGNATURE, SM2_SM3 = b"\x01", b"\x04", b"\xffdataspace/sm2-sm3/v1"
_PUBLIC_BYTES = {ED25519: 32, COSIGNATURE: 32, SM2_SM3: 64}
_LONGEST = 1 << 20
_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")
_LINE = re.compile("— ([^\\s+]+) ([A-Za-z0-9+/]+={0,2})")


class Malformed(ValueError):
    """A note, a checkpoint or a key is not written as the format says; the text says where."""


class BadSignature(ValueError):
    """A signature by a known key does not fit the text: such a note is rejected whole."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key as a verifier key (vkey): `name+hex(id)+base64(type || public)`."""

    name: str
    kind: bytes  # one of ED25519, COSIGNATURE, SM2_SM3
    public: bytes

    @property
    def id(self) -> bytes:
        """4 bytes: SHA-256(name || newline || type || public), cut."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.kind + self.public).decode()}"

    def named(self, name: str) -> Key:
        """The same key under another name, such as that of the parallel SM3 tree."""
        return Key(name, self.kind, self.public)

    def check(self, text: bytes, signature: bytes) -> int | None:
        """`signature` (without the key id) fits `text`. Returns the POSIX time a witness states, None for a log.

        Raises BadSignature.
        """
        if self.kind == SM2_SM3:
            if not sm2.verify(self.public, text, signature):
                raise BadSignature(f"SM2 signature of {self.name}")
            return None
        time = None
        if self.kind == COSIGNATURE:
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            if time >= 1 << 63:
                raise BadSignature(f"{self.name} states a time that the format does not allow")
            text = b"cosignature/v1\ntime %d\n" % time + text
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            raise BadSignature(f"Ed25519 signature of {self.name}") from None
        return time


def parse_key(vkey: str) -> Key:
    """Raises Malformed, also where the id does not fit the key."""
    name, first, rest = vkey.strip().partition("+")
    hex_id, second, material = rest.partition("+")
    if not (name and first and second) or any(c.isspace() or "\ud800" <= c <= "\udfff" for c in name):
        raise Malformed(f"not a key: {vkey[:80]!r} (expected name+id+base64)")
    raw = _base64(material, "key")
    for kind, length in _PUBLIC_BYTES.items():
        if raw.startswith(kind) and len(raw) == len(kind) + length:
            key = Key(name, kind, raw[len(kind) :])
            if key.id.hex() != hex_id:
                raise Malformed(f"the id {hex_id[:16]} is not that of this key of {name}")
            return key
    raise Malformed(f"the key of {name} is of an unknown kind")


@dataclass(frozen=True, slots=True)
class SignatureLine:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """`text` ends in a newline; the signatures stand below it, unchecked."""

    text: bytes
    lines: tuple[SignatureLine, ...]

    def signers(self, keys: Iterable[Key]) -> dict[Key, int | None]:
        """Those of `keys` that signed, each with the time it states. Of a key the first line counts, as in sumdb/note:
        a thousand more cost nothing.

        Raises BadSignature where a line of a known key does not fit: then nothing is to be believed.
        """
        known = {(key.name, key.id): key for key in keys}
        found: dict[Key, int | None] = {}
        for line in self.lines:
            key = known.get((line.name, line.key_id))
            if key is not None and key not in found:
                found[key] = key.check(self.text, line.signature)
        return found


def parse_note(raw: bytes) -> Note:
    """Raises Malformed."""
    if len(raw) > _LONGEST:
        raise Malformed("a note of more than 1 MiB")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    if any(c < " " and c != "\n" for c in whole):
        raise Malformed("a note holds no control characters")
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise Malformed("a note is text, an empty line, and signature lines")
    lines = tuple(_signature_line(line) for line in below[:-1].split("\n"))
    return Note((text + "\n").encode(), lines)


def parse_signature_lines(raw: bytes) -> tuple[SignatureLine, ...]:
    """Signature lines alone: what a witness answers. Raises Malformed."""
    return parse_note(b"-\n\n" + raw).lines


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's statement: at `size` leaves its tree has the root `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes
    note: Note
    raw: bytes


def parse_checkpoint(raw: bytes) -> Checkpoint:
    """Raises Malformed. Signatures are not looked at."""
    note = parse_note(raw)
    lines = note.text.split(b"\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise Malformed("a checkpoint is three lines: origin, size, root")
    origin, size, root = lines[:3]
    if not _SIZE.fullmatch(size):
        raise Malformed("the size in a checkpoint is a decimal number")
    decoded = _base64(root.decode(), "root")
    if len(decoded) != 32:
        raise Malformed("the root in a checkpoint has 32 bytes")
    return Checkpoint(origin.decode(), int(size), decoded, note, raw)


def _signature_line(line: str) -> SignatureLine:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Malformed(f"not a signature line: {line[:80]!r}")
    raw = _base64(found[2], "signature")
    if len(raw) < 5:
        raise Malformed("a signature line holds a key id and a signature")
    return SignatureLine(found[1], raw[:4], raw[4:])


def _base64(text: str, what: str) -> bytes:
    """Standard alphabet with padding, in its one canonical form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"the {what} is not base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Malformed(f"the {what} is not base64 in canonical form")
    return raw
