"""P4, P11: `kill -9` of sealer and checkpointer at any moment leaves no gap, no fork and no two checkpoints that differ."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import InterfaceError, OperationalError, connection

from audit import export, sealer
from audit.models import Checkpoint, Entry
from audit.transparency import keys, memory, publication, service
from audit.verifier import tree
from audit.verifier.check import verify
from audit.verifier.note import parse_checkpoint
from tests.published import AT_ONCE, some

ROUNDS = 50
MARK = b"\n=====\n"


def sealing() -> None:
    sealer.run(threading.Event())


class Notary:
    """Keeps every checkpoint that a checkpointer remembers as signed or publishes, before it does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def checkpointing(self) -> None:
        save, publish = memory.save, publication.publish
        memory.save = lambda folder, held: (self._keep(held.tree.note), save(folder, held))
        publication.publish = lambda folder, note, *rest: (self._keep(note), publish(folder, note, *rest))[1]
        service.run(threading.Event(), AT_ONCE)

    def _keep(self, note: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, note + MARK)
        os.close(descriptor)

    def kept(self) -> list[bytes]:
        return [note for note in self.path.read_bytes().split(MARK) if note]


def forked(work: Callable[[], None]) -> int:
    """A process of its own with all its modules loaded. It must not share our connection to the database."""
    connection.close()
    child = os.fork()
    if child:
        return child
    logging.disable(logging.CRITICAL)
    while True:
        try:
            work()
        except (sealer.SealerBusy, service.CheckpointerBusy, OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.002)  # the one that was killed still holds its lock
        except BaseException as error:  # noqa: BLE001 - a child must say so, and never return into the test
            os.write(2, f"{work}: {error!r}\n".encode())
            os._exit(1)


def end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it ended by itself before it was killed"


@pytest.mark.django_db(transaction=True)
def test_fifty_kills_leave_one_log_and_no_two_checkpoints_that_differ(published_log, tmp_path):
    draws = random.Random(6962)
    notary = Notary(tmp_path / "notary")
    running = {work: forked(work) for work in (sealing, notary.checkpointing)}
    recorded = 0
    try:
        for round_ in range(ROUNDS):
            for _ in range(draws.randint(1, 3)):
                count = draws.randint(1, 60)
                some(count)
                recorded += count
                time.sleep(draws.random() * 0.05)
            if round_ % 10 == 5:
                keys.add_key(keys.KeyFolder(published_log.private), "ed25519", actor=keys.CHECKPOINTER)
                recorded += 1
            for work in draws.choice([[sealing], [notary.checkpointing], list(running)]):
                end(running.pop(work))
                running[work] = forked(work)
    finally:
        for child in running.values():
            end(child)

    last = published_log.publish(1)
    entries = Entry.objects.count()
    assert last.size == entries == recorded + 1 + 1 + 2  # the opening entry, the last one, two first keys
    assert verify(export.lines()).ok
    roots = naive_roots()
    notes = [parse_checkpoint(note) for note in notary.kept()]
    assert len({note.size for note in notes}) > ROUNDS / 2, "too few checkpoints to prove anything"
    for note in [*notes, last]:
        assert note.root == roots[note.size], f"the checkpoint over {note.size} entries is of another log"
    for row in Checkpoint.objects.all():
        assert bytes(row.root) == roots[row.size]
    added = {one.vkey for one in published_log.checkpointer.keys.all()}
    assert {e.fields["x"]["vkey"] for e in Entry.objects.filter(act="log.key_added")} == added
    assert Entry.objects.filter(act="log.key_added").count() == len(added) == 7
    check_key_changes(published_log)


def check_key_changes(published_log) -> None:
    """For each key the first published checkpoint that holds its announcement, signed by it and by all before it."""
    kept = {int(path.name): path.read_bytes() for path in (published_log.folder / "keys").iterdir()}
    before = []
    for entry in Entry.objects.filter(act="log.key_added").order_by("seq"):
        row = Checkpoint.objects.filter(size__gt=entry.seq).order_by("size").first()
        assert kept[row.size] == bytes(row.note)
        before.append(keys.parse_key(entry.fields["x"]["vkey"]))
        assert set(parse_checkpoint(kept[row.size]).note.signers(before)) == set(before)
    assert kept.keys() <= set(Checkpoint.objects.values_list("size", flat=True))


def naive_roots() -> list[bytes]:
    """The root for each size there ever was."""
    growing = tree.Frontier()
    roots = [growing.root()]
    for leaf in Entry.objects.order_by("seq").values_list("leaf", flat=True):
        growing.extend([bytes(leaf)])
        roots.append(growing.root())
    return roots
