"""The log as it leaves: one file of lines, or the folder of static files, which a tar stream carries too.

The bytes are those that were hashed and signed. The verifier (audit/verifier) reads nothing else. What stands behind
the entries, or in the folder, is what is published: it covers what was sealed a moment before, never more.
"""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from django.conf import settings
from django.db import transaction

from audit.models import Entry
from audit.transparency import files, merkle, proofs, publication, tiles
from audit.verifier.note import Checkpoint, parse_checkpoint

_HEAD = b'{"head":'


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Head:
    """`leaf` (hexadecimal) of the last entry commits to all before it; "" for an empty log."""

    entries: int
    leaf: str


def head() -> Head:
    last = Entry.objects.order_by("-seq").only("seq", "leaf").first()
    return Head(last.seq + 1, last.leaf_hex) if last else Head(0, "")


# --- One file ---------------------------------------------------------------------------------------------
def lines() -> Iterator[bytes]:
    """Every line of an export, newline included: entries and head, then checkpoints of new keys, and the newest."""
    checkpoint = proofs.newest()  # before the entries are read, so that they reach at least as far
    key_changes = proofs.key_changes()
    yield from chain_lines()
    if checkpoint is not None:
        notes = [note for note in key_changes if parse_checkpoint(note).size <= checkpoint.size]
        yield from (_line(key_change=note.decode()) for note in notes)
        yield _line(checkpoint=checkpoint.raw.decode())


def chain_lines() -> Iterator[bytes]:
    """Entries and head alone. Memory stays bounded: rows come by a server-side cursor."""
    count, leaf = 0, ""
    with transaction.atomic():
        rows = Entry.objects.order_by("seq").values_list("body", "leaf").iterator(chunk_size=2000)
        with closing(
            cast("Generator[tuple[bytes, bytes]]", rows)
        ):  # a copy abandoned half-way must not hold the transaction's cursor
            for body, leaf_bytes in rows:
                count, leaf = count + 1, bytes(leaf_bytes).hex()
                yield bytes(body) + b"\n"
    yield _line(head=asdict(Head(count, leaf)))


def write(file: Writable) -> Head:
    """Write the one-file export and return the head it states."""
    stated = b""
    for line in lines():
        if line.startswith(_HEAD):
            stated = line
        file.write(line)
    return Head(**json.loads(stated)["head"])


def _line(**said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


# --- The folder -------------------------------------------------------------------------------------------
def folder(path: Path) -> Checkpoint:
    """Write what is published below `path`, the checkpoint last, which is returned.

    Raises Refused (log.not_published) and Damaged. On top of an earlier export of the same log it adds what is new.
    """
    checkpoint, found = _published()
    for name, data in found:
        files.put(path / name, data)
    return checkpoint


def tar_stream() -> tuple[Checkpoint, Iterator[bytes]]:
    """The same folder as the pieces of a tar archive, below `audit-log/`. Raises Refused: log.not_published."""
    checkpoint, found = _published()
    return checkpoint, _tar(found)


def _published() -> tuple[Checkpoint, Iterator[tuple[str, bytes]]]:
    sm3 = publication.published(
        settings.TLOG_DIR, publication.CHECKPOINT_SM3
    )  # first: it must not be the newer one
    checkpoint = proofs.published()
    return checkpoint, _files(checkpoint, sm3)


def _files(checkpoint: Checkpoint, sm3: Checkpoint | None) -> Iterator[tuple[str, bytes]]:
    """Names and bytes: the tiles that make up the tree of exactly this size, and what stands beside them."""
    root: Path = settings.TLOG_DIR
    reader = tiles.Reader(root, checkpoint.size)
    yield from ((file.name, file.data) for file in reader.files())
    yield from ((file.name, file.data) for file in reader.bundles())
    if sm3 is not None:
        parallel = tiles.Reader(root, sm3.size, tiles.SM3_TREE, merkle.sm3)
        yield from ((file.name, file.data) for file in parallel.files())
        yield publication.CHECKPOINT_SM3, sm3.raw
    for note in proofs.key_changes():
        size = parse_checkpoint(note).size
        if size <= checkpoint.size:
            yield f"{publication.KEYS}/{size}", note
    yield from _stamps(root, checkpoint.size)
    policy = files.read(root / publication.POLICY)
    if policy is not None:
        yield publication.POLICY, policy
    yield publication.CHECKPOINT, checkpoint.raw


def _stamps(root: Path, size: int) -> Iterator[tuple[str, bytes]]:
    for path in sorted((root / publication.STAMPS).glob("[!.]*.tsr")):
        note = path.with_suffix(".checkpoint").read_bytes()
        if parse_checkpoint(note).size <= size:
            yield f"{publication.STAMPS}/{path.stem}.checkpoint", note
            yield f"{publication.STAMPS}/{path.name}", path.read_bytes()


def _tar(found: Iterator[tuple[str, bytes]]) -> Iterator[bytes]:
    now = int(time.time())
    for name, data in found:
        about = tarfile.TarInfo(f"audit-log/{name}")
        about.size, about.mtime = len(data), now
        yield about.tobuf() + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
