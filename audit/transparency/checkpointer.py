"""The checkpointer: reads what was sealed, checks it, signs the tree over it, has it witnessed, publishes it.

It signs nothing that contradicts what it signed before. What that was it keeps in a folder of its own (memory.py), on
the disk before anybody sees the signature; the database, the tiles and the published files are checked against it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings

from audit.models import Checkpoint
from audit.transparency import (
    keys,
    memory,
    merkle,
    notes,
    publication,
    rereading,
    sealed,
    tiles,
    troubles,
)
from audit.transparency.growth import KeyDates
from audit.transparency.keys import KeyFolder, KeyRefused, LogKey
from audit.transparency.memory import Memory, Signed
from audit.transparency.signers import Signer, SignerFailed
from audit.transparency.stamps import Stamping
from audit.transparency.troubles import Finding, WillNotSign
from audit.transparency.witnesses import NO_PROOF, Witnesses
from audit.verifier.note import ED25519, BadSignature
from audit.verifier.note import Checkpoint as Note
from audit.verifier.policy import NONE, BadPolicy, Policy, parse_policy

EVIDENCE = "evidence"  # in the private folder: what witnesses sent who saw another history


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a new checkpoint is due, and how long to wait before trying again what failed."""

    seconds: float = 10.0
    entries: int = 1000
    poll: float = 0.5
    retry: float = 5.0
    refusal: float = 30.0


class StartOver(RuntimeError):
    """What is held in memory does not fit any more; reading everything again will tell."""


class Checkpointer:
    """One run, from reading everything again to the first thing that does not fit."""

    def __init__(self, cadence: Cadence | None = None) -> None:
        """Raises WillNotSign."""
        self.cadence = cadence or Cadence()
        self.folder: Path = settings.TLOG_DIR
        self.keys = _key_folder()
        self.memory = remembered(self.keys, self.folder)
        self.growth = rereading.reread(self.memory, self.folder, with_sm3=settings.AUDIT_SM3_TREE)
        self.policy = read_policy(settings.AUDIT_POLICY)
        self.witnesses = Witnesses(self.policy, self.memory.witnesses)
        self.published = self._bring_back()
        if self.memory.size == 0:
            keys.first_keys(self.keys)
        self.keys.reseal()
        self._signed_at = self._tried_at = float("-inf")
        self._failing = False
        self._stamping = Stamping()

    def round(self) -> None:
        """Sign if it is due, publish if something waits for it. Raises WillNotSign, StartOver."""
        sealed_now = sealed.count()
        if sealed_now < self.memory.size:
            raise WillNotSign("rolled_back", entries=sealed_now, signed=self.memory.size)
        keys.settle(self.keys, self.growth.keys)
        if self._due(sealed_now):
            self._grow(sealed_now)
            self._sign()
        if self.memory.size > self.published and time.monotonic() - self._tried_at >= self.cadence.retry:
            self._publish()
        self._stamping.round(self.folder)

    # --- Signing ------------------------------------------------------------------------------------------
    def _due(self, sealed_now: int) -> bool:
        new = sealed_now - self.memory.size
        return new >= self.cadence.entries or (
            new > 0 and time.monotonic() - self._signed_at >= self.cadence.seconds
        )

    def _grow(self, end: int) -> None:
        """Take in what was sealed since, and write its tiles."""
        if end < self.growth.size:
            raise StartOver("entries that were read and not signed are gone")
        if self.growth.size:
            sealed.check_last(self.growth.size, self.growth.leaf)
        for entry, leaf in sealed.entries(self.growth.size, self.growth.leaf, end):
            for file in self.growth.absorb(entry, leaf):
                file.write(self.folder)
        for file in self.growth.edge():
            if not file.stands_in(self.folder):
                file.write(self.folder)

    def _sign(self) -> None:
        signing = self.signing(self.growth.size)
        if not any(one.key.kind == ED25519 for one in signing):
            if any(one.key.kind == ED25519 and not one.retiring for one in self.keys.all()):
                return  # its announcement is not sealed yet
            raise WillNotSign("no_key")
        self._check_tiles()
        try:
            signers = [one.signer() for one in signing]
            note = self._note(self.memory.origin, self.growth.tree, signers)
            sm3 = self.growth.sm3
            note_sm3 = self._note(self.memory.origin + notes.SM3_SUFFIX, sm3, signers) if sm3 else None
        except (SignerFailed, notes.SigningFailed) as error:
            self._no_signature(str(error))
            return
        self._remember(
            replace(self.memory, tree=note, sm3=note_sm3 or self.memory.sm3, leaf=self.growth.leaf)
        )
        self._signed_at, self._tried_at = time.monotonic(), float("-inf")
        if self._failing:
            self._failing = False
            troubles.set_all(troubles.SIGNING, [])

    def _no_signature(self, reason: str) -> None:
        """Try again when the next checkpoint is due: a hardware module may be away for a while."""
        self._signed_at, self._failing = time.monotonic(), True
        troubles.set_all(troubles.SIGNING, [Finding("signing.signer", facts={"reason": reason})])

    def signing(self, size: int) -> list[LogKey]:
        """The keys that sign a checkpoint over `size` entries."""
        dates = self.growth.keys
        return [one for one in self.keys.all() if one.signs(size, dates.get(one.vkey, KeyDates()))]

    def _note(self, name: str, tree: merkle.Tree, signers: list[Signer]) -> Signed:
        text = notes.checkpoint_text(name, tree.size, tree.root())
        return Signed(tree.size, tree.frontier(), notes.signed(text, name, signers))

    def _check_tiles(self) -> None:
        """What readers find leads to the root about to be signed, and to the one signed before. Raises StartOver."""
        reader = tiles.Reader(self.folder, self.growth.size)
        try:
            found = (
                merkle.root(self.growth.size, reader.hashes),
                merkle.root(self.memory.size, reader.hashes),
            )
        except tiles.Damaged as error:
            raise StartOver(str(error)) from None
        if found != (self.growth.tree.root(), self.memory.root):
            raise StartOver("the published tiles lead to another root")

    def _remember(self, held: Memory) -> None:
        memory.save(self.keys.folder, held)
        self.memory = held

    # --- Publishing ---------------------------------------------------------------------------------------
    def _publish(self) -> None:
        """Have what was signed last witnessed, and publish it if the quorum is met."""
        self._tried_at = time.monotonic()
        signed = self.memory.tree
        reader = tiles.Reader(self.folder, signed.size)
        collected = self.witnesses.collect(signed.note, reader, self.keys.folder / EVIDENCE)
        for failure in collected.failures:
            if failure.code == NO_PROOF:
                raise StartOver(failure.facts["reason"])
        if self.witnesses.sizes != self.memory.witnesses:
            self._remember(replace(self.memory, witnesses=dict(self.witnesses.sizes)))
        troubles.set_all(
            troubles.WITNESS, [Finding(one.code, one.witness, one.facts) for one in collected.failures]
        )
        waiting = [] if collected.quorum else [Finding("quorum.missing", facts={"size": signed.size})]
        troubles.set_all(troubles.QUORUM, waiting)
        if not collected.quorum:
            return
        note_sm3 = self.memory.sm3.note if self.growth.sm3 and self.memory.sm3 else None
        publication.publish(self.folder, signed.note + collected.lines, note_sm3, collected.cosigners)
        self.published = signed.size
        self._tidy(signed.size)

    def _bring_back(self) -> int:
        """What a process killed while publishing left undone. Returns how many entries the published log covers."""
        note, row = publication.published(self.folder), Checkpoint.objects.first()
        if note is not None and (row is None or row.size < note.size):
            row = self._row_of(note)
            publication.put_again(self.folder, row)  # the parallel one may be missing
        elif row is not None and (note is None or note.raw != bytes(row.note)):
            publication.put_again(self.folder, row)
        if row is None:
            return 0
        publication.restore(self.folder, self.growth.keys)
        self._tidy(row.size)
        return row.size

    def _row_of(self, note: Note) -> Checkpoint:
        """The published file is what was signed last, and lacks its row. Raises WillNotSign."""
        try:
            cosigners = publication.cosigners_of(note, [one.key for one in self.policy.witnesses])
        except BadSignature:
            cosigners = None
        if cosigners is None or not note.raw.startswith(self.memory.tree.note):
            raise WillNotSign("published_differs", size=note.size, where=publication.CHECKPOINT)
        sm3 = self.memory.sm3 if self.growth.sm3 else None
        return publication.add_row(note.raw, sm3.note if sm3 else None, cosigners)

    def _tidy(self, published: int) -> None:
        """What follows from a published checkpoint: checkpoints of new keys, the policy file, keys that may go."""
        dates = self.growth.keys
        publication.keep_key_changes(self.folder, dates)
        keys.destroy_retired(self.keys, dates, published)
        publication.keep_policy(self.folder, [one.key for one in self.signing(published)], self.policy)
        ours = {one.vkey: one for one in self.keys.all()}
        troubles.set_all(troubles.KEY, _strange_entries(dates, ours))


def _strange_entries(dates: dict[str, KeyDates], ours: dict[str, LogKey]) -> Iterator[Finding]:
    """Entries about keys that nobody asked for here."""
    for vkey, date in dates.items():
        if date.retired is not None and vkey in ours and not ours[vkey].retiring:
            yield Finding("key.unknown_retirement", vkey, {"seq": date.retired})
        elif date.added is not None and date.retired is None and vkey not in ours:
            yield Finding("key.unknown_addition", vkey, {"seq": date.added})


# --- What it begins with ----------------------------------------------------------------------------------
def remembered(folder: KeyFolder, published: Path) -> Memory:
    """What was signed last; of a new log, nothing, and that is written down. Raises WillNotSign."""
    try:
        held = memory.load(folder.folder)
    except memory.Unreadable as error:
        raise WillNotSign("memory_unreadable", reason=str(error)) from None
    if held is None:
        claims = rereading.published_claims(published, with_sm3=False)
        if claims or folder.all():  # keys are made after the memory
            raise WillNotSign("no_memory", size=claims[-1].size if claims else 0)
        held = Memory(settings.AUDIT_ORIGIN)
        memory.save(folder.folder, held)
    if held.origin != settings.AUDIT_ORIGIN:
        raise WillNotSign("other_origin", origin=held.origin, setting=settings.AUDIT_ORIGIN)
    return held


def read_policy(path: Path) -> Policy:
    """Witnesses and quorum; none of either where there is no file. Raises WillNotSign."""
    try:
        return parse_policy(path.read_bytes())
    except FileNotFoundError:
        return Policy((), (), (), NONE)
    except (BadPolicy, OSError) as error:
        raise WillNotSign("policy", reason=str(error)) from None


def _key_folder() -> KeyFolder:
    try:
        return KeyFolder(settings.CHECKPOINTER_DIR)
    except (KeyRefused, OSError) as error:
        raise WillNotSign("folder", reason=str(error)) from None
