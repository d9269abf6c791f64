"""What was seen before must still be there: the state of the last run, checkpoints from elsewhere, heads noted."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from audit import chain
from audit.verifier.check import Known, check
from audit.verifier.known import noted
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

KEY, NEW = world.ed25519(), world.ed25519(seed="second")
TRUSTED = Known(keys=(KEY.key,))
CONTRADICTED = Verdict.CONTRADICTED


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(350))))


@pytest.fixture(params=["file", "folder"])
def export(request, tmp_path):
    def write(log: world.Log, name: str = "export"):
        path = tmp_path / name
        if request.param == "folder":
            return world.write(path, world.files(log))
        path.write_bytes(b"".join(world.jsonl(log)))
        return path

    return write


def fork(log: world.Log, seq: int) -> world.Log:
    return world.rewritten(log, seq)


def test_a_log_that_grew_is_accepted_and_remembered(log, export, tmp_path):
    state = tmp_path / "state"
    assert check(export(log), TRUSTED, state=state).ok
    assert json.loads(state.read_text())["size"] == 350
    assert check(export(log, "again"), TRUSTED, state=state).ok
    assert check(export(world.grown(log, 300), "grown"), TRUSTED, state=state).ok
    assert json.loads(state.read_text())["size"] == 650


def test_a_tail_that_was_cut_and_signed_again_is_a_rollback(log, export, tmp_path):
    state = tmp_path / "state"
    check(export(log), TRUSTED, state=state)
    before = state.read_bytes()
    shorter = replace(log, entries=log.entries[:340])
    report = check(export(shorter, "shorter"), TRUSTED, state=state)
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "rollback")
    assert "350" in report.finding.en
    assert state.read_bytes() == before


@pytest.mark.parametrize("seq", [1, 349])
def test_a_past_that_was_rewritten_and_signed_again_is_a_fork(log, export, tmp_path, seq):
    state = tmp_path / "state"
    check(export(log), TRUSTED, state=state)
    report = check(export(world.grown(fork(log, seq), 50), "forked"), TRUSTED, state=state)
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "fork")
    assert "350" in report.finding.en


def test_checkpoints_seen_elsewhere_tell_rollback_and_fork_apart(log, export, tmp_path):
    seen = tmp_path / "seen"
    for raw in (log.checkpoint(), base64.b64encode(log.checkpoint()) + b"\n"):
        seen.write_bytes(raw)
        known = replace(TRUSTED, checkpoints=(noted(seen),))
        assert check(export(log), known).ok
        assert check(export(world.grown(log, 7), "grown"), known).ok
        assert check(export(fork(log, 300), "fork"), known).finding.code == "fork"
        report = check(export(replace(log, entries=log.entries[:349]), "cut"), known)
        assert (report.verdict, report.finding.code) == (CONTRADICTED, "rollback")
        assert str(seen) in report.finding.en


def test_a_checkpoint_nobody_signed_is_called_no_evidence(log, export, tmp_path):
    seen = tmp_path / "seen"
    seen.write_bytes(log.checkpoint(signers=(world.ed25519(seed="thief"),)))
    report = check(export(log), replace(TRUSTED, checkpoints=(noted(seen),)))
    assert report.ok
    assert "noted_unsigned" in [warning.code for warning in report.warnings]


def test_a_checkpoint_of_another_log_is_not_compared(log, export, tmp_path):
    seen = tmp_path / "seen"
    seen.write_bytes(replace(log, origin="other.test/log").checkpoint())
    report = check(export(log), replace(TRUSTED, checkpoints=(noted(seen),)))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "other_log")


def test_a_head_noted_before_must_be_in_the_log(log, export):
    for seq in (0, 200, 349):
        assert check(export(log), replace(TRUSTED, heads=frozenset([chain.leaf(log.entries[seq])]))).ok
    known = replace(TRUSTED, heads=frozenset([chain.leaf(log.entries[349])]))
    report = check(export(replace(log, entries=log.entries[:349]), "cut"), known)
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "head_unknown")


def test_keys_are_remembered_with_their_successors(export, tmp_path):
    state = tmp_path / "state"
    long = world.Log(tuple(world.seal(world.bodies(1000))), (NEW,), handovers={401: (KEY, NEW)})
    assert check(export(long), TRUSTED, state=state).ok
    told = json.loads(state.read_text())
    assert told["keys"] == [NEW.vkey]
    assert told["retired"] == [KEY.vkey]
    later = replace(world.grown(long, 5), handovers={})
    report = check(export(later, "later"), Known(), state=state)  # nobody names a key again
    assert report.ok
    assert [signer.vkey for signer in report.signers] == [NEW.vkey]


def test_a_key_that_was_retired_is_not_trusted_again_even_if_it_is_given(export, tmp_path):
    state = tmp_path / "state"
    long = world.Log(tuple(world.seal(world.bodies(1000))), (NEW,), handovers={401: (KEY, NEW)})
    check(export(long), TRUSTED, state=state)
    forged = replace(world.grown(long, 5), signers=(KEY,), handovers={})
    report = check(export(forged, "forged"), TRUSTED, state=state)
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "unsigned")


def test_only_what_the_checkpoint_covers_is_remembered(log, tmp_path):
    """A file may hold entries that no checkpoint covers yet, and a folder of the same day lack them."""
    (tmp_path / "file").write_bytes(b"".join(world.jsonl(replace(log, covered=340))))
    report = check(tmp_path / "file", TRUSTED, state=tmp_path / "state")
    assert report.ok
    assert "uncovered" in [warning.code for warning in report.warnings]
    folder = world.write(tmp_path / "folder", world.files(replace(log, covered=345)))
    assert check(folder, TRUSTED, state=tmp_path / "state").ok


def test_an_older_checkpoint_over_the_same_entries_makes_nobody_forget(log, tmp_path):
    path, state = tmp_path / "file", tmp_path / "state"
    for covered in (340, 100):
        path.write_bytes(b"".join(world.jsonl(replace(log, covered=covered))))
        assert check(path, TRUSTED, state=state).ok
        assert json.loads(state.read_text())["size"] == 340


def test_a_state_of_another_making_is_not_written_over(log, export, tmp_path):
    state = tmp_path / "state"
    for text in ("", "{}", "[]", '{"version":2}', '{"version":1,"size":-1,"root":"AAAA"}'):
        state.write_text(text)
        with pytest.raises(Unreadable, match="not written by this verifier"):
            check(export(log), TRUSTED, state=state)
        assert state.read_text() == text


def test_a_broken_log_is_not_remembered(log, export, tmp_path):
    path = export(log)
    target = path if path.is_file() else path / "tile/entries/000"
    target.write_bytes(target.read_bytes().replace(b"account-3", b"account-4", 1))
    assert not check(path, TRUSTED, state=tmp_path / "state").ok
    assert not (tmp_path / "state").exists()
