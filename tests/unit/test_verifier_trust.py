"""A checkpoint counts by who signed it: trusted keys, keys they handed over to, never retired ones, and the quorum."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from audit.verifier.check import Known, check
from audit.verifier.known import keys_of, policy_of
from audit.verifier.policy import parse_policy
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

OLD, NEW, SM2 = world.ed25519(), world.ed25519(seed="second"), world.sm2()
W1, W2, W3 = (world.witness(name) for name in ("w1.test", "w2.test", "w3.test"))
CONTRADICTED = Verdict.CONTRADICTED


@pytest.fixture(scope="module")
def entries() -> tuple[bytes, ...]:
    """Entry 400 announces NEW, entry 800 retires OLD."""
    return tuple(world.seal(world.bodies()))


@pytest.fixture(params=["file", "folder"])
def judged(request, tmp_path):
    """The log in one form or the other, verified."""

    def judge(log: world.Log, known: Known, *, fast: bool = False, **changes: bytes):
        path = tmp_path / "export"
        if request.param == "folder":
            world.write(path, world.files(log) | changes)
        else:
            path.write_bytes(b"".join(world.jsonl(log)))
        return check(path, known, fast=fast)

    return judge


def trusting(*signers: world.Signer, policy: bytes | None = None) -> Known:
    return Known(keys=tuple(s.key for s in signers), policy=parse_policy(policy) if policy else None)


def codes(report) -> list[str]:
    return [warning.code for warning in report.warnings]


def test_whoever_signs_is_named_with_the_algorithm(entries, judged):
    report = judged(world.Log(entries, (NEW, SM2)), trusting(NEW, SM2))
    assert report.ok
    assert {(s.vkey, s.algorithm) for s in report.signers} == {(NEW.vkey, "Ed25519"), (SM2.vkey, "SM2/SM3")}


def test_the_sm2_line_is_checked_once_its_key_is_trusted(entries, judged):
    forged = replace(SM2, sign=lambda text: SM2.sign(text + b"!"))
    assert judged(world.Log(entries, (NEW, forged)), trusting(NEW)).ok  # a line of a key nobody knows
    report = judged(world.Log(entries, (NEW, forged)), trusting(NEW, SM2))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "signature")


def test_a_key_that_stopped_signing_is_mentioned(entries, judged):
    report = judged(world.Log(entries, (NEW,)), trusting(NEW, SM2))
    assert report.ok
    assert codes(report).count("silent_key") == 1


def test_without_a_key_it_is_said_that_no_signature_was_checked(entries, judged):
    report = judged(world.Log(entries), Known())
    assert report.ok
    assert report.signers == ()
    assert "no_keys" in codes(report)


@pytest.mark.parametrize("fast", [False, True])
def test_an_old_key_hands_over_to_a_new_one(entries, judged, fast):
    log = world.Log(entries, (NEW,), handovers={401: (OLD, NEW)})
    report = judged(log, trusting(OLD), fast=fast)
    assert report.ok, report.finding
    assert [signer.vkey for signer in report.signers] == [NEW.vkey]


@pytest.mark.parametrize(
    ("size", "signers"),
    [(400, (OLD, NEW)), (401, (NEW,)), (401, (OLD,)), (401, (world.ed25519(seed="thief"), NEW)), (801, (OLD, NEW))],
    ids=["before it is announced", "without the old key", "without the new key", "by a stranger", "when retired"],
)  # fmt: skip
def test_a_hand_over_counts_only_by_old_and_new_key_over_the_announcement(entries, judged, size, signers):
    report = judged(world.Log(entries, (NEW,), handovers={size: signers}), trusting(OLD))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "unsigned")


def test_a_hand_over_of_another_tree_is_a_fault_of_the_log(entries, tmp_path):
    log = world.Log(entries, (NEW,))
    other = world.rewritten(replace(log, entries=entries[:401]), 7)
    files = world.files(log) | {"keys/401": other.checkpoint(signers=(OLD, NEW))}
    report = check(world.write(tmp_path, files), trusting(OLD))
    assert (report.verdict, report.finding.code) == (Verdict.BROKEN, "other_root")
    assert "keys/401" in report.finding.en


def test_a_chain_of_hand_overs_is_followed(tmp_path):
    third = world.ed25519(seed="third")
    told = world.bodies(1000, {500: world.key_entry("added", third, OLD, NEW)})
    log = world.Log(tuple(world.seal(told)), (third,), handovers={401: (OLD, NEW), 501: (OLD, NEW, third)})
    for path in ("a", "b"):
        (tmp_path / path).write_bytes(b"".join(world.jsonl(log)))
        assert check(tmp_path / path, trusting(OLD if path == "a" else NEW)).ok


def test_a_retired_key_signs_only_for_trees_without_its_retirement(entries, judged):
    assert judged(world.Log(entries, (OLD,), covered=800), trusting(OLD)).ok
    report = judged(world.Log(entries, (OLD,), covered=801), trusting(OLD))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "retired_key")
    assert judged(world.Log(entries, (OLD, NEW)), trusting(OLD, NEW)).ok  # the other one is in use


def test_a_log_of_another_name_is_not_this_one(entries, judged):
    report = judged(world.Log(entries), trusting(world.ed25519("other.test/log")))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "other_log")


def test_a_file_without_checkpoint_has_nothing_to_check_a_key_on(entries, tmp_path):
    lines = world.jsonl(world.Log(entries))[:-1]
    (tmp_path / "log").write_bytes(b"".join(lines))
    assert check(tmp_path / "log").ok
    assert check(tmp_path / "log", trusting(OLD)).finding.code == "unsigned_log"


@pytest.mark.parametrize(
    ("threshold", "cosigners", "met"),
    [
        ("any", (), False), ("any", (W2,), True), ("2", (W2,), False), ("2", (W1, W3), True),
        ("all", (W1, W3), False), ("all", (W1, W2, W3), True), ("any", (world.witness("stranger.test"),), False),
    ],
)  # fmt: skip
def test_a_quorum_is_met_or_the_log_is_refused(entries, judged, threshold, cosigners, met):
    policy = world.policy(OLD, (W1, W2, W3), threshold)
    report = judged(world.Log(entries, (OLD,), cosigners, covered=700), trusting(policy=policy))
    assert report.quorum is met
    assert report.ok is met
    assert {c.time for c in report.cosigners} == ({1_790_000_000} if report.cosigners else set())
    if not met:
        assert (report.verdict, report.finding.code) == (CONTRADICTED, "quorum")


def test_a_cosignature_that_does_not_fit_spoils_the_checkpoint(entries, judged):
    forged = replace(W1, sign=lambda text: W1.sign(text + b"!"))
    policy = world.policy(OLD, (W1, W2), "any")
    report = judged(world.Log(entries, (OLD,), (forged, W2), covered=700), trusting(policy=policy))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "signature")


def test_a_time_that_is_no_date_does_not_trouble_the_report(entries, judged):
    late = world.witness("w1.test", time=2**63 - 1)
    report = judged(
        world.Log(entries, (OLD,), (late,), covered=700), trusting(policy=world.policy(OLD, (W1,)))
    )
    assert report.ok
    assert report.cosigners[0].time == 2**63 - 1
    beyond = world.witness("w1.test", time=2**63)
    report = judged(
        world.Log(entries, (OLD,), (beyond,), covered=700), trusting(policy=world.policy(OLD, (W1,)))
    )
    assert report.finding.code == "signature"


def test_the_parallel_tree_is_signed_by_the_same_keys(entries, tmp_path):
    log = world.Log(entries, (NEW, SM2))
    report = check(world.write(tmp_path / "a", world.files(log, sm3=True)), trusting(NEW))
    assert (report.ok, report.sm3_size) == (True, 1000)
    forged = world.files(log) | {
        name: data
        for name, data in world.files(replace(log, signers=(SM2,)), sm3=True).items()
        if "sm3" in name
    }
    report = check(world.write(tmp_path / "b", forged), trusting(NEW))
    assert report.finding.code == "unsigned"


def test_keys_and_policies_come_from_the_command_line_or_files(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# the log\n{OLD.vkey}\n\n{SM2.vkey}\n")
    assert keys_of(str(file)) == (OLD.key, SM2.key)
    assert keys_of(OLD.vkey) == (OLD.key,)
    for wrong in (W1.vkey, OLD.vkey[:-4] + "AAA=", "audit.test/log+00000000+AAAA"):
        with pytest.raises(Unreadable):
            keys_of(wrong)
    (tmp_path / "policy").write_bytes(b"log\n")
    with pytest.raises(Unreadable, match="line 1"):
        policy_of(Path(tmp_path / "policy"))
