"""`manage.py checkpoint --adopt`: what was signed last is forgotten; take what was published for it.

For an operator who knows that nothing newer was signed. Witnesses know too: what they saw they do not forget.
"""

from __future__ import annotations

from django.conf import settings

from audit.models import Checkpoint
from audit.transparency import memory, publication, rereading
from audit.transparency.growth import Growth
from audit.transparency.keys import KeyFolder
from audit.transparency.memory import Memory, Signed
from audit.transparency.troubles import WillNotSign
from audit.verifier.note import ED25519, BadSignature, Key, Malformed, parse_checkpoint, parse_key
from audit.verifier.note import Checkpoint as Note


class NothingToAdoptError(RuntimeError):
    """What was signed last is remembered."""


def adopt() -> Memory:
    """Read the whole log again, and remember the newest published checkpoint if it is one of this log, signed by it.

    Raises WillNotSign, NothingToAdoptError, KeyRefused.
    """
    folder = KeyFolder(settings.CHECKPOINTER_DIR)
    note = _newest()
    held = memory.load(folder.folder)
    if held is not None and (note is None or held.size >= note.size):
        raise NothingToAdoptError(f"{held.size} entries are remembered as signed, and no more were published")
    rereading.check_origin(settings.AUDIT_ORIGIN)
    adopted = Memory(settings.AUDIT_ORIGIN)
    if note is not None:
        claims = rereading.published_claims(settings.TLOG_DIR, with_sm3=False)
        reading = rereading.read_through(note.size, claims, settings.TLOG_DIR, with_sm3=False)
        reading.check(claims)
        growth = reading.growth
        _check_signed(note, growth)
        adopted = Memory(
            settings.AUDIT_ORIGIN, Signed(note.size, growth.tree.frontier(), note.raw), growth.leaf
        )
    memory.save(folder.folder, adopted)
    return adopted


def _newest() -> Note | None:
    """By file or by row, whichever covers more."""
    file, row = publication.published(settings.TLOG_DIR), Checkpoint.objects.first()
    if row is not None and (file is None or row.size > file.size):
        return parse_checkpoint(bytes(row.note))
    return file


def _check_signed(note: Note, growth: Growth) -> None:
    """By an Ed25519 key that the log announced. Raises WillNotSign."""
    announced = [vkey for vkey, dates in growth.keys.items() if dates.added is not None]
    try:
        known = [key for key in map(_key, announced) if key is not None and key.name == settings.AUDIT_ORIGIN]
        signed = any(key.kind == ED25519 for key in note.note.signers(known))
    except BadSignature:
        signed = False
    if note.origin != settings.AUDIT_ORIGIN or not signed:
        raise WillNotSign("published_differs", size=note.size, where="no key of the log has signed it")


def _key(vkey: str) -> Key | None:
    try:
        return parse_key(vkey)
    except Malformed:
        return None
