"""Receipts, openings and scoped exports that show one thing and prove another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.verifier.check import Known, check
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

OLD = world.ed25519()
TRUSTED = Known(keys=(OLD.key,))
BROKEN = Verdict.BROKEN


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(300))), (OLD,))


# --- Openings -----------------------------------------------------------------------------------------------
def opened(log: world.Log, tmp_path: Path, told: list[dict[str, Any] | bytes]):
    path = tmp_path / "openings"
    path.write_bytes(b"".join(one if isinstance(one, bytes) else world.line(**one) for one in told))
    (tmp_path / "log").write_bytes(b"".join(world.jsonl(log)))
    return check(tmp_path / "log", TRUSTED, openings=path)


WRONG = world.opening(107, "name", "somebody else")


@pytest.mark.parametrize(
    "after", [world.opening(107, "name", "张三107"), world.withheld(107, "name")], ids=["right", "withheld"]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_wrong_opening_is_not_hidden_by_another_one(log, tmp_path, after, first):
    others = [one for one in world.openings(300) if (one["seq"], one["field"]) != (107, "name")]
    pair = [WRONG, after] if first else [after, WRONG]
    report = opened(log, tmp_path, [*others[:5], pair[0], *others[5:], pair[1]])
    assert (report.verdict, report.finding.seq) == (BROKEN, 107)


def test_an_opening_shows_one_value(log, tmp_path):
    right = world.line(**world.opening(107, "name", "张三107"))
    two = right.replace(b'"value":', b'"value":"somebody else","value":')
    with pytest.raises(Unreadable, match="line 1"):
        opened(log, tmp_path, [two, *world.openings(300)])


# --- Receipts -----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def made() -> tuple[world.Log, bytes]:
    return world.released(620, signers=(OLD,))


def receipt_report(tmp_path: Path, content: dict[str, Any] | bytes):
    path = tmp_path / "receipt"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return check(path, TRUSTED)


def test_a_receipt_that_shows_one_thing_and_hashes_another_is_refused(tmp_path):
    known = world.Log(tuple(world.seal(world.bodies(590))))
    plain = world.receipt_for(known, 590)
    for twice in (
        b'"result":"sha256:bb","result":"sha256:aa"',
        b'"result":"sha256:bb","r\\u0065sult":"sha256:aa"',
    ):
        receipt = plain.replace(b'"result":"sha256:aa"', twice)
        log = world.releasing(receipt, 620, signers=(OLD,))
        assert receipt_report(tmp_path, world.receipt_proof(log, receipt)).finding.code == "receipt"


@pytest.mark.parametrize("name", ["release", "result", "contract", "run"])
def test_what_a_receipt_does_not_say_agrees_with_nothing(tmp_path, name):
    """The operator releases a nothing: neither the receipt nor the entry says of what."""
    known = world.Log(tuple(world.seal(world.bodies(590))))
    for value in (None, 1, "", [], {"a": 1}):
        told = json.loads(world.receipt_for(known, 590)) | {name: value}
        for receipt in (told, {k: v for k, v in told.items() if k != name}):
            raw = json.dumps(receipt, sort_keys=True).encode()
            honest = json.loads(world.releasing(raw, 620).entries[world.RELEASED])["x"]
            x = {k: v for k, v in {**honest, name: receipt.get(name)}.items() if v is not None}
            change = {"act": "run.released", "obj": "run:1", "out": "ok", "x": x, "pc": None}
            log = world.Log(tuple(world.seal(world.bodies(620, {world.RELEASED: change}))), (OLD,))
            assert receipt_report(tmp_path, world.receipt_proof(log, raw)).finding is not None


SWAPS = {
    "the proof of another entry": lambda log, proof: proof | {"proof": world.tlog_proof(log, 599, log.checkpoint(), log.size)},
    "another index": lambda _log, proof: proof | {"proof": proof["proof"].replace("index 600", "index 599")},
    "another entry with its own proof": lambda log, proof: proof | {
        "entry": log.entries[599].decode(), "proof": world.tlog_proof(log, 599, log.checkpoint(), log.size)},
    "an older checkpoint": lambda log, proof: proof | {"proof": world.tlog_proof(log, 600, log.checkpoint(610), 610)},
    "no history": lambda _log, proof: proof | {"consistency": []},
    "a tree of none": lambda _log, proof: proof | {
        "receipt": proof["receipt"].replace('"size":590', '"size":0'), "consistency": []},
    "more history": lambda _log, proof: proof | {"consistency": [*proof["consistency"], "A" * 43 + "="]},
    "an index beyond": lambda _log, proof: proof | {"proof": proof["proof"].replace("index 600", f"index {2**63}")},
}  # fmt: skip


@pytest.mark.parametrize("swap", SWAPS)
def test_the_parts_of_a_receipt_belong_together(tmp_path, made, swap):
    log, receipt = made
    proof = world.receipt_proof(log, receipt)
    assert receipt_report(tmp_path, proof).ok
    report = receipt_report(tmp_path, SWAPS[swap](log, proof))
    assert report.verdict == BROKEN


def test_a_receipt_from_before_the_first_checkpoint_pins_the_empty_tree(tmp_path):
    empty = world.Log(())
    for stated, proof in (({"root": world.b64([b"\1" * 32])[0], "size": 0}, []), (None, ["A" * 43 + "="])):
        checkpoint = stated or {"root": world.b64([world.mth([])])[0], "size": 0}
        receipt = world.receipt_for(empty, 0, checkpoint=checkpoint)
        log = world.releasing(receipt, 620, signers=(OLD,))
        report = receipt_report(tmp_path, world.receipt_proof(log, receipt, consistency=proof))
        assert report.finding.code == "consistency"


def test_a_receipt_of_one_run_is_not_that_of_another(tmp_path):
    known = world.Log(tuple(world.seal(world.bodies(590))))
    receipt = world.receipt_for(known, 590, run="2")
    log = world.releasing(receipt, 620, signers=(OLD,))  # entry 600 is about run:1
    assert receipt_report(tmp_path, world.receipt_proof(log, receipt)).finding.code == "receipt_entry"


# --- Scoped exports -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "scope", ["org-", "org-departmen", "org-department ", "ORG-DEPARTMENT", "org-department\u200b", "", "*"]
)
def test_a_scope_is_one_organization_to_the_letter(log, tmp_path, scope):
    path = tmp_path / "scoped"
    path.write_bytes(b"".join([world.line(scope=scope), *world.scoped(log)[1:]]))
    assert check(path, TRUSTED).verdict == BROKEN
