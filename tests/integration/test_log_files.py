"""The published log as anyone reads it: static files, proofs by the API, the newest checkpoint on every answer."""

from __future__ import annotations

import base64
import os

import pytest
from django.test import Client

from audit import sealer
from audit.models import Entry
from audit.transparency import merkle, tiles
from audit.verifier import tree
from audit.verifier.note import parse_checkpoint
from tests import factories
from tests.api_calls import Caller, assert_problem
from tests.published import some

pytestmark = pytest.mark.django_db


def get(path: str, client: Client | None = None):
    return (client or Client()).get(path)


@pytest.fixture
def log(published_log, settings):
    settings.AUDIT_SM3_TREE = True
    published_log.publish(1)
    published_log.publish(300)
    return published_log


def test_the_published_files_are_served_as_they_stand(log):
    size = log.newest().size
    trees = tiles.Reader(log.folder, size), tiles.Reader(log.folder, size, tiles.SM3_TREE)
    names = [file.name for reader in trees for file in reader.files()]
    names += [f"keys/{p.name}" for p in (log.folder / "keys").iterdir()]
    for name in names:
        response = get(f"/log/{name}")
        assert response.content == (log.folder / name).read_bytes(), name
        assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert get("/log/tile/0/000")["Content-Type"] == "application/octet-stream"
    for name in ("checkpoint", "checkpoint.sm3", "policy"):
        response = get(f"/log/{name}")
        assert response.content == (log.folder / name).read_bytes()
        assert response["Content-Type"] == "text/plain; charset=utf-8"
        assert response["Cache-Control"] == "public, max-age=5"


def test_what_stands_beside_the_tree_is_listed_for_mirrors(log):
    assert get("/log/keys/").content.decode().split() == [
        path.name for path in (log.folder / "keys").iterdir()
    ]
    assert get("/log/stamps/").content == b""


def test_a_stranger_with_nothing_but_the_files_checks_the_tree(log):
    checkpoint = parse_checkpoint(get("/log/checkpoint").content)
    checkpoint.note.signers(log.public_keys())
    leaves = []
    for index in range(-(-checkpoint.size // 256)):
        raw = get(
            "/log/" + tiles.tile_path("tile", 0, index, tiles.width_of(checkpoint.size, 0, index))
        ).content
        leaves += [raw[at : at + 32] for at in range(0, len(raw), 32)]
    whole = tree.Frontier()
    whole.extend(leaves)
    assert whole.root() == checkpoint.root


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/999", "tile/64/000", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/001",
        "tile/0/001.p/255", "tile/0/001.p/01", "tile/0/000%0A", "tile/0/..%2f..%2fcheckpoint", "tile/../../checkpointer/memory.json",
        "tile/0/%2e%2e/%2e%2e/checkpoint", "keys/..", "keys/0", "keys/99999999999999999999", "keys/1%00", "stamps/2026-01-01.tsr",
        "stamps/../checkpoint.checkpoint", ".checkpoint.new", "checkpoint%0A", "tile/0/%EF%BC%90%EF%BC%90%EF%BC%90", "",
        "tile-sm4/0/000", "tile/0/x999/x999/x999/x999/x999/x999/999",
    ],
)  # fmt: skip
def test_what_is_not_of_the_log_is_not_there(log, path):
    assert get(f"/log/{path}").status_code == 404


def test_nothing_is_there_before_the_first_checkpoint(published_log):
    assert get("/log/checkpoint").status_code == 404
    assert get("/log/tile/0/000.p/1").status_code == 404
    caller = Caller(None)
    for path in ("audit/checkpoint", "audit/proofs/inclusion?index=0", "audit/proofs/consistency?first=0"):
        response = caller.get(path)
        refused(response, 409, "log.not_published")
        assert "X-Audit-Checkpoint" not in response.headers


def test_tiles_beyond_the_published_checkpoint_are_not_served_yet(log):
    size = log.newest().size
    log.checkpointer.witnesses._policy = None  # whatever comes now is signed and not published
    some(1)
    sealer.seal_all()
    with pytest.raises(AttributeError):
        log.checkpointer.round()
    at, width = divmod(size + 1, 256)
    assert (log.folder / tiles.tile_path("tile", 0, at, width)).exists()
    assert get(f"/log/{tiles.tile_path('tile', 0, at, width)}").status_code == 404
    assert get(f"/log/{tiles.tile_path('tile', 0, at, width - 1)}").status_code == 200


def test_entries_are_for_those_who_may_read_the_log(log):
    city = factories.city()
    name = "tile/entries/000"
    held = (log.folder / name).read_bytes()
    browser = Client()
    browser.force_login(city.auditor)
    for caller in (browser, Caller(city.auditor).client):
        response = get(f"/log/{name}", caller)
        assert response.content == held
        assert response["Cache-Control"] == "private, max-age=31536000, immutable"
    assert list(tiles.entries_of(held))[5] == bytes(Entry.objects.get(seq=5).body)
    for caller in (Client(), Caller(city.enterprise).client):
        there, absent = get(f"/log/{name}", caller), get("/log/tile/entries/x001/000", caller)
        elsewhere = get("/api/audit/entries", caller)
        assert there.status_code == absent.status_code == elsewhere.status_code
        assert there.content == absent.content == elsewhere.content
        assert "private" in there["Cache-Control"]
        assert "immutable" not in there["Cache-Control"]
    assert get("/log/tile/entries/999", browser).status_code == 404


def refused(response, status: int, code: str) -> None:
    assert_problem(response)
    assert (response.status_code, response.json()["title"]) == (status, code)


# --- Proofs -----------------------------------------------------------------------------------------------
def raw(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def test_the_api_proves_inclusion_and_consistency(log):
    caller, checkpoint = Caller(None), log.newest()
    for index, size in ((0, None), (3, 5), (299, None), (255, 256), (0, 1)):
        asked = {"index": index} | ({"size": size} if size else {})
        found = caller.get("audit/proofs/inclusion", **asked).json()
        leaf = merkle.leaf(bytes(Entry.objects.get(seq=index).body))
        assert base64.b64decode(found["leaf"]) == leaf
        tree.check_inclusion(index, found["size"], leaf, raw(found["proof"]), base64.b64decode(found["root"]))
        if size is None:
            assert (found["size"], base64.b64decode(found["root"])) == (checkpoint.size, checkpoint.root)
    found = caller.get("audit/proofs/consistency", first=5).json()
    roots = raw([found["first_root"], found["second_root"]])
    assert roots[1] == checkpoint.root
    tree.check_consistency(5, checkpoint.size, *roots, raw(found["proof"]))
    assert caller.get("audit/proofs/consistency", first=0, second=7).json()["proof"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("inclusion?index=10000", 409, "log.not_covered"),
        ("inclusion?index=1&size=10000", 409, "log.not_covered"),
        ("inclusion?index=5&size=5", 400, "log.invalid"),
        ("inclusion?index=-1", 400, "invalid"),
        ("inclusion?index=99999999999999999999", 400, "invalid"),
        ("inclusion", 400, "invalid"),
        ("consistency?first=6&second=5", 400, "log.invalid"),
        ("consistency?first=6&second=5000", 409, "log.not_covered"),
        ("consistency?first=x", 400, "invalid"),
    ],
)
def test_what_cannot_be_proved_is_said(log, path, status, code):
    response = Caller(None).get(f"audit/proofs/{path}")
    refused(response, status, code)
    assert (status == 409) == ("Retry-After" in response.headers)


def test_an_entrys_proof_is_a_text_that_carries_the_checkpoint(log):
    city = factories.city()
    response = Caller(city.auditor).get("audit/entries/42/proof")
    head, _blank, checkpoint = response.content.partition(b"\n\n")
    assert checkpoint == log.newest().raw
    lines = head.decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 42"]
    leaf = bytes(Entry.objects.get(seq=42).leaf)
    tree.check_inclusion(42, log.newest().size, leaf, raw(lines[2:]), log.newest().root)
    refused(Caller(city.enterprise).get("audit/entries/42/proof"), 403, "role.missing")
    refused(Caller(city.auditor).get("audit/entries/10000/proof"), 404, "not_found")
    some(1)
    sealer.seal_all()
    refused(
        Caller(city.auditor).get(f"audit/entries/{Entry.objects.first().seq}/proof"), 409, "log.not_covered"
    )


def test_a_damaged_tile_gives_no_proof(log):
    (log.folder / "tile/0/000").write_bytes(os.urandom(8192))
    refused(Caller(None).get("audit/proofs/inclusion", index=3), 503, "log.damaged")
    refused(Caller(None).get("audit/proofs/consistency", first=3), 503, "log.damaged")


def test_every_answer_of_the_api_carries_the_newest_checkpoint(log):
    for path in (
        "/api/datasets",
        "/api/audit/entries",
        "/api/no/such/address",
        "/api/schema",
        "/api/audit/checkpoint",
    ):
        assert base64.b64decode(Client().get(path)["X-Audit-Checkpoint"]) == log.newest().raw
    assert "X-Audit-Checkpoint" not in Client().get("/").headers
    before = log.newest()
    log.publish(1)
    assert Caller(None).get("audit/checkpoint").json() == {
        "origin": log.newest().origin,
        "size": before.size + 1,
        "root": base64.b64encode(log.newest().root).decode(),
        "note": log.newest().raw.decode(),
    }
