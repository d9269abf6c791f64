"""Publishing: the checkpoint file by rename, then its row; whatever else stands beside it follows from rows.

A process killed between any two of these steps finds the rest to do when it starts again (`restore`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit.models import Checkpoint
from audit.transparency import files
from audit.transparency.growth import KeyDates
from audit.verifier.note import COSIGNATURE, Key, Malformed, parse_checkpoint, parse_key
from audit.verifier.note import Checkpoint as Note
from audit.verifier.policy import Policy

CHECKPOINT, CHECKPOINT_SM3, POLICY, KEYS, STAMPS = "checkpoint", "checkpoint.sm3", "policy", "keys", "stamps"


def published(folder: Path, name: str = CHECKPOINT) -> Note | None:
    """The published checkpoint; None where there is none. Raises Malformed."""
    raw = files.read(folder / name)
    return None if raw is None else parse_checkpoint(raw)


def published_size(folder: Path, name: str = CHECKPOINT) -> int:
    """How many entries it covers; 0 where there is none or it cannot be read."""
    try:
        note = published(folder, name)
    except Malformed:
        return 0
    return note.size if note else 0


def publish(folder: Path, note: bytes, note_sm3: bytes | None, cosigners: list[dict[str, Any]]) -> Checkpoint:
    """Make `note`, whose tiles are there, the published checkpoint. The parallel one may be behind it, never ahead."""
    files.put(folder / CHECKPOINT, note)
    if note_sm3 is not None:
        files.put(folder / CHECKPOINT_SM3, note_sm3)
    return add_row(note, note_sm3, cosigners)


def put_again(folder: Path, row: Checkpoint) -> None:
    """The published files as the row has them."""
    files.put(folder / CHECKPOINT, bytes(row.note))
    if row.note_sm3 is not None:
        files.put(folder / CHECKPOINT_SM3, bytes(row.note_sm3))


def add_row(note: bytes, note_sm3: bytes | None, cosigners: list[dict[str, Any]]) -> Checkpoint:
    parsed = parse_checkpoint(note)
    return Checkpoint.objects.create(
        size=parsed.size, root=parsed.root, note=note, made=timezone.now(), cosigners=cosigners, note_sm3=note_sm3
    )  # fmt: skip


def cosigners_of(note: Note, witnesses: Iterable[Key]) -> list[dict[str, Any]]:
    """Name and time of those witnesses whose cosignature the note carries. Raises BadSignature."""
    signers = note.note.signers(witnesses)
    return [{"name": key.name, "time": time} for key, time in signers.items() if key.kind == COSIGNATURE]


def restore(folder: Path, keys: Mapping[str, KeyDates]) -> None:
    """Bring back from the rows what is missing beside the checkpoint: checkpoints of new keys, and time stamps."""
    keep_key_changes(folder, keys)
    for row in Checkpoint.objects.filter(stamp__isnull=False):
        keep_stamp(folder, row)


def keep_key_changes(folder: Path, keys: Mapping[str, KeyDates]) -> None:
    """`keys/<size>`: the first checkpoint that holds the announcement of a key, for each key that signed it."""
    for vkey, dates in keys.items():
        if dates.added is None:
            continue
        row = Checkpoint.objects.filter(size__gt=dates.added).order_by("size").first()
        if row is None or not signed_by(bytes(row.note), vkey):
            continue
        path = folder / KEYS / str(row.size)
        if files.read(path) != bytes(row.note):
            files.put(path, bytes(row.note))


def signed_by(note: bytes, vkey: str) -> bool:
    """An announcement of a key that is not ours signs nothing."""
    try:
        key = parse_key(vkey)
    except Malformed:
        return False
    return any((line.name, line.key_id) == (key.name, key.id) for line in parse_checkpoint(note).note.lines)


def day_of(row: Checkpoint) -> str:
    """The day it was published, by the installation's own calendar."""
    return timezone.localdate(row.made).isoformat()


def keep_stamp(folder: Path, row: Checkpoint) -> None:
    """`stamps/<day>.checkpoint` and `.tsr`."""
    day = day_of(row)
    for suffix, data in ((".checkpoint", bytes(row.note)), (".tsr", bytes(row.stamp or b""))):
        path = folder / STAMPS / f"{day}{suffix}"
        if files.read(path) != data:
            files.put(path, data)


def keep_policy(folder: Path, signing: Iterable[Key], policy: Policy) -> None:
    """`policy`: the keys that sign at present, witnesses and quorum."""
    text = policy_text(signing, policy)
    if files.read(folder / POLICY) != text:
        files.put(folder / POLICY, text)


def policy_text(signing: Iterable[Key], policy: Policy) -> bytes:
    lines = [f"log {key.vkey}" for key in signing]
    lines += [f"witness {one.name} {one.key.vkey} {one.url}".rstrip() for one in policy.witnesses]
    lines += [f"group {one.name} {one.threshold} {' '.join(one.members)}" for one in policy.groups]
    return "".join(line + "\n" for line in [*lines, f"quorum {policy.quorum}"]).encode(
        errors="surrogateescape"
    )
