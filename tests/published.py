"""A published log for tests: folders of its own, and what the services do in seconds done at once."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from audit import sealer
from audit.events import Event
from audit.models import Entry
from audit.recorder import record
from audit.transparency.checkpointer import Cadence, Checkpointer
from audit.verifier import tree
from audit.verifier.note import Checkpoint, Key, parse_checkpoint, parse_key
from parties.actors import SYSTEM

AT_ONCE = Cadence(seconds=0, entries=1, poll=0.001, retry=0, refusal=0.01)


def some(count: int) -> None:
    with transaction.atomic():
        for i in range(count):
            record(Event.LOGIN, actor=SYSTEM, about=f"account:{i}")


class PublishedLog:
    """`publish` seals what was recorded and publishes a checkpoint over it; a key's announcement takes two rounds."""

    def __init__(self) -> None:
        self.folder: Path = settings.TLOG_DIR
        self.private: Path = settings.CHECKPOINTER_DIR
        self._checkpointer: Checkpointer | None = None

    @property
    def checkpointer(self) -> Checkpointer:
        if self._checkpointer is None:
            self.restart()
        return self._checkpointer

    def restart(self) -> Checkpointer:
        """As a new process would begin: everything read again."""
        self._checkpointer = Checkpointer(AT_ONCE)
        return self._checkpointer

    def publish(self, entries: int = 0) -> Checkpoint:
        """Record some entries first, if asked to."""
        some(entries)
        self.checkpointer.round()  # makes or announces what is wanting
        sealer.seal_all()
        self.checkpointer.round()
        return self.newest()

    def newest(self) -> Checkpoint:
        return parse_checkpoint((self.folder / "checkpoint").read_bytes())

    def public_keys(self) -> list[Key]:
        return [parse_key(one.vkey) for one in self.checkpointer.keys.all()]


def leaves() -> list[bytes]:
    return [bytes(leaf) for leaf in Entry.objects.order_by("seq").values_list("leaf", flat=True)]


def naive_root(size: int) -> bytes:
    growing = tree.Frontier()
    growing.extend(leaves()[:size])
    return growing.root()


def with_triggers_off(*statements: str) -> None:
    """What a superuser of the database can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT IF EXISTS audit_entry_hash")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


class Rounds:
    """A stop signal that comes after a number of waits, with something done before each."""

    def __init__(self, *steps) -> None:
        self.steps = list(steps)

    def is_set(self) -> bool:
        return not self.steps

    def wait(self, _seconds: float) -> bool:
        self.steps.pop(0)()
        return self.is_set()
