"""P11: keys of the log come and go with an overlap, on record, and never so that entry and use fall apart."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import transaction

from audit import sealer
from audit.events import Event
from audit.models import Entry, Trouble
from audit.recorder import record
from audit.transparency import keys, service, troubles
from audit.verifier import note
from audit.verifier.policy import parse_policy
from parties.actors import SYSTEM
from tests.published import AT_ONCE, Rounds

pytestmark = pytest.mark.django_db


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
    published_log.publish(1)
    old, new = settings.KEY_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    settings.KEY_ENCRYPTION_KEYS = [new, old]
    published_log.restart()
    settings.KEY_ENCRYPTION_KEYS = [new]
    published_log.restart()
    assert published_log.publish(1).size == Entry.objects.count()


def test_a_key_under_a_lost_key_encryption_key_is_a_clear_refusal(published_log, settings):
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
