"""What the checkpointer has signed, kept in its own folder: the one thing it believes more than the database. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.transparency import files
from audit.transparency.merkle import root_of, sha256, sm3

FILE = "memory.json"
_VERSION = 1


class Unreadable(RuntimeError):
    """The file is there and is not what was written."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A tree as last signed: `frontier` are the roots of its perfect subtrees, `note` has our signatures alone."""

    size: int = 0
    frontier: tuple[bytes, ...] = ()
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Memory:
    """`leaf` is the leaf hash of the last signed entry; `witnesses` maps verifier keys to the size each saw last."""

    origin: str
    tree: Signed = field(default_factory=Signed)
    leaf: bytes = bytes(32)
    sm3: Signed | None = None
    witnesses: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.tree.size

    @property
    def root(self) -> bytes:
        return root_of(self.tree.frontier, sha256)

    @property
    def sm3_root(self) -> bytes:
        """Of the parallel tree, which must be there."""
        return root_of(self.sm3.frontier if self.sm3 else (), sm3)


def load(folder: Path) -> Memory | None:
    """None where nothing was ever remembered. Raises Unreadable."""
    raw = files.read(folder / FILE)
    if raw is None:
        return None
    try:
        held = json.loads(raw)
        if held["version"] != _VERSION:
            raise Unreadable(f"{folder / FILE} is of another version")
        return Memory(
            origin=held["origin"],
            tree=_signed(held["tree"]),
            leaf=bytes.fromhex(held["leaf"]),
            sm3=_signed(held["sm3"]) if held["sm3"] else None,
            witnesses=held["witnesses"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"{folder / FILE} cannot be read ({type(error).__name__})") from error


def save(folder: Path, memory: Memory) -> None:
    """On the disk when it returns."""
    held = {
        "version": _VERSION,
        "origin": memory.origin,
        "tree": _plain(memory.tree),
        "leaf": memory.leaf.hex(),
        "sm3": _plain(memory.sm3) if memory.sm3 else None,
        "witnesses": memory.witnesses,
    }
    files.put(folder / FILE, json.dumps(held, indent=1).encode(), files.PRIVATE)


def _plain(signed: Signed) -> dict[str, Any]:
    frontier = [root.hex() for root in signed.frontier]
    return {"size": signed.size, "frontier": frontier, "note": signed.note.decode()}


def _signed(held: dict[str, Any]) -> Signed:
    frontier = tuple(bytes.fromhex(root) for root in held["frontier"])
    if len(frontier) != held["size"].bit_count():
        raise ValueError("the frontier does not fit the size")
    return Signed(held["size"], frontier, held["note"].encode())
