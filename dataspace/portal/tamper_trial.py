"""A falsified copy of the log, held against three lines of defence: its own hashes, the signature, what others noted.

The web server cannot sign as the log does. So for the trial the true copy and, where the forger is the operator, the
false one are signed with a key made for the purpose.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit import chain
from audit.transparency import notes
from audit.transparency.merkle import Tree
from audit.transparency.signers import Ed25519Signer
from audit.verifier.check import check
from audit.verifier.known import Known, Noted
from audit.verifier.note import parse_checkpoint
from audit.verifier.result import Finding
from dataspace.portal.tampering import CONSISTENT, Forged, Forgery

Copy = Callable[[], Iterable[bytes]]  # the log's entries from the first on, anew at each call


@dataclass(frozen=True, slots=True)
class Defence:
    """What one line of defence finds: None where the false copy gets past it."""

    label: StrOrPromise
    finding: Finding | None


@dataclass(slots=True)
class _Written:
    """A copy as a one-file export without its ending, and the tree over it."""

    tree: Tree
    origin: str = ""  # as entry 0 names it
    head: str = ""


def trial(copy: Copy, forged: Forged) -> list[Defence]:
    """Falsify a copy as `forged` says and have it verified three times. Memory stays bounded.

    Requires: entry `forged.seq` exists.
    """
    signer = Ed25519Signer(Ed25519Signer.new_private())
    with tempfile.TemporaryDirectory(prefix="dataspace-trial-") as name:
        file = Path(name) / "audit-log.jsonl"
        true = _written(copy(), None)
        signed = _signed(true.origin, true, signer)
        with file.open("wb") as out:
            false = _written(forged.entries(copy()), out)
            stated = false if forged.forgery in CONSISTENT else true
            out.write(_head_line(stated))
        alone = check(file).finding
        with file.open("ab") as out:
            note = _signed(true.origin, false, signer) if forged.forgery is Forgery.RESIGN else signed
            out.write(_checkpoint_line(note))
        known = Known(keys=(notes.key_of(true.origin, signer),))
        by_key = check(file, known).finding
        noted = (Noted(str(_("the checkpoint noted before")), parse_checkpoint(signed)),)
        by_others = check(file, replace(known, checkpoints=noted)).finding
    return [
        Defence(_("The entries alone: each holds the hash of the one before"), alone),
        Defence(_("The checkpoint, signed with the log's key"), by_key),
        Defence(_("A checkpoint that somebody else noted, or a witness cosigned, before"), by_others),
    ]


def _written(entries: Iterable[bytes], out: BinaryIO | None) -> _Written:
    """Write the entries, one a line, and let the tree grow over them."""
    written = _Written(Tree())
    for entry in entries:
        if written.tree.size == 0:
            written.origin = str(json.loads(entry).get("x", {}).get("origin", ""))
        leaf = chain.leaf(entry)
        written.tree.append(leaf)
        written.head = leaf.hex()
        if out is not None:
            out.write(entry + b"\n")
    return written


def _signed(origin: str, written: _Written, signer: Ed25519Signer) -> bytes:
    text = notes.checkpoint_text(origin, written.tree.size, written.tree.root())
    return notes.signed(text, origin, [signer])


def _head_line(written: _Written) -> bytes:
    return _line({"head": {"entries": written.tree.size, "leaf": written.head}})


def _checkpoint_line(note: bytes) -> bytes:
    return _line({"checkpoint": note.decode()})


def _line(said: dict[str, object]) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
