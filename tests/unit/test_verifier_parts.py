"""Scoped exports and receipts: each entry stands in the log everybody sees, and the keys can be handed over there too."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from audit.verifier.check import Known, check
from audit.verifier.known import Noted
from audit.verifier.note import parse_checkpoint
from audit.verifier.policy import parse_policy
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

OLD, NEW = world.ed25519(), world.ed25519(seed="second")
TRUSTED = Known(keys=(OLD.key,))
BROKEN, CONTRADICTED = Verdict.BROKEN, Verdict.CONTRADICTED


@pytest.fixture(scope="module")
def made() -> tuple[world.Log, bytes]:
    return world.released(signers=(NEW,), handovers={401: (OLD, NEW)})


@pytest.fixture(scope="module")
def log(made) -> world.Log:
    return made[0]


@pytest.fixture(scope="module")
def receipt(made) -> bytes:
    return made[1]


@pytest.fixture
def judged(tmp_path):
    def judge(content, known=TRUSTED, **how):
        path = tmp_path / "export"
        raw = json.dumps(content).encode() if isinstance(content, dict) else content
        path.write_bytes(raw if isinstance(raw, bytes) else b"".join(raw))
        return check(path, known, **how)

    return judge


def codes(report) -> list[str]:
    return [warning.code for warning in report.warnings]


# -- scoped exports --


def test_a_scoped_export_proves_each_entry_and_says_what_it_cannot_prove(log, judged):
    report = judged(world.scoped(log))
    assert report.ok, report.finding
    assert (report.kind, report.scope, report.size) == ("scoped", world.DEPARTMENT, 1000)
    assert report.entries == len(world.scoped(log)) - 3 == sum(report.acts.values())
    assert [signer.vkey for signer in report.signers] == [NEW.vkey]
    assert "scoped" in codes(report)


def test_a_scope_without_entries_is_whole(log, judged):
    report = judged(world.scoped(log, "org-nobody"))
    assert (report.ok, report.entries) == (True, 0)


def test_an_entry_of_others_does_not_belong_there(log, judged):
    lines = [world.line(scope="org-other"), *world.scoped(log)[1:]]
    report = judged(lines)
    assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "scope", 0)


def test_entries_stand_in_order_and_once(log, judged):
    lines = world.scoped(log)
    assert judged([*lines[:5], lines[6], lines[5], *lines[7:]]).finding.code == "order"
    assert judged([*lines[:6], lines[5], *lines[6:]]).finding.code == "order"


def test_that_one_was_left_out_is_not_noticed_as_the_report_says(log, judged):
    lines = world.scoped(log)
    assert judged([*lines[:5], *lines[6:]]).ok


def test_an_entry_that_was_changed_is_named(log, judged):
    lines = world.scoped(log)
    for at in (1, 5, 100):
        seq = json.loads(json.loads(lines[at])["entry"])["_seq"]
        forged = [*lines[:at], lines[at].replace(b"account-", b"account_"), *lines[at + 1 :]]
        report = judged(forged)
        assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "inclusion", seq)


def test_a_flipped_bit_in_a_scoped_export_is_found(log, judged):
    whole = b"".join(world.scoped(replace(log, entries=log.entries[:60], signers=(OLD,), handovers={})))
    chosen = random.Random(3)
    for at in [0, 9, *chosen.sample(range(len(whole) - 1), 300)]:
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        try:
            assert not judged(bytes(flipped)).ok, at
        except Unreadable:
            assert at < 20


# -- receipts --


def test_a_receipt_proves_its_release_with_the_logs_key_alone(log, receipt, judged):
    report = judged(world.receipt_proof(log, receipt))
    assert report.ok, report.finding
    assert (report.kind, report.size, report.entries) == ("receipt", 1000, 1)
    assert report.facts["release"] == "r1"
    assert report.facts["entry"] == str(world.RELEASED)
    assert judged(world.receipt_proof(log, receipt, key_changes=[])).finding.code == "unsigned"
    assert judged(world.receipt_proof(log, receipt, key_changes=[]), Known(keys=(NEW.key,))).ok


def test_a_receipt_made_before_the_first_checkpoint_needs_no_consistency(judged):
    log, receipt = world.released(known=0)
    content = world.receipt_proof(log, receipt)
    assert content["consistency"] == []
    assert judged(content).ok
    assert judged(content | {"consistency": ["A" * 43 + "="]}).finding.code == "consistency"


def test_receipts_meet_the_quorum_too(receipt, log, judged):
    witness = world.witness("w1.test")
    known = Known(policy=parse_policy(world.policy(OLD, [witness])))
    assert judged(world.receipt_proof(log, receipt), known).finding.code == "quorum"
    report = judged(world.receipt_proof(replace(log, witnesses=(witness,)), receipt), known)
    assert report.ok
    assert report.quorum is True


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"version": 2}, "receipt"), ({"version": True}, "receipt"), ({"more": 1}, "receipt"), ({"entry": 1}, "receipt"),
        ({"consistency": [1]}, "receipt"), ({"consistency": ["x"]}, "receipt"), ({"consistency": []}, "consistency"),
        ({"proof": ""}, "receipt"), ({"key_changes": ["x"]}, "receipt"), ({"receipt": "x"}, "receipt"),
        ({"receipt": "{}"}, "receipt"), ({"entry": "{}"}, "fields"), ({"entry": "\ud800"}, "not_json"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_receipt_that_is_not_as_the_format_says_is_refused(log, receipt, judged, change, code):
    report = judged(world.receipt_proof(log, receipt) | change)
    assert report.verdict == BROKEN
    assert report.finding.code == code


def test_another_entry_is_no_proof_of_the_receipt(log, receipt, judged):
    for seq in (world.RELEASED - 1, world.RELEASED + 1):
        report = judged(world.receipt_proof(log, receipt, seq=seq))
        assert (report.finding.code, report.finding.seq) == ("receipt_entry", seq)
    moved = world.receipt_proof(log, receipt, entry=log.entries[world.RELEASED + 1].decode())
    assert judged(moved).finding.code == "inclusion"


@pytest.mark.parametrize("field", ["release", "result", "contract"])
def test_a_receipt_and_its_entry_speak_of_the_same(log, field, judged):
    forged = world.receipt_for(log, 590, **{field: "sha256:other"})
    assert judged(world.receipt_proof(world.releasing(forged), forged)).finding.code == "receipt_entry"


@pytest.mark.parametrize(
    "stated",
    [
        lambda log: {"root": world.b64([world.mth(world.rewritten(log, 3).leaves[:590])])[0], "size": 590},
        lambda log: {"root": world.b64([world.mth(log.leaves[:700])])[0], "size": 700},
        lambda log: {"root": world.b64([world.mth(log.leaves[:590])])[0], "size": 591},
        lambda log: {"root": "?", "size": 590},
    ],
    ids=["rewritten", "younger than its entry", "of another size", "no root"],
)
def test_a_receipt_of_another_history_is_found(log, judged, stated):
    checkpoint = stated(log)
    forged = world.receipt_for(log, 590, checkpoint=checkpoint)
    false = world.releasing(forged)
    consistency = world.b64(world.consistency(checkpoint["size"], false.leaves))
    report = judged(world.receipt_proof(false, forged, consistency=consistency))
    assert (report.verdict, report.finding.code) == (BROKEN, "consistency")


def test_a_flipped_bit_in_a_receipt_is_found(judged):
    log, receipt = world.released(700, signers=(OLD,))
    whole = json.dumps(world.receipt_proof(log, receipt), ensure_ascii=False).encode()
    chosen = random.Random(4)
    for at in chosen.sample(range(len(whole)), 400):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        try:
            assert not judged(bytes(flipped)).ok, (at, whole[at - 20 : at + 20])
        except Unreadable:
            continue


# -- what is known from outside --


@pytest.fixture(params=["scoped", "receipt"])
def part(request, log, receipt):
    return lambda log=log: (
        world.scoped(log) if request.param == "scoped" else world.receipt_proof(log, receipt)
    )


def with_key_changes(content, *changes: str):
    if isinstance(content, dict):
        return content | {"key_changes": list(changes)}
    return [*content[:-1], *(world.line(key_change=change) for change in changes), content[-1]]


def test_an_announcement_counts_for_its_own_checkpoint_alone(part, log, judged):
    """A thief announces his key in a tree of his own, and adds his line to a checkpoint that the old key did sign."""
    thief = world.ed25519(seed="thief")
    told = world.bodies(6, {5: world.key_entry("added", thief, thief)})
    own = world.Log(tuple(world.seal(told)), handovers={6: (thief,)})
    added = replace(log, handovers={401: (OLD, NEW, thief)})
    changes = [*world.handover_proofs(own), *world.handover_proofs(added)]
    content = with_key_changes(part(replace(log, signers=(thief,), handovers={})), *changes)
    assert judged(content).finding.code == "unsigned"
    assert judged(with_key_changes(part(replace(log, handovers={})), *changes)).ok


def test_a_hand_over_needs_the_entry_that_announces_the_key(part, log, judged):
    thief = world.ed25519(seed="thief")
    for handovers in ({401: (thief, NEW)}, {401: (OLD,)}, {401: (NEW,)}):
        assert judged(part(replace(log, handovers=handovers))).finding.code == "unsigned"
    told = world.bodies(401, {400: world.key_entry("added", thief, thief)})
    false = world.Log(tuple(world.seal(told)), handovers={401: (thief,)})
    proof = world.handover_proofs(false)[0]
    content = part(replace(log, signers=(thief,), handovers={}))
    content = with_key_changes(content, proof)
    assert judged(content).finding.code == "unsigned"


def test_a_bare_note_hands_nothing_over(part, log, judged):
    note = log.key_changes()[401].decode()
    content = part(replace(log, handovers={}))
    content = with_key_changes(content, note)
    assert judged(content).finding.code == "unsigned"
    assert judged(content, Known(keys=(NEW.key,))).ok


def test_a_signature_that_does_not_fit_comes_first(part, log, judged):
    forged = replace(NEW, sign=lambda text: NEW.sign(text + b"!"))
    report = judged(part(replace(log, signers=(forged,))), Known(keys=(NEW.key,)))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "signature")


def test_without_a_key_it_is_said_that_no_signature_was_checked(part, judged):
    report = judged(part(), Known())
    assert report.ok
    assert "no_keys" in codes(report)


def test_only_checkpoints_of_the_same_size_can_be_compared(part, log, judged):
    seen = [parse_checkpoint(log.checkpoint(size)) for size in (700, 1000)]
    report = judged(part(), replace(TRUSTED, checkpoints=(Noted("a", seen[0]), Noted("b", seen[1]))))
    assert report.ok
    assert codes(report).count("not_compared") == 1
    other = parse_checkpoint(world.rewritten(log, 5).checkpoint())
    report = judged(part(), replace(TRUSTED, checkpoints=(Noted("c", other),)))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "fork")


def test_a_state_is_compared_and_its_keys_are_used(part, log, judged, tmp_path):
    world.write(tmp_path / "folder", world.files(log))
    state = tmp_path / "state"
    assert check(tmp_path / "folder", TRUSTED, state=state).ok
    before = state.read_bytes()
    report = judged(part(), Known(), state=state)
    assert report.ok
    assert [signer.vkey for signer in report.signers] == [NEW.vkey]
    assert state.read_bytes() == before


def test_a_receipt_without_its_proof_is_told_apart(receipt, judged):
    with pytest.raises(Unreadable, match="give the receipt with its proof"):
        judged(receipt)
