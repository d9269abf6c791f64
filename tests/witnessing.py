"""What a log sends to a witness: checkpoints, and proofs that one continues the other."""

from __future__ import annotations

from tests import log_world
from tests.log_world import ORIGIN, Log, b64, ed25519


def log_of(count: int, changed_at: int | None = None, origin: str = ORIGIN) -> Log:
    """A log of so many entries; two of different `changed_at` part there."""
    entries = log_world.seal(
        [log_world.opened_log(origin=origin), *map(log_world.plain, range(1, count))][:count]
    )
    log = Log(tuple(entries), (ed25519(origin),), origin=origin)
    return log if changed_at is None else log_world.rewritten(log, changed_at)


def text(log: Log, size: int | None = None) -> bytes:
    """What is signed."""
    return log.checkpoint(size, ())[:-1]


def proof(log: Log, old: int, size: int | None = None) -> list[bytes]:
    leaves = log.leaves[: log.size if size is None else size]
    return log_world.consistency(old, leaves) if old else []


def request(log: Log, old: int, size: int | None = None, lines: list[bytes] | None = None) -> bytes:
    """The body of add-checkpoint. `lines` in the place of the right proof."""
    head = [f"old {old}", *b64(proof(log, old, size) if lines is None else lines)]
    return ("\n".join(head) + "\n\n").encode() + log.checkpoint(size)
