"""Whoever can stop the checkpointer at any instant, fill its disk, move its clock or stand in for its signer gets no two
checkpoints that differ, none without its tiles, and no checkpointer that stands still.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from audit import sealer
from audit.models import Checkpoint, Entry
from audit.transparency import files, keys, memory, notes, publication, signers
from audit.transparency.checkpointer import StartOver
from audit.transparency.troubles import WillNotSign
from audit.verifier.check import Known, check
from audit.verifier.note import COSIGNATURE, ED25519, Key, parse_checkpoint
from tests.published import naive_root, some, with_triggers_off

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """As `kill -9`: nothing catches it."""


@contextmanager
def stopping_at(
    number: int, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> Iterator[list[str]]:
    """The step of that number towards the disk, or towards the rows, is the last. Gives the steps there were."""
    steps: list[str] = []

    def counted(name: str, call):
        def step(*args, **more):
            steps.append(name)
            if len(steps) == number:
                raise error(errno.ENOSPC, "no space left") if error is OSError else error
            return call(*args, **more)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", counted("fsync", os.fsync))
        patch.setattr(Path, "replace", counted("rename", Path.replace))
        patch.setattr(Path, "unlink", counted("unlink", Path.unlink))
        patch.setattr(publication, "add_row", counted("row", publication.add_row))
        yield steps


class Notary:
    """Every checkpoint that was signed, before it is remembered; that is the earliest anybody could have seen it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.notes: dict[int, set[bytes]] = {}
        signed = notes.signed

        def noted(text, *rest):
            note = signed(text, *rest)
            with suppress(ValueError):
                checkpoint = parse_checkpoint(note)
                if not checkpoint.origin.endswith(notes.SM3_SUFFIX):
                    self.notes.setdefault(checkpoint.size, set()).add(checkpoint.root)
            return note

        monkeypatch.setattr(notes, "signed", noted)

    def check(self) -> None:
        for size, roots in self.notes.items():
            assert roots == {naive_root(size)}, f"two checkpoints over {size} entries"


def as_readers_find_it(published_log) -> None:
    """What is published stands on its own at every instant: entries, tiles and signatures."""
    if (published_log.folder / "checkpoint").exists():
        found = keys.KeyFolder(published_log.private).all()
        report = check(published_log.folder, Known(keys=tuple(one.key for one in found)))
        assert report.finding is None or report.finding.code == "tile_extra", report.finding


@pytest.mark.parametrize("error", [Killed, OSError])
@pytest.mark.parametrize("sm3", [False, True])
def test_stopped_between_any_two_steps_it_goes_on_from_there(
    published_log, monkeypatch, settings, error, sm3
):
    settings.AUDIT_SM3_TREE = sm3
    notary, number, seen = Notary(monkeypatch), 0, set()
    published_log.publish(250)
    while True:
        number += 1
        with stopping_at(number, monkeypatch, error) as steps:
            try:
                some(3)
                if number % 7 == 0:
                    keys.add_key(published_log.checkpointer.keys, "ed25519", actor=keys.CHECKPOINTER)
                published_log.publish(1)
            except (error, StartOver):
                pass
        seen |= set(steps)
        as_readers_find_it(published_log)
        published_log.restart()
        published_log.publish(1)
        as_readers_find_it(published_log)
        if len(steps) < number:
            break
    assert number > 15
    assert seen == {"fsync", "rename", "unlink", "row"}
    notary.check()
    assert check(published_log.folder, Known(keys=tuple(published_log.public_keys()))).ok
    for row in Checkpoint.objects.all():
        assert bytes(row.root) == naive_root(row.size)
    assert not list(published_log.folder.rglob(".*.new"))


def test_a_first_start_stopped_anywhere_makes_one_log(published_log, monkeypatch):
    notary = Notary(monkeypatch)
    for number in range(1, 60):
        with stopping_at(number, monkeypatch, Killed) as steps:
            try:
                published_log.publish(1)
            except Killed:
                published_log._checkpointer = None
        if len(steps) < number:
            break
    published_log.publish(1)
    notary.check()
    said = [entry.fields["x"]["vkey"] for entry in Entry.objects.filter(act="log.key_added")]
    assert len(said) == len(set(said)) == len(published_log.public_keys())
    assert check(published_log.folder, Known(keys=tuple(published_log.public_keys()))).ok


def test_rows_changed_between_reading_and_signing_are_signed_as_they_were_read(published_log, monkeypatch):
    """And then never again: what was signed is remembered, what stands there is another log."""
    published_log.publish(5)
    checkpointer, grow = published_log.checkpointer, published_log.checkpointer._grow

    def changed_behind_it(end: int) -> None:
        grow(end)
        with_triggers_off(
            "UPDATE audit_entry SET act = 'x', body = replace(convert_from(body, 'UTF8'), 'account:0', 'account:9')::bytea WHERE seq = 1"
        )

    monkeypatch.setattr(checkpointer, "_grow", changed_behind_it)
    some(2)
    sealer.seal_all()
    checkpointer.round()
    monkeypatch.undo()
    with pytest.raises(WillNotSign):
        published_log.restart()


def test_a_clock_that_goes_back_stops_nothing(published_log, monkeypatch):
    published_log.publish(3)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    before = published_log.newest().size
    assert published_log.publish(3).size > before
    published_log.restart()
    assert published_log.publish(3).size > before + 3


def test_a_link_in_the_published_folder_does_not_reach_the_key(published_log):
    """Whoever can write there puts a link to the private folder in the place of each of its folders."""
    published_log.publish(3)
    before = {path: path.read_bytes() for path in published_log.private.rglob("*") if path.is_file()}
    for name in ("keys", "stamps", "tile/1"):
        target = published_log.folder / name
        if target.exists():
            os.rename(target, published_log.folder / f"away-{name.replace('/', '-')}")
        target.symlink_to(published_log.private / "keys")
    (published_log.folder / "checkpoint").unlink()
    (published_log.folder / "checkpoint").symlink_to(published_log.private / "memory.json")
    with suppress(WillNotSign):
        published_log.restart()
        published_log.publish(1)
    for path, data in before.items():
        if path.name != "memory.json":
            assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert memory.load(published_log.private) is not None


def test_a_policy_put_in_place_of_ours_while_it_runs_lowers_no_quorum(published_log, settings):
    witness = Key("w.example", COSIGNATURE, public())
    settings.AUDIT_POLICY.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    settings.AUDIT_POLICY.write_text(f"witness w {witness.vkey} http://127.0.0.1:1/\nquorum w\n")
    published_log.checkpointer.round()
    some(2)
    sealer.seal_all()
    settings.AUDIT_POLICY.write_text("quorum none\n")
    published_log.checkpointer.round()
    assert not (published_log.folder / "checkpoint").exists()


def public() -> bytes:
    return signers.Ed25519Signer(signers.Ed25519Signer.new_private()).public


# --- The program that signs -----------------------------------------------------------------------------------
def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


HOSTILE = {
    "garbage": python("print('x' * 63)"),
    "nothing": python(""),
    "zeros": python("import sys; sys.stdout.buffer.write(bytes(64))"),
    "far too much": python("import sys\nfor _ in range(3000): sys.stdout.buffer.write(b'x' * 65536)"),
    "by another key": python(
        "import sys; from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as K\n"
        "sys.stdout.buffer.write(K.generate().sign(sys.stdin.buffer.read()))"
    ),
    "an end by a signal": python("import os; os.kill(os.getpid(), 9)"),
    "much to complain about": python("import sys; sys.stderr.write('x' * 10**7); sys.exit(3)"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_signer_that_gives_anything_else_signs_nothing(what):
    one = signers.CommandSigner(ED25519, public(), HOSTILE[what], 20)
    with pytest.raises((signers.SignerFailed, notes.SigningFailed)) as refused:
        notes.signed(b"origin\n1\nx\n", "origin", [one])
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "command",
    [
        ("/bin/sh", "-c", "sleep 60; true"),  # the shell is killed, and its child still holds the pipes
        ("/bin/sh", "-c", "sleep 60 & wait"),
        ("/bin/sh", "-c", "trap '' TERM HUP INT; while :; do sleep 60; done"),
    ],
    ids=["a child", "a child behind", "deaf"],
)
def test_a_signer_that_hangs_is_given_up_with_its_children(command):
    marked = (*command[:2], f"{command[2]} # {os.getpid()}-{time.monotonic_ns()}")
    with pytest.raises(signers.SignerFailed, match="within"):
        signers.CommandSigner(ED25519, public(), marked, 0.3).sign(b"x")
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert marked[2] not in running


def test_a_signer_that_leaves_a_child_behind_is_not_waited_for():
    code = "import os, sys, time\nif os.fork() == 0: time.sleep(6)\nelse: sys.stdout.buffer.write(bytes(64))"
    assert signers.CommandSigner(ED25519, public(), python(code), 3).sign(b"x") == bytes(64)


def test_the_database_does_not_let_a_published_checkpoint_be_replaced(published_log):
    published_log.publish(3)
    for sql in (
        "UPDATE audit_checkpoint SET root = sha256('x')",
        "DELETE FROM audit_checkpoint",
        "TRUNCATE audit_checkpoint",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
