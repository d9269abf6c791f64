"""What is known of a log from outside, against which it is held: keys, policy, heads and checkpoints noted, memory."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path

from audit.verifier.memory import Memory
from audit.verifier.note import COSIGNATURE, Checkpoint, Key, Malformed, parse_checkpoint, parse_key
from audit.verifier.policy import BadPolicy, Policy, parse_policy
from audit.verifier.result import Unreadable

_LONGEST = 1 << 20  # bytes of a file with keys, a policy or a checkpoint
_VKEY = re.compile(r"[^+]+\+[0-9a-f]{8}\+")


@dataclass(frozen=True, slots=True)
class Noted:
    """A checkpoint, and where it is written."""

    path: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Seen:
    """A tree that somebody saw: `path` says where that is written."""

    path: str
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """`memory_path` says where the memory is written."""

    keys: tuple[Key, ...] = ()
    policy: Policy | None = None
    heads: frozenset[bytes] = frozenset()  # leaf hashes
    checkpoints: tuple[Noted, ...] = ()  # seen by another party, in the header of an API answer, at a witness
    memory: Memory | None = None
    memory_path: str = ""

    @property
    def trusted(self) -> set[Key]:
        """Keys of logs that are trusted from outside, under whatever name."""
        keys = {*self.keys}
        if self.policy is not None:
            keys |= {log.key for log in self.policy.logs}
        if self.memory is not None:
            keys = (keys | {*self.memory.keys}) - {*self.memory.retired}
        return keys

    @property
    def seen(self) -> list[Seen]:
        """Every tree that the log has to agree with."""
        trees = [
            Seen(n.path, n.checkpoint.origin, n.checkpoint.size, n.checkpoint.root) for n in self.checkpoints
        ]
        if self.memory is not None:
            trees.append(Seen(self.memory_path, self.memory.origin, self.memory.size, self.memory.root))
        return trees


def keys_of(argument: str) -> tuple[Key, ...]:
    """From a verifier key, or a file with one a line. Raises Unreadable, OSError."""
    texts = [argument] if _VKEY.match(argument) else _lines(Path(argument))
    try:
        keys = tuple(parse_key(text) for text in texts)
    except ValueError as error:
        raise Unreadable(f"--key {argument[:80]}: {error}") from None
    if not keys:
        raise Unreadable(f"--key {argument[:80]}: there is no key in this file")
    if any(key.kind == COSIGNATURE for key in keys):
        raise Unreadable(f"--key {argument[:80]} is the key of a witness: name it in a --policy")
    return keys


def policy_of(path: Path) -> Policy:
    """Raises Unreadable, OSError."""
    try:
        return parse_policy(_read(path))
    except BadPolicy as error:
        raise Unreadable(f"{path}: {error}") from None


def noted(path: Path) -> Noted:
    """From a file with the checkpoint itself, or its base64 as API answers carry it. Raises Unreadable, OSError."""
    raw = _read(path)
    try:
        if b"\n\n" not in raw:
            raw = base64.b64decode(raw.strip(), validate=True)
        return Noted(str(path), parse_checkpoint(raw))
    except (Malformed, binascii.Error, ValueError) as error:
        raise Unreadable(f"{path} is not a checkpoint: {error}") from None


def head_of(text: str) -> bytes:
    """Raises Unreadable."""
    try:
        head = bytes.fromhex(text)
    except ValueError:
        head = b""
    if len(head) != 32:
        raise Unreadable(f"--head {text[:80]!r} is not 64 hexadecimal digits")
    return head


def _lines(path: Path) -> list[str]:
    text = _read(path).decode(errors="surrogateescape")
    return [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(_LONGEST + 1)
    if len(raw) > _LONGEST:
        raise Unreadable(f"{path} is longer than 1 MiB")
    return raw
