"""The keys that sign the log: one file each in the checkpointer's own folder, their coming and going on record.

The folder says what is wanted, the log says when. A key signs the checkpoints that hold its announcement
(`log.key_added`), and none that holds its end (`log.key_retired`); its private half is destroyed once such a checkpoint
is published. What is wanted is on the disk before it is recorded, and recorded again by the checkpointer if it was not:
so the two cannot fall apart. An entry that nobody asked for here neither adds a signature nor takes one away. Nor does
anybody outside believe it: an entry about a key is signed by the keys in use.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import connection, transaction

from audit import reading
from audit.actors import CHECKPOINTER
from audit.events import Event
from audit.models import Entry
from audit.recorder import Who, record
from audit.transparency import files, notes
from audit.transparency.growth import KeyDates, vkey_of
from audit.transparency.signers import (
    KINDS,
    Ed25519Signer,
    Signer,
    SignerFailed,
    Sm2Signer,
    command_signer,
)
from audit.verifier.note import Key, parse_key
from audit.verifier.rules import KeyEvent, key_statement

ED25519, SM2 = "ed25519", "sm2"
_MAKERS: dict[str, type[Ed25519Signer | Sm2Signer]] = {ED25519: Ed25519Signer, SM2: Sm2Signer}
_LOCK = 0x64735F6B657973  # "ds_keys"
_ABOUT = """
    SELECT body FROM audit_outbox WHERE position(%(act)s::bytea IN body) > 0 AND position(%(vkey)s::bytea IN body) > 0
    UNION ALL
    SELECT body FROM audit_entry WHERE act = %(event)s AND position(%(vkey)s::bytea IN body) > 0
"""


class KeyRefused(RuntimeError):
    """What cannot be done with the keys; the text says why and what can."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key with its private half sealed (Fernet), or with the command that reaches it. `since`: POSIX seconds."""

    vkey: str
    kind: str  # "ed25519" or "sm2"
    since: int
    sealed: str = ""
    command: tuple[str, ...] = ()
    retiring: bool = False

    @property
    def id(self) -> str:
        """8 hexadecimal digits."""
        return self.key.id.hex()

    @property
    def key(self) -> Key:
        return parse_key(self.vkey)

    def signer(self) -> Signer:
        """Raises KeyRefused if the private half cannot be unsealed."""
        if self.command:
            return command_signer(self.kind, self.key.public, self.command)
        return _MAKERS[self.kind](self.unsealed())

    def unsealed(self) -> bytes:
        """The private half. Raises KeyRefused."""
        try:
            return _keyring().decrypt(self.sealed.encode())
        except InvalidToken:
            raise KeyRefused(f"key {self.id} was sealed under a key-encryption key that is not set") from None

    def signs(self, size: int, dates: KeyDates) -> bool:
        """Whether it signs a checkpoint over `size` entries."""
        if dates.added is None or dates.added >= size:
            return False
        return not (self.retiring and dates.retired is not None and dates.retired < size)


class KeyFolder:
    """`<folder>/keys/<id>.json`, mode 0600, in a folder nobody else can read."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder where it is missing. Raises KeyRefused if others can read it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = folder.stat()
        if state.st_mode & 0o077 or state.st_uid != os.geteuid():
            raise KeyRefused(f"others can read {folder}, or own it. Mend it with: chmod 700 {folder}")
        self.folder = folder
        self._keys = folder / "keys"
        self._keys.mkdir(exist_ok=True, mode=0o700)

    def all(self) -> list[LogKey]:
        """Oldest first."""
        held = ((path, files.read(path)) for path in self._keys.glob("[!.]*.json"))
        found = [_read(path, raw) for path, raw in held if raw is not None]  # None: destroyed this moment
        return sorted(found, key=lambda one: (one.since, one.kind, one.id))

    def get(self, key_id: str) -> LogKey:
        """Raises KeyRefused."""
        for one in self.all():
            if one.id == key_id.lower():
                return one
        raise KeyRefused(f"there is no key {key_id}; `manage.py log_key list` shows those there are")

    def write(self, one: LogKey) -> None:
        held = {"kind": one.kind, "vkey": one.vkey, "since": one.since}
        if one.command:
            held["command"] = list(one.command)
        else:
            held["sealed"] = one.sealed
        if one.retiring:
            held["retiring"] = True
        files.put(self._path(one), json.dumps(held, indent=1).encode(), files.PRIVATE)

    def destroy(self, one: LogKey) -> None:
        files.destroy(self._path(one))

    def reseal(self) -> None:
        """Every private half sealed under the newest key-encryption key, so that older ones may go."""
        newest = Fernet(settings.KEY_ENCRYPTION_KEYS[0])
        for one in self.all():
            if one.sealed:
                private = one.unsealed()
                try:
                    newest.decrypt(one.sealed.encode())
                except InvalidToken:
                    self.write(replace(one, sealed=newest.encrypt(private).decode()))

    def locked(self) -> AbstractContextManager[bool]:
        """One change at a time, whoever makes it."""
        return files.only_one(self._keys, wait=True)

    def _path(self, one: LogKey) -> Path:
        return self._keys / f"{one.id}.json"


# --- Coming and going -------------------------------------------------------------------------------------
def add_key(folder: KeyFolder, kind: str, *, actor: Who) -> LogKey:
    """A new key, announced. It signs from the first checkpoint on that holds the announcement."""
    maker = _MAKERS[kind]
    private = maker.new_private()
    vkey = notes.key_of(settings.AUDIT_ORIGIN, maker(private)).vkey
    return _added(
        folder, LogKey(vkey, kind, int(time.time()), sealed=_keyring().encrypt(private).decode()), actor
    )


def add_command(folder: KeyFolder, kind: str, public: bytes, command: Sequence[str], *, actor: Who) -> LogKey:
    """A key that an outside program signs with. It must sign a trial text first. Raises KeyRefused."""
    signer = command_signer(kind, public, command)
    try:
        notes.signed(b"trial of a key of the log\n", settings.AUDIT_ORIGIN, [signer])
    except (SignerFailed, notes.SigningFailed) as error:
        raise KeyRefused(f"the command does not sign as it should: {error}") from None
    vkey = notes.key_of(settings.AUDIT_ORIGIN, signer).vkey
    return _added(folder, LogKey(vkey, kind, int(time.time()), command=tuple(command)), actor)


def retire_key(folder: KeyFolder, key_id: str, published: int, *, actor: Who) -> LogKey:
    """End a key. `published`: entries the newest published checkpoint covers. Raises KeyRefused.

    Refused for the last Ed25519 key, and while a key waits for its first checkpoint: the old keys must sign that one,
    or nobody who trusts them could find the new.
    """
    with folder.locked():
        one, dates = folder.get(key_id), recorded_dates()
        staying = [other for other in folder.all() if other.id != one.id and not other.retiring]
        for other in [one, *staying]:
            added = dates.get(other.vkey, KeyDates()).added
            if added is None or added >= published:
                raise KeyRefused(
                    f"key {other.id} waits for the first checkpoint that holds its announcement; "
                    "retire a key when it is published"
                )
        if one.kind == ED25519 and not any(other.kind == ED25519 for other in staying):
            raise KeyRefused(
                "this is the last Ed25519 key, and the log needs one. First: manage.py log_key add ed25519"
            )
        retiring = replace(one, retiring=True)
        folder.write(retiring)
    _record_once(folder, Event.LOG_KEY_RETIRED, retiring, actor)
    return retiring


def first_keys(folder: KeyFolder) -> None:
    """What a new log signs with: Ed25519, and SM2 where the settings say so."""
    held = {one.kind for one in folder.all()}
    for kind in (ED25519, SM2) if settings.AUDIT_SM2 else (ED25519,):
        if kind not in held:
            add_key(folder, kind, actor=CHECKPOINTER)


def settle(folder: KeyFolder, dates: Mapping[str, KeyDates]) -> None:
    """Record what is wanted and not on record yet: a command that was killed may have come no further."""
    for one in folder.all():
        if dates.get(one.vkey, KeyDates()).added is None:
            _record_once(folder, Event.LOG_KEY_ADDED, one, CHECKPOINTER)
        if one.retiring:  # whatever is on record: somebody else may have written it
            _record_once(folder, Event.LOG_KEY_RETIRED, one, CHECKPOINTER)


def destroy_retired(folder: KeyFolder, dates: Mapping[str, KeyDates], published: int) -> None:
    """Destroy the private halves whose end stands in a published checkpoint."""
    for one in folder.all():
        retired = dates.get(one.vkey, KeyDates()).retired
        if one.retiring and retired is not None and retired < published:
            folder.destroy(one)


def recorded_dates() -> dict[str, KeyDates]:
    """From the sealed entries as the database has them."""
    found: dict[str, KeyDates] = {}
    acts = [Event.LOG_KEY_ADDED, Event.LOG_KEY_RETIRED]
    rows = Entry.objects.filter(act__in=acts).order_by("seq").values_list("seq", "body")
    for seq, body in rows:
        if vkey := vkey_of(bytes(body)):
            found[vkey] = found.get(vkey, KeyDates()).after(bytes(body), seq)
    return found


def _added(folder: KeyFolder, one: LogKey, actor: Who) -> LogKey:
    with folder.locked():
        folder.write(one)
    _record_once(folder, Event.LOG_KEY_ADDED, one, actor)
    return one


def _record_once(folder: KeyFolder, event: Event, one: LogKey, actor: Who) -> None:
    """Signed by the keys there are. What others wrote, without a signature of ours, does not count as recorded.

    Raises KeyRefused.
    """
    ours = folder.all()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        act, vkey = f'"act":"{event}"'.encode(), f'"{one.vkey}"'.encode()
        cursor.execute(_ABOUT, {"act": act, "event": str(event), "vkey": vkey})
        said = [reading.said(body).get("x") for (body,) in cursor.fetchall()]
        if not any(_is_signed(event, one, x.get("signed", ""), ours) for x in said if isinstance(x, dict)):
            signed = _signed(event, one, ours)
            record(event, actor=actor, about=f"log_key:{one.id}", vkey=one.vkey, signed=signed)


def _is_signed(event: Event, one: LogKey, signed: object, by: Sequence[LogKey]) -> bool:
    said = KeyEvent(0, added=event == Event.LOG_KEY_ADDED, vkey=one.vkey, signed=str(signed))
    return bool(said.signers(settings.AUDIT_ORIGIN, [other.key for other in by]))


def _signed(event: Event, one: LogKey, by: Sequence[LogKey]) -> str:
    """Signature lines by all that can sign at this moment, by one that is in use at least. Raises KeyRefused."""
    text, lines, failed = key_statement(settings.AUDIT_ORIGIN, str(event), one.vkey), b"", ""
    others = [other for other in by if other.id != one.id]
    for other in by:
        try:
            note = notes.signed(text, settings.AUDIT_ORIGIN, [other.signer()])
        except (SignerFailed, notes.SigningFailed) as error:
            failed = str(error)
            others = [key for key in others if key.id != other.id]
        else:
            lines += note.removeprefix(text + b"\n")
    if failed and not others:
        raise KeyRefused(f"no key in use signs that this one comes or goes: {failed}")
    return lines.decode()


def _read(path: Path, raw: bytes) -> LogKey:
    try:
        held = json.loads(raw)
        one = LogKey(
            vkey=held["vkey"], kind=held["kind"], since=held["since"], sealed=held.get("sealed", ""),
            command=tuple(held.get("command", ())), retiring=held.get("retiring", False),
        )  # fmt: skip
        if KINDS[one.kind] != one.key.kind or bool(one.sealed) == bool(one.command):
            raise KeyRefused(f"{path} is not a key of the log")
    except (ValueError, KeyError, TypeError) as error:
        raise KeyRefused(f"{path} is not a key of the log ({type(error).__name__})") from None
    return one


def _keyring() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.KEY_ENCRYPTION_KEYS])


def public_of(text: str, kind: str) -> bytes:
    """A public key written in hexadecimal digits: 32 bytes for Ed25519; x ‖ y for SM2, with or without 04 before it.

    Raises KeyRefused.
    """
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if kind == SM2 and len(raw) == 65 and raw[0] == 4:
        raw = raw[1:]
    if len(raw) != (64 if kind == SM2 else 32):
        raise KeyRefused("the public key is hexadecimal digits: 64 for Ed25519, 128 (x ‖ y) for SM2")
    return raw
