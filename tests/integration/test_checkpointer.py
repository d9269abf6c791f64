"""P11: what is published is signed, witnessed and provable, and never contradicts what was signed before."""

from __future__ import annotations

import base64
import json
import os
import stat
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from audit import chain, sealer
from audit.models import Checkpoint, Entry, Trouble
from audit.transparency import checkpointer, keys, merkle, proofs, service, tiles, troubles
from audit.transparency.troubles import WillNotSign
from audit.verifier import note, tree
from audit.verifier.policy import parse_policy
from tests.published import AT_ONCE, some

pytestmark = pytest.mark.django_db


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


# --- What is published ------------------------------------------------------------------------------------
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


# --- What it refuses --------------------------------------------------------------------------------------
def refusal(published_log, code: str) -> WillNotSign:
    """Refused now, and by a new process too; nothing was published meanwhile."""
    before = published_log.newest().raw
    with pytest.raises(WillNotSign) as refused:
        published_log.restart().round()
    assert refused.value.finding.code == f"signing.{code}"
    assert published_log.newest().raw == before
    return refused.value


def test_a_database_that_went_back_is_not_signed(published_log):
    published_log.publish(5)
    gone = Entry.objects.count() - 1
    with_triggers_off(f"DELETE FROM audit_entry WHERE seq = {gone}")
    with pytest.raises(WillNotSign, match="went back in time"):
        published_log.checkpointer.round()
    assert str(gone) in str(refusal(published_log, "rolled_back"))


def test_a_database_that_went_back_and_grew_again_is_not_signed(published_log):
    published_log.publish(5)
    last = Entry.objects.count() - 1
    with_triggers_off(f"DELETE FROM audit_entry WHERE seq >= {last - 1}")
    some(4)
    sealer.seal_all()
    with pytest.raises(WillNotSign, match="is not the one that was sealed"):
        published_log.checkpointer.round()
    refusal(published_log, "other_root")


def test_a_changed_old_entry_is_not_signed_even_if_the_whole_chain_was_rewritten(published_log):
    published_log.publish(5)
    before = list(Entry.objects.order_by("seq"))
    with_triggers_off("DELETE FROM audit_entry")
    prev, rows = bytes(32), []
    for row in before:  # forge: one word, then every link after it
        body = bytes(row.body).replace(b"account:0", b"account:9")
        body = chain.seal(prev, row.seq, b"{" + body[body.index(b'"act"') :])
        row.prev, row.body, row.leaf = prev, body, chain.leaf(body)
        prev = row.leaf
        rows.append(row)
    Entry.objects.bulk_create(rows)
    refusal(published_log, "other_root")


def test_a_changed_old_entry_is_named(published_log):
    published_log.publish(5)
    with_triggers_off(
        "UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), 'account:0', 'account:9'), 'UTF8')"
        " WHERE body LIKE '%account:0%'"
    )
    changed = next(e.seq for e in Entry.objects.order_by("seq") if b"account:9" in bytes(e.body))
    assert refusal(published_log, "changed").finding.facts == {"seq": changed}


def test_a_changed_last_entry_is_found_without_a_restart(published_log):
    size = published_log.publish(5).size
    some(1)
    sealer.seal_all()
    with_triggers_off(f"UPDATE audit_entry SET body = body || ' '::bytea WHERE seq = {size - 1}")
    with pytest.raises(WillNotSign) as refused:
        published_log.checkpointer.round()
    assert refused.value.finding.facts == {"seq": size - 1}


def test_a_lost_memory_is_not_made_up(published_log):
    size = published_log.publish(5).size
    (published_log.private / "memory.json").unlink()
    assert "checkpoint --adopt" in str(refusal(published_log, "no_memory"))
    call_command("checkpoint", adopt=True)
    assert published_log.restart().memory.size == size
    assert published_log.publish(3).size == size + 3


def test_a_lost_memory_is_noticed_by_rows_alone_and_by_keys_alone(published_log):
    published_log.publish(5)
    (published_log.private / "memory.json").unlink()
    (published_log.folder / "checkpoint").unlink()
    with pytest.raises(WillNotSign, match="--adopt"):
        published_log.restart()
    with_triggers_off("DELETE FROM audit_checkpoint")
    with pytest.raises(WillNotSign, match="--adopt"):
        published_log.restart()


def test_a_memory_put_back_from_an_older_copy_is_not_believed(published_log):
    published_log.publish(5)
    old = (published_log.private / "memory.json").read_bytes()
    size = published_log.publish(5).size
    (published_log.private / "memory.json").write_bytes(old)
    refusal(published_log, "memory_behind")
    call_command("checkpoint", adopt=True)
    assert published_log.restart().memory.size == size


def test_nothing_is_adopted_without_need_nor_against_the_entries(published_log):
    published_log.publish(5)
    with pytest.raises(CommandError, match="are remembered as signed"):
        call_command("checkpoint", adopt=True)
    (published_log.private / "memory.json").unlink()
    with_triggers_off("UPDATE audit_entry SET body = body || ' '::bytea WHERE seq = 2")
    with pytest.raises(CommandError, match="Entry 2"):
        call_command("checkpoint", adopt=True)


def test_a_checkpoint_nobody_here_signed_is_not_adopted(published_log):
    published = published_log.publish(5)
    (published_log.private / "memory.json").unlink()
    text = published.raw.partition(b"\n\n")[0]
    stranger = base64.b64encode(bytes(68)).decode()
    forged = text + f"\n\n— {published.origin} {stranger}\n".encode()
    (published_log.folder / "checkpoint").write_bytes(forged)
    with pytest.raises(CommandError, match="no key of the log"):
        call_command("checkpoint", adopt=True)


def test_another_published_checkpoint_than_ours_is_not_built_upon(published_log):
    published = published_log.publish(5)
    forged = published.raw.replace(base64.b64encode(published.root), base64.b64encode(bytes(32)))
    (published_log.folder / "checkpoint").write_bytes(forged)
    with pytest.raises(WillNotSign, match="is not one of this log"):
        published_log.restart()


def test_the_origin_never_changes(published_log, settings):
    published_log.publish(1)
    settings.AUDIT_ORIGIN = "another.example/log"
    refusal(published_log, "other_origin")


def test_a_policy_that_cannot_be_read_stops_signing(published_log, settings):
    published_log.publish(1)
    settings.AUDIT_POLICY.write_text("quorum somebody\n")
    refusal(published_log, "policy")


@pytest.mark.parametrize(
    "held", [b"", b"{}", b'{"version":2}', b'{"version":1,"tree":{"size":3,"frontier":[]}}']
)
def test_a_damaged_memory_is_told(published_log, held):
    published_log.publish(1)
    (published_log.private / "memory.json").write_bytes(held)
    refusal(published_log, "memory_unreadable")


# --- Tiles ------------------------------------------------------------------------------------------------
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


# --- Keys -------------------------------------------------------------------------------------------------
def signers(published_log, raw: note.Checkpoint, *vkeys: str) -> set[str]:
    return {key.vkey for key in raw.note.signers([note.parse_key(vkey) for vkey in vkeys])}


def test_the_first_keys_are_announced_before_the_first_checkpoint(published_log):
    one = published_log.checkpointer
    sealer.seal_all()
    assert not (published_log.folder / "checkpoint").exists()
    one.round()
    published = published_log.newest()
    announced = {e.fields["x"]["vkey"]: e.seq for e in Entry.objects.filter(act="log.key_added")}
    assert signers(published_log, published, *announced) == set(announced)
    assert len(announced) == 2
    assert all(seq < published.size for seq in announced.values())
    kept = list((published_log.folder / "keys").iterdir())
    assert [path.name for path in kept] == [str(published.size)]
    assert kept[0].read_bytes() == published.raw


def test_without_sm2_there_is_one_key(published_log, settings):
    settings.AUDIT_SM2 = False
    published_log.publish(1)
    assert [key.kind for key in published_log.public_keys()] == [note.ED25519]


def test_keys_change_with_an_overlap_while_checkpoints_go_on(published_log):
    published_log.publish(3)
    folder = published_log.checkpointer.keys
    old = next(one for one in folder.all() if one.kind == "ed25519")
    new = keys.add_key(folder, "ed25519", actor=keys.CHECKPOINTER)
    with pytest.raises(keys.KeyRefused, match="waits for the first checkpoint"):
        keys.retire_key(folder, old.id, published_log.newest().size, actor=keys.CHECKPOINTER)
    both = published_log.publish(1)
    assert signers(published_log, both, old.vkey, new.vkey) == {old.vkey, new.vkey}
    assert (published_log.folder / "keys" / str(both.size)).read_bytes() == both.raw
    keys.retire_key(folder, old.id, both.size, actor=keys.CHECKPOINTER)
    assert old.id in {one.id for one in folder.all()}  # until its end is published
    after = published_log.publish(1)
    assert signers(published_log, after, old.vkey, new.vkey) == {new.vkey}
    assert old.id not in {one.id for one in folder.all()}
    assert not list(folder.folder.rglob(f"*{old.id}*"))
    retired = Entry.objects.get(act="log.key_retired")
    assert (retired.fields["x"]["vkey"], retired.obj) == (old.vkey, f"log_key:{old.id}")
    policy = parse_policy((published_log.folder / "policy").read_bytes())
    assert new.vkey in {one.key.vkey for one in policy.logs}
    assert old.vkey not in {one.key.vkey for one in policy.logs}
    assert policy.quorum == "none"


def test_the_last_ed25519_key_is_never_retired(published_log):
    published_log.publish(3)
    folder = published_log.checkpointer.keys
    ed25519, sm2 = (next(one for one in folder.all() if one.kind == kind) for kind in ("ed25519", "sm2"))
    with pytest.raises(keys.KeyRefused, match="last Ed25519"):
        keys.retire_key(folder, ed25519.id, published_log.newest().size, actor=keys.CHECKPOINTER)
    keys.retire_key(folder, sm2.id, published_log.newest().size, actor=keys.CHECKPOINTER)
    assert signers(published_log, published_log.publish(1), ed25519.vkey, sm2.vkey) == {ed25519.vkey}


@pytest.mark.parametrize("retired", [False, True])
def test_what_a_killed_command_did_not_record_is_recorded_once(published_log, retired):
    published_log.publish(3)
    folder = published_log.checkpointer.keys
    with transaction.atomic():
        new = keys.add_key(folder, "ed25519", actor=keys.CHECKPOINTER)
        transaction.set_rollback(True)  # killed between the file and the entry
    published_log.publish(1)
    assert Entry.objects.filter(act="log.key_added", obj=f"log_key:{new.id}").count() == 1
    if retired:
        published = published_log.publish(1).size
        with transaction.atomic():
            keys.retire_key(folder, new.id, published, actor=keys.CHECKPOINTER)
            transaction.set_rollback(True)
        published_log.publish(1)
        assert Entry.objects.filter(act="log.key_retired").count() == 1
        assert new.id not in {one.id for one in folder.all()}
    keys.settle(folder, {})
    sealer.seal_all()
    assert Entry.objects.filter(act="log.key_added").count() == 3


def test_an_entry_nobody_asked_for_takes_no_key_away_and_is_shown(published_log):
    published_log.publish(3)
    ours = published_log.public_keys()
    from audit.events import Event
    from audit.recorder import record
    from parties.actors import SYSTEM

    stranger = note.Key("x.example", note.ED25519, bytes(32)).vkey
    with transaction.atomic():
        record(Event.LOG_KEY_RETIRED, actor=SYSTEM, about="log_key:x", vkey=ours[0].vkey)
        record(Event.LOG_KEY_ADDED, actor=SYSTEM, about="log_key:x", vkey=stranger)
    published = published_log.publish(1)
    assert set(published.note.signers(ours)) == set(ours)
    assert {t.code: t.subject for t in Trouble.objects.all()} == {
        "key.unknown_retirement": ours[0].vkey,
        "key.unknown_addition": stranger,
    }
    assert len(list((published_log.folder / "keys").iterdir())) == 1


@pytest.mark.parametrize(
    "said", [None, [], {}, {"vkey": None}, {"vkey": ["a"]}, {"vkey": "\0\u2028" + "x" * 999}], ids=repr
)
def test_hostile_entries_about_keys_change_nothing(published_log, said):
    """Whoever got into the web server can write any entry."""
    published_log.publish(3)
    ours = published_log.public_keys()
    for act in ("log.key_added", "log.key_retired"):
        fields = {
            "act": act,
            "actor": "x",
            "id": str(uuid.uuid4()),
            "obj": "x:1",
            "org": "",
            "out": "ok",
            "t": 1,
            "v": 1,
        }
        with connection.cursor() as cursor:
            body = chain.body(fields | ({} if said is None else {"x": said}))
            cursor.execute("SELECT audit_emit(%s, %s)", [fields["id"], body])
        published = published_log.publish(1)
        assert set(published.note.signers(ours)) == set(ours)
    published_log.restart()
    assert published_log.publish(1).size == published.size + 1
    call_command("log_key", "list")
    assert len(proofs.View().handovers()) == 2


def test_a_published_file_with_other_signatures_is_put_right_by_its_row_or_refused(published_log):
    published = published_log.publish(3)
    path = published_log.folder / "checkpoint"
    spoiled = published.raw + "— x.example AAAAAAAA\n".encode()
    path.write_bytes(spoiled)
    published_log.restart()
    assert path.read_bytes() == published.raw
    with_triggers_off("DELETE FROM audit_checkpoint")
    path.write_bytes(published.raw.replace("— ".encode(), "— x".encode()))
    with pytest.raises(WillNotSign, match="is not one of this log"):
        published_log.restart()


def test_a_folder_others_can_read_is_refused(published_log):
    published_log.publish(1)
    published_log.private.chmod(0o755)
    assert "chmod 700" in str(refusal(published_log, "folder"))


def test_private_halves_are_sealed_and_theirs_alone_to_read(published_log):
    published_log.publish(1)
    files = [path for path in published_log.private.rglob("*") if path.is_file()]
    assert len(files) == 3  # two keys and the memory
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(published_log.private.stat().st_mode) == 0o700
    assert all(
        json.loads(path.read_bytes())["sealed"].startswith("gAAAA")
        for path in files
        if path.parent.name == "keys"
    )


def test_private_halves_follow_the_newest_key_encryption_key(published_log, settings):
    from cryptography.fernet import Fernet

    published_log.publish(1)
    old, new = settings.KEY_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, old]
    published_log.restart()
    settings.KEY_ENCRYPTION_KEYS = [new]
    published_log.restart()
    assert published_log.publish(1).size == Entry.objects.count()


def test_a_key_under_a_lost_key_encryption_key_is_a_clear_refusal(published_log, settings):
    from cryptography.fernet import Fernet

    published_log.publish(1)
    settings.KEY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    service.run(Rounds(lambda: None), AT_ONCE)
    assert "key-encryption key that is not set" in troubles.words(Trouble.objects.get())


def test_keys_by_the_command_line(published_log, capsys, tmp_path):
    published_log.publish(1)
    call_command("log_key", "add", "ed25519")
    call_command("log_key", "list")
    shown = capsys.readouterr().out
    assert shown.count("signs") == 2
    assert shown.count(" announced ") == 1
    published_log.publish(1)
    first = next(one for one in published_log.checkpointer.keys.all() if one.kind == "ed25519")
    call_command("log_key", "retire", first.id)
    assert f"retired: {first.id}" in capsys.readouterr().out
    with pytest.raises(CommandError, match="there is no key"):
        call_command("log_key", "retire", "00000000")
    with pytest.raises(CommandError, match="hexadecimal"):
        call_command("log_key", "add-command", "sm2", "abcd", "/bin/true")
    with pytest.raises(CommandError, match="does not sign"):
        call_command("log_key", "add-command", "sm2", "04" + "00" * 64, "/bin/true")


def test_a_key_in_a_module_signs_and_its_absence_is_a_trouble_that_passes(published_log, tmp_path):
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    pem = tmp_path / "hsm.pem"
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", str(pem)]
    subprocess.run(make, check=True, capture_output=True)
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(pem), "-pubout", "-outform", "DER"], check=True, capture_output=True
    )
    published_log.publish(1)
    sign = ["openssl", "dgst", "-sm3", "-sign", str(pem), "-sigopt", "distid:1234567812345678"]
    call_command("log_key", "add-command", "sm2", der.stdout[-64:].hex(), *sign)
    published = published_log.publish(1)
    assert len(published.note.signers(published_log.public_keys())) == 3
    os.rename(pem, tmp_path / "away")
    assert published_log.publish(1).raw == published.raw
    trouble = Trouble.objects.get()
    assert trouble.code == "signing.signer"
    assert "openssl ended with 1" in troubles.words(trouble)
    os.rename(tmp_path / "away", pem)
    assert published_log.publish(0).size > published.size
    assert not Trouble.objects.exists()


# --- The service ------------------------------------------------------------------------------------------
class Rounds:
    """A stop signal that comes after a number of waits, with something done before each."""

    def __init__(self, *steps) -> None:
        self.steps = list(steps)

    def is_set(self) -> bool:
        return not self.steps

    def wait(self, _seconds: float) -> bool:
        self.steps.pop(0)()
        return self.is_set()


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
    from django.db import connections

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
