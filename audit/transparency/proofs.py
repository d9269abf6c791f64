"""What can be proved of the log from its published files: for the API, for receipts, for whoever asks.

Every proof is checked against the published root before it leaves: a damaged tile is told, not passed on.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.models import Entry
from audit.refusals import Refused
from audit.transparency import merkle, notes, publication
from audit.transparency.growth import vkey_of
from audit.transparency.tiles import Damaged, Reader
from audit.verifier import tree
from audit.verifier.note import Checkpoint, parse_checkpoint

EMPTY_ROOT = merkle.sha256(b"")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Leaf hash `leaf` stands at `index` of the tree of `size` entries with root `root`."""

    index: int
    size: int
    leaf: bytes
    root: bytes
    proof: list[bytes]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The tree of `second` entries begins with that of `first`; nothing is to be proved of an empty one."""

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    proof: list[bytes]


_read: dict[Path, tuple[tuple[int, int], Checkpoint]] = {}  # by modification time and inode


def newest() -> Checkpoint | None:
    """The published checkpoint, read again when its file changes; None where nothing is published."""
    path = settings.TLOG_DIR / publication.CHECKPOINT
    try:
        state = path.stat()
        known = _read.get(path)
        version = (state.st_mtime_ns, state.st_ino)
        if known is None or known[0] != version:
            known = _read[path] = (version, parse_checkpoint(path.read_bytes()))
    except FileNotFoundError:
        return None
    return known[1]


def published() -> Checkpoint:
    """Raises Refused: log.not_published."""
    checkpoint = newest()
    if checkpoint is None:
        raise Refused(
            "log.not_published", _("No checkpoint of the log is published yet. Try again in a few seconds.")
        )
    return checkpoint


def pinned() -> dict[str, str | int]:
    """The newest published checkpoint as a receipt pins it: root in base64, and size; else that of an empty tree."""
    checkpoint = newest()
    size, root = (checkpoint.size, checkpoint.root) if checkpoint else (0, EMPTY_ROOT)
    return {"root": base64.b64encode(root).decode(), "size": size}


class View:
    """The published log at one moment: proofs from one view fit together."""

    def __init__(self) -> None:
        """Raises Refused: log.not_published."""
        self.checkpoint = published()
        self.size = self.checkpoint.size
        self._reader = Reader(settings.TLOG_DIR, self.size)

    def inclusion(self, index: int, size: int | None = None) -> Inclusion:
        """In the tree of `size` entries, by default all. Raises Refused: log.not_covered, log.invalid, log.damaged."""
        size = self.size if size is None else size
        self._check_covers(max(index + 1, size))
        if not 0 <= index < size:
            raise Refused("log.invalid", _("The index must be smaller than the size."))
        try:
            root, leaf = self._root(size), self._reader.hashes(0, index)
            proof = merkle.inclusion(index, size, self._reader.hashes)
            tree.check_inclusion(index, size, leaf, proof, root)
        except (Damaged, tree.InvalidProof):
            raise damaged() from None
        return Inclusion(index, size, leaf, root, proof)

    def consistency(self, first: int, second: int | None = None) -> Consistency:
        """To the tree of `second` entries, by default all. The proof is empty where `first` is 0.

        Raises Refused: log.not_covered, log.invalid, log.damaged.
        """
        second = self.size if second is None else second
        self._check_covers(max(first, second))
        if not 0 <= first <= second:
            raise Refused("log.invalid", _("The first size must not be larger than the second."))
        try:
            roots = self._root(first), self._root(second)
            proof = merkle.consistency(first, second, self._reader.hashes) if first else []
            if first:
                tree.check_consistency(first, second, *roots, proof)
        except (Damaged, tree.InvalidProof):
            raise damaged() from None
        return Consistency(first, second, *roots, proof)

    def tlog_proof(self, index: int) -> bytes:
        """That entry `index` stands in the log, as c2sp.org/tlog-proof@v1. Raises as `inclusion`."""
        return notes.tlog_proof(index, self.inclusion(index).proof, self.checkpoint.raw)

    def handovers(self) -> list[bytes]:
        """For each announced key, proof that its announcement (in `extra`) stands below the checkpoint both signed.

        Raises Refused: log.damaged.
        """
        kept = [note for note in map(parse_checkpoint, key_changes()) if note.size <= self.size]
        notes_ = {note.size: note for note in kept}
        found = []
        for entry in Entry.objects.filter(act=Event.LOG_KEY_ADDED, seq__lt=self.size).order_by("seq"):
            note = notes_.get(min((size for size in notes_ if size > entry.seq), default=0))
            if note is not None and publication.signed_by(note.raw, vkey_of(bytes(entry.body))):
                proof = self.inclusion(entry.seq, note.size).proof
                found.append(notes.tlog_proof(entry.seq, proof, note.raw, extra=bytes(entry.body)))
        return found

    def _check_covers(self, size: int) -> None:
        if size > self.size:
            words = _(
                "The published checkpoint covers %(size)s entries, not yet this one. Try again in a few seconds."
            )
            raise Refused("log.not_covered", words % {"size": self.size}, size=self.size)

    def _root(self, size: int) -> bytes:
        """Of the first `size` entries, shown to be the beginning of what is published. Raises Damaged, InvalidProof."""
        if size in (0, self.size):
            return self.checkpoint.root if size else EMPTY_ROOT
        root = merkle.root(size, self._reader.hashes)
        proof = merkle.consistency(size, self.size, self._reader.hashes)
        tree.check_consistency(size, self.size, root, self.checkpoint.root, proof)
        return root


def key_changes() -> list[bytes]:
    """The checkpoints under `keys/`, smallest first."""
    folder = settings.TLOG_DIR / publication.KEYS
    paths = [path for path in folder.glob("*") if path.name.isdigit()]
    return [path.read_bytes() for path in sorted(paths, key=lambda path: int(path.name))]


def damaged() -> Refused:
    """What is published is not what it should be."""
    words = _("The published log is damaged at this place. Restarting the checkpointer mends it.")
    return Refused("log.damaged", words)
