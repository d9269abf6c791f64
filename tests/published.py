"""A published log for tests: folders of its own, and what the services do in seconds done at once."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit import sealer
from audit.events import Event
from audit.recorder import record
from audit.transparency.checkpointer import Cadence, Checkpointer
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
