"""Before anything is signed every entry is read again, and must lead to what was signed and published before.

Tiles that are missing or wrong are written again, from entries that have just led to the remembered root.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from audit.models import Checkpoint, Entry
from audit.transparency import publication, sealed
from audit.transparency.growth import GENESIS, Growth
from audit.transparency.memory import Memory
from audit.transparency.publication import CHECKPOINT, CHECKPOINT_SM3
from audit.transparency.troubles import WillNotSign
from audit.verifier.note import Malformed

log = logging.getLogger("audit.checkpointer")


@dataclass(frozen=True, slots=True)
class Claim:
    """Somewhere it says that `size` entries have this root."""

    size: int
    root: bytes
    where: str
    sm3: bool = False


@dataclass(slots=True)
class Reading:
    """The log read up to some size: what it grew to, its roots at the sizes asked for, files that are not right."""

    growth: Growth
    roots: dict[tuple[int, bool], bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def note_root(self, sizes: set[int]) -> None:
        if self.growth.size in sizes:
            self.roots[self.growth.size, False] = self.growth.tree.root()
            if self.growth.sm3 is not None:
                self.roots[self.growth.size, True] = self.growth.sm3.root()

    def check(self, claims: Iterable[Claim]) -> None:
        """Raises WillNotSign for the first that does not hold."""
        for claim in claims:
            if self.roots[claim.size, claim.sm3] != claim.root:
                raise WillNotSign("published_differs", size=claim.size, where=claim.where)


def reread(memory: Memory, folder: Path, *, with_sm3: bool) -> Growth:
    """The log as far as it was signed, all of it read again. `folder`: where it is published. Raises WillNotSign."""
    check_origin(memory.origin)
    claims = published_claims(folder, with_sm3=with_sm3)
    newest = max((claim.size for claim in claims), default=0)
    if newest > memory.size:
        raise WillNotSign("memory_behind", size=newest, signed=memory.size)
    if with_sm3 and memory.sm3 is not None:
        claims.append(Claim(memory.sm3.size, memory.sm3_root, "memory.json", sm3=True))
    reading = read_through(memory.size, claims, folder, with_sm3=with_sm3)
    growth = reading.growth
    if growth.tree.frontier() != memory.tree.frontier or growth.leaf != memory.leaf:
        raise WillNotSign("other_root", size=memory.size)
    reading.check(claims)
    if reading.wrong:
        first, count = reading.wrong[0], len(reading.wrong)
        log.warning("%s and %d other tiles were missing or damaged and are written again", first, count - 1)
        _write_again(memory.size, folder, with_sm3=with_sm3)
    return growth


def read_through(end: int, claims: Iterable[Claim], folder: Path, *, with_sm3: bool) -> Reading:
    """Read the first `end` entries, each checked, and compare what they lead to with the files in `folder`."""
    if sealed.count() < end:
        raise WillNotSign("rolled_back", entries=sealed.count(), signed=end)
    sizes = {claim.size for claim in claims}
    reading = Reading(Growth(with_sm3=with_sm3))
    reading.note_root(sizes)
    for entry, leaf in sealed.entries(0, GENESIS, end):
        for file in reading.growth.absorb(entry, leaf):
            if not file.stands_in(folder):
                reading.wrong.append(file.name)
        reading.note_root(sizes)
    reading.wrong += [file.name for file in reading.growth.edge() if not file.stands_in(folder)]
    return reading


def check_origin(origin: str) -> None:
    """The first entry, if there is one, names this log. Raises WillNotSign."""
    first = Entry.objects.filter(seq=0).first()
    if first is not None and first.fields["x"]["origin"] != origin:
        raise WillNotSign("other_origin", origin=first.fields["x"]["origin"], setting=origin)


def published_claims(folder: Path, *, with_sm3: bool) -> list[Claim]:
    """What was published says so by file and by row, newest last. Raises WillNotSign."""
    claims = []
    for name in (CHECKPOINT, CHECKPOINT_SM3) if with_sm3 else (CHECKPOINT,):
        try:
            note = publication.published(folder, name)
        except Malformed as error:
            raise WillNotSign("published_differs", size=0, where=f"{name}: {error}") from None
        if note is not None:
            claims.append(Claim(note.size, note.root, name, sm3=name == CHECKPOINT_SM3))
    row = Checkpoint.objects.first()
    if row is not None:
        claims.append(Claim(row.size, bytes(row.root), "audit_checkpoint"))
    return sorted(claims, key=lambda claim: claim.size)


def _write_again(end: int, folder: Path, *, with_sm3: bool) -> None:
    growth = Growth(with_sm3=with_sm3)
    for entry, leaf in sealed.entries(0, GENESIS, end):
        for file in growth.absorb(entry, leaf):
            if not file.stands_in(folder):
                file.write(folder)
    for file in growth.edge():
        if not file.stands_in(folder):
            file.write(folder)
