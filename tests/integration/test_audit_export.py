"""P11: whatever leaves, as a file, a folder or an archive, is whole by itself and verifies with the log's key alone."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit import export, sealer
from audit.models import Checkpoint, Entry
from audit.transparency import keys, tiles
from audit.verifier.check import check
from audit.verifier.known import Known
from audit.verifier.result import Report, Verdict
from tests import factories
from tests.api_calls import Caller, assert_problem
from tests.published import some

pytestmark = pytest.mark.django_db


@pytest.fixture
def log(published_log, settings):
    settings.AUDIT_SM3_TREE = True
    published_log.publish(3)
    keys.add_key(published_log.checkpointer.keys, "ed25519", actor=keys.CHECKPOINTER)
    published_log.publish(600)
    return published_log


def verified(log, path: Path) -> Report:
    report = check(path, Known(keys=tuple(log.public_keys()[:1])))
    assert report.verdict == Verdict.WHOLE, report.finding
    return report


def below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_verifies_and_holds_exactly_what_is_published(log, tmp_path):
    published = export.folder(tmp_path / "out")
    report = verified(log, tmp_path / "out")
    assert (report.kind, report.size, published.raw) == ("folder", log.newest().size, log.newest().raw)
    out, held = below(tmp_path / "out"), below(log.folder)
    assert out.items() <= held.items()
    assert all(".p/" in name for name in held.keys() - out.keys())  # partial tiles of earlier checkpoints
    assert {"checkpoint", "checkpoint.sm3", "policy"} <= out.keys()
    assert len([name for name in out if name.startswith("keys/")]) == 2


def test_what_is_signed_and_not_published_does_not_leave(log, tmp_path):
    size = log.newest().size
    log.checkpointer.witnesses._policy = None
    some(700)
    sealer.seal_all()
    with pytest.raises(AttributeError):
        log.checkpointer.round()
    assert (log.folder / "tile/0/003").exists()
    export.folder(tmp_path / "out")  # its partial tiles are full by now, and only the full ones are left
    assert verified(log, tmp_path / "out").size == size
    assert not (tmp_path / "out/tile/0/003").exists()


def test_a_later_export_into_the_same_folder_adds_what_is_new(log, tmp_path):
    export.folder(tmp_path)
    log.publish(300)
    export.folder(tmp_path)
    assert verified(log, tmp_path).size == log.newest().size


def test_a_folder_cut_short_has_no_checkpoint(log, tmp_path):
    (log.folder / "tile/entries/001").unlink()
    with pytest.raises(tiles.Damaged):
        export.folder(tmp_path)
    assert not (tmp_path / "checkpoint").exists()


def test_the_archive_is_the_same_folder(log, tmp_path):
    export.folder(tmp_path / "folder")
    raw = b"".join(export.tar_stream()[1])
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        archive.extractall(tmp_path, filter="data")
    assert below(tmp_path / "audit-log") == below(tmp_path / "folder")
    city = factories.city()
    response = Caller(city.auditor).client.get("/api/audit/export/folder")
    assert response["Content-Type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(b"".join(response.streaming_content))) as archive:
        assert f"audit-log/{tiles.bundle_path(0)}" in archive.getnames()
    sealer.seal_all()
    assert Entry.objects.filter(act="log.exported").count() == 1
    assert_problem(Caller(city.enterprise).client.get("/api/audit/export/folder"))


def test_the_one_file_export_ends_with_keys_and_checkpoint(log, tmp_path):
    some(3)
    sealer.seal_all()  # the checkpoint covers less than the file holds
    path = tmp_path / "audit-log.jsonl"
    with path.open("wb") as file:
        head = export.write(file)
    report = verified(log, path)
    assert (head.entries, report.size) == (Entry.objects.count(), log.newest().size)
    assert head.entries == report.size + 3
    ending = [json.loads(line) for line in path.read_bytes().splitlines()[head.entries :]]
    assert [list(said) for said in ending] == [["head"], ["key_change"], ["key_change"], ["checkpoint"]]
    assert ending[-1]["checkpoint"].encode() == log.newest().raw
    first = Checkpoint.objects.order_by("size").first()
    assert ending[1]["key_change"].encode() == bytes(first.note)


def test_a_checkpoint_published_meanwhile_is_not_in_the_file(log, tmp_path):
    before = log.newest()
    found = export.lines()
    held = [next(found)]
    log.publish(5)
    held += list(found)
    (tmp_path / "log").write_bytes(b"".join(held))
    assert verified(log, tmp_path / "log").size == before.size


def test_without_a_checkpoint_the_file_ends_with_the_head_and_there_is_no_folder(published_log, tmp_path):
    some(3)
    sealer.seal_all()
    assert list(export.lines()) == list(export.chain_lines())
    with pytest.raises(CommandError, match="not_published"):
        call_command("audit_export", f"{tmp_path}/out/")


def test_the_command_writes_a_file_or_a_folder(log, tmp_path, capsys):
    call_command("audit_export", str(tmp_path / "log.jsonl"))
    assert f"python -m audit.verifier {tmp_path / 'log.jsonl'} --head" in capsys.readouterr().out
    verified(log, tmp_path / "log.jsonl")
    call_command("audit_export", f"{tmp_path}/new/")
    assert log.newest().root.hex() in capsys.readouterr().out
    verified(log, tmp_path / "new")
    (tmp_path / "there").mkdir()
    call_command("audit_export", str(tmp_path / "there"))
    verified(log, tmp_path / "there")
