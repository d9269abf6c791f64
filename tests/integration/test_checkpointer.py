"""P11: what is published is signed, provable, written again where it was lost, and the work of one alone."""

from __future__ import annotations

import json

import pytest
from django.db import DatabaseError, connection, connections, transaction

from audit import sealer
from audit.models import Checkpoint, Entry, Trouble
from audit.transparency import checkpointer, keys, merkle, service, tiles
from audit.transparency.troubles import WillNotSign
from audit.verifier import note, tree
from tests.published import AT_ONCE, Rounds, naive_root, some, with_triggers_off

pytestmark = pytest.mark.django_db


# --- What is published ---------------------------------------------------------------------------------
def test_a_checkpoint_covers_what_was_sealed_and_verifies(published_log):
    first = published_log.publish(5)
    keys_ = published_log.public_keys()
    assert {key.kind for key in keys_} == {note.ED25519, note.SM2_SM3}
    assert set(first.note.signers(keys_)) == set(keys_)
    assert (first.size, first.root) == (Entry.objects.count(), naive_root(Entry.objects.count()))
    second = published_log.publish(300)
    assert second.size == first.size + 300
    reader = tiles.Reader(published_log.folder, second.size)
    proof = merkle.consistency(first.size, second.size, reader.hashes)
    tree.check_consistency(first.size, second.size, first.root, second.root, proof)
    assert [reader.entry(n) for n in (0, 255, 256, second.size - 1)] == [
        bytes(Entry.objects.get(seq=n).body) for n in (0, 255, 256, second.size - 1)
    ]


def test_the_row_holds_what_was_published(published_log):
    published = published_log.publish(3)
    row = Checkpoint.objects.get()
    assert (row.size, bytes(row.root), bytes(row.note)) == (published.size, published.root, published.raw)
    assert row.cosigners == []
    assert row.stamp is None


def test_nothing_new_means_no_new_checkpoint(published_log):
    before = published_log.publish(3)
    published_log.checkpointer.round()
    assert published_log.newest().raw == before.raw
    assert Checkpoint.objects.count() == 1


def test_a_checkpoint_is_due_by_time_or_by_number(published_log, monkeypatch):
    published_log.publish(1)
    now = [1000.0]
    monkeypatch.setattr(checkpointer.time, "monotonic", lambda: now[0])
    one = published_log.restart()
    one.cadence = checkpointer.Cadence()

    def covered_after(entries: int, seconds: float) -> bool:
        some(entries)
        sealer.seal_all()
        now[0] += seconds
        one.round()
        return published_log.newest().size == Entry.objects.count()

    assert covered_after(1, 0)  # the last checkpoint is from before the start
    assert not covered_after(1, 9)
    assert covered_after(0, 1)
    assert not covered_after(999, 1)
    assert covered_after(1, 1)
    assert covered_after(1, 60)


def test_the_parallel_tree_covers_the_same_entries_under_its_own_name(published_log, settings):
    settings.AUDIT_SM3_TREE = True
    published_log.publish(3)
    published = published_log.publish(300)
    raw = (published_log.folder / "checkpoint.sm3").read_bytes()
    parallel = note.parse_checkpoint(raw)
    assert (parallel.origin, parallel.size) == (f"{settings.AUDIT_ORIGIN}/sm3", published.size)
    named = [key.named(parallel.origin) for key in published_log.public_keys()]
    assert set(parallel.note.signers(named)) == set(named)
    entries = [bytes(body) for body in Entry.objects.order_by("seq").values_list("body", flat=True)]
    whole = tree.Frontier(digest=merkle.sm3)
    whole.extend([tree.leaf_hash(entry, merkle.sm3) for entry in entries])
    assert parallel.root == whole.root()
    reader = tiles.Reader(published_log.folder, parallel.size, tiles.SM3_TREE, merkle.sm3)
    assert merkle.root(parallel.size, reader.hashes, merkle.sm3) == whole.root()
    assert bytes(Checkpoint.objects.first().note_sm3) == raw


def test_the_parallel_tree_may_be_switched_on_later(published_log, settings):
    published_log.publish(300)
    settings.AUDIT_SM3_TREE = True
    published_log.restart()
    published = published_log.publish(1)
    assert (
        note.parse_checkpoint((published_log.folder / "checkpoint.sm3").read_bytes()).size == published.size
    )
    settings.AUDIT_SM3_TREE = False
    published_log.restart()
    later = published_log.publish(1)
    assert Checkpoint.objects.first().note_sm3 is None
    settings.AUDIT_SM3_TREE = True
    published_log.restart()
    assert published_log.publish(1).size == later.size + 1


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit_checkpoint",
        "TRUNCATE audit_checkpoint",
        "UPDATE audit_checkpoint SET note = '\\x00'",
        "UPDATE audit_checkpoint SET stamp = '\\x00', root = sha256('x')",
        "UPDATE audit_checkpoint SET stamp = NULL",
    ],
)
def test_the_database_keeps_checkpoints_as_they_are(published_log, sql):
    published_log.publish(1)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_stamp_is_filled_once(published_log):
    published_log.publish(1)
    row = Checkpoint.objects.get()
    row.stamp = b"first"
    row.save(update_fields=["stamp"])
    row.stamp = b"second"
    with pytest.raises(DatabaseError), transaction.atomic():
        row.save(update_fields=["stamp"])
    assert bytes(Checkpoint.objects.get().stamp) == b"first"


# --- Tiles ---------------------------------------------------------------------------------------------
def test_lost_and_damaged_tiles_are_written_again_from_entries_that_lead_to_the_root(published_log):
    published_log.publish(600)
    held = {p: p.read_bytes() for p in published_log.folder.rglob("*") if p.is_file()}
    for name, damage in (("tile/0/001", b"\x00" * 8192), ("tile/entries/000", b"")):
        (published_log.folder / name).write_bytes(damage)
    (published_log.folder / "tile/1/000.p/2").unlink()
    published_log.restart()
    assert {p: p.read_bytes() for p in published_log.folder.rglob("*") if p.is_file()} == held


def test_a_disk_that_keeps_other_bytes_is_found_out_before_the_next_signature(published_log, monkeypatch):
    published_log.publish(600)
    some(1)
    sealer.seal_all()
    before = published_log.newest().raw
    put = tiles.files.put
    with monkeypatch.context() as patch:
        patch.setattr(tiles.files, "put", lambda path, data: put(path, bytes(len(data))))
        with pytest.raises(checkpointer.StartOver):
            published_log.checkpointer.round()
    assert published_log.newest().raw == before
    published_log.restart().round()
    assert published_log.newest().size == Entry.objects.count()


def test_tiles_are_not_written_again_from_other_entries(published_log):
    published_log.publish(300)
    with_triggers_off("DELETE FROM audit_entry WHERE seq >= 290")
    some(30)
    sealer.seal_all()
    (published_log.folder / "tile/0/000").unlink()
    with pytest.raises(WillNotSign):
        published_log.restart()
    assert not (published_log.folder / "tile/0/000").exists()


def test_a_published_folder_that_is_lost_comes_back_whole(published_log, settings, tmp_path):
    published_log.publish(300)
    keys.add_key(published_log.checkpointer.keys, "ed25519", actor=keys.CHECKPOINTER)
    published_log.publish(1)
    held = {
        p.name: p.read_bytes() for p in published_log.folder.rglob("*") if p.is_file() and ".p" not in str(p)
    }
    settings.TLOG_DIR = published_log.folder = tmp_path / "new"
    published_log.restart()
    again = {
        p.name: p.read_bytes() for p in published_log.folder.rglob("*") if p.is_file() and ".p" not in str(p)
    }
    assert again == held


def test_a_checkpoint_published_without_its_row_gets_it(published_log):
    published = published_log.publish(3)
    with_triggers_off("DELETE FROM audit_checkpoint")
    published_log.restart()
    assert bytes(Checkpoint.objects.get().note) == published.raw


def test_what_was_signed_and_not_published_is_published(published_log, monkeypatch):
    published_log.publish(3)
    some(1)
    sealer.seal_all()

    class Killed(BaseException):
        pass

    def killed(*_arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpointer.publication, "publish", killed)
        with pytest.raises(Killed):
            published_log.checkpointer.round()
    signed = json.loads((published_log.private / "memory.json").read_bytes())["tree"]["note"]
    assert published_log.newest().raw.decode() != signed
    published_log.restart().round()
    assert published_log.newest().raw.decode() == signed


# --- The service ---------------------------------------------------------------------------------------
def test_a_refusal_is_shown_for_as_long_as_it_lasts(published_log):
    published_log.publish(5)
    memory = published_log.private / "memory.json"
    held, seen = memory.read_bytes(), []
    memory.unlink()

    def look() -> None:
        seen.append([(t.code, t.since) for t in Trouble.objects.all()])

    def mend() -> None:
        look()
        memory.write_bytes(held)

    service.run(Rounds(look, look, mend, look), AT_ONCE)
    assert [[code for code, _since in found] for found in seen] == [["signing.no_memory"]] * 3 + [[]]
    assert len({found[0][1] for found in seen[:3]}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_second_checkpointer_is_kept_out(published_log, settings, tmp_path):
    published_log.publish(1)
    with service.alone():
        with pytest.raises(service.CheckpointerBusy):
            service.run(Rounds(), AT_ONCE)  # by the folder
        settings.CHECKPOINTER_DIR = tmp_path / "another"
        other = connections["default"].copy()
        ours, service.connection = service.connection, other
        try:
            with pytest.raises(service.CheckpointerBusy):
                service.run(Rounds(), AT_ONCE)  # by the database
        finally:
            service.connection = ours
            other.close()
