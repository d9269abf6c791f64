"""A whole log as it was read, from whatever it was read, and the reading of the one-file export."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from audit.verifier import lines
from audit.verifier.known import Known, Noted
from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint
from audit.verifier.reading import Reading
from audit.verifier.records import Records
from audit.verifier.result import Finding
from audit.verifier.wording import finding


@dataclass(frozen=True, slots=True)
class Asked:
    """How a log is to be read, and against what it will be held."""

    known: Known
    fast: bool
    records: Records

    def reading(self, stated: Stated) -> Reading:
        """For a log that states this: with every root that will be asked for."""
        sizes = [noted.checkpoint.size for noted in stated.all] + [seen.size for seen in self.known.seen]
        return Reading(sizes=sizes, heads=self.known.heads, fast=self.fast, records=self.records)


@dataclass(slots=True)
class Stated:
    """What a log says of its tree: nothing of it is checked yet."""

    checkpoint: Checkpoint | None = None
    sm3: Checkpoint | None = None  # over the parallel tree
    handovers: list[Noted] = field(default_factory=list)  # checkpoints under keys/, smallest first
    stamps: list[Noted] = field(default_factory=list)  # checkpoints under stamps/

    @property
    def all(self) -> list[Noted]:
        """Every checkpoint over the SHA-256 tree, the log's own first."""
        own = [] if self.checkpoint is None else [Noted("checkpoint", self.checkpoint)]
        return own + self.handovers + self.stamps


@dataclass(slots=True)
class Whole:
    """A log as it was read. `findings` are what its files show besides the entries themselves."""

    reading: Reading
    stated: Stated
    findings: list[Finding] = field(default_factory=list)
    hashes_only: bool = False  # the entries are not there: `roots` of the reading come from the tiles


def read_lines(file: BinaryIO, asked: Asked) -> Whole:
    """The one-file export. Whatever stands in the file, this returns."""
    end = lines.end_of_entries(file, lines.ENTRY)
    stated, findings, ending = Stated(), list[Finding](), lines.Ending()
    try:
        ending = lines.ending(file, end, with_head=True)
        stated.checkpoint = ending.checkpoint
        notes = [parse_checkpoint(raw) for raw in ending.key_changes]
        stated.handovers = [Noted(f"keys/{note.size}", note) for note in sorted(notes, key=lambda n: n.size)]
    except (lines.BadEnding, Malformed) as error:
        findings.append(finding("ending", detail=error))
    reading = asked.reading(stated)
    for block in lines.blocks(file, 0, end):
        reading.block(block)
        if reading.finding is not None:
            break
    reading.finish(ending.head[1] if ending.head else "")
    if reading.finding is None and not findings:
        findings += _ending_fits(ending, reading)
    return Whole(reading, stated, findings)


def _ending_fits(ending: lines.Ending, reading: Reading) -> list[Finding]:
    seq = reading.entries
    if ending.stray:
        return [finding("not_entry", seq)]
    if ending.head is None:
        return [finding("no_head", seq)]
    stated, leaf = ending.head
    if stated > seq:
        return [finding("cut", seq, stated=stated)]
    if stated < seq:
        return [finding("added", stated, stated=stated)]
    if seq and leaf != reading.head:
        return [finding("head", seq - 1)]
    return []
