"""What a verifier remembers from one run to the next: the tree it saw, and the keys it trusts.

Only a verification that found nothing wrong is remembered. The file is the verifier's own and is believed.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verifier.note import Key, parse_key
from audit.verifier.result import Unreadable

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """At `size` entries the tree of log `origin` has the root `root`. Retired keys are never trusted again."""

    origin: str
    size: int
    root: bytes
    keys: tuple[Key, ...]
    retired: tuple[Key, ...]


def load(path: Path) -> Memory | None:
    """None where nothing was remembered yet. Raises Unreadable, OSError."""
    if not path.exists():
        return None
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unreadable(f"{path} was not written by this verifier ({error!r}); name another file") from None


def save(path: Path, memory: Memory) -> None:
    """Whole or not at all: a run that is stopped leaves the file as it was. Raises OSError."""
    told = {
        "version": _VERSION,
        "origin": memory.origin,
        "size": memory.size,
        "root": base64.b64encode(memory.root).decode(),
        "keys": sorted(key.vkey for key in memory.keys),
        "retired": sorted(key.vkey for key in memory.retired),
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _parse(told: dict[str, Any]) -> Memory:
    root = base64.b64decode(told["root"], validate=True)
    if told["version"] != _VERSION or type(told["size"]) is not int or told["size"] < 0 or len(root) != 32:
        raise ValueError("version, size or root")
    keys, retired = (tuple(parse_key(vkey) for vkey in told[name]) for name in ("keys", "retired"))
    return Memory(str(told["origin"]), told["size"], root, keys, retired)
