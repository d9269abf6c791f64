"""That one entry stands in the published log: the hashes from its leaf up to the signed root, for a page to show."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from audit.models import Entry
from audit.refusals import Refused
from audit.transparency import proofs
from audit.verifier.note import Checkpoint


@dataclass(frozen=True, slots=True)
class Proof:
    """`siblings` from the leaf up, base64. `refused` says why there is none (yet)."""

    siblings: list[str]
    checkpoint: Checkpoint | None = None
    refused: str = ""

    @property
    def root(self) -> str:
        return b64encode(self.checkpoint.root).decode() if self.checkpoint else ""

    @property
    def note(self) -> str:
        return self.checkpoint.raw.decode() if self.checkpoint else ""


def proof_of(entry: Entry) -> Proof:
    """In the newest published checkpoint. What is published must hold the entry as it is stored here."""
    try:
        view = proofs.View()
        found = view.inclusion(entry.seq)
    except Refused as refused:
        return Proof([], refused=refused.reason)
    if found.leaf != bytes(entry.leaf):
        return Proof([], view.checkpoint, refused=proofs.damaged().reason)
    return Proof([b64encode(one).decode() for one in found.proof], view.checkpoint)
