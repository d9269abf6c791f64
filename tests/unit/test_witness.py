"""A witness cosigns a checkpoint only if it continues the one before, and never forgets that one."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest

from audit.verifier.note import parse_checkpoint, parse_key, parse_note
from audit.witness import memory as memories
from audit.witness.__main__ import main
from audit.witness.memory import CannotStart, Memory
from audit.witness.witness import Witness
from tests.log_world import Log, ed25519
from tests.witnessing import log_of, proof, request, text

NAME = "auditor.example/w1"
NOW = 1_790_000_000


@pytest.fixture
def log() -> Log:
    return log_of(20)


@pytest.fixture
def witness(tmp_path: Path, log: Log) -> Iterator[Witness]:
    with closing(Memory(tmp_path / "w", NAME)) as memory:
        yield Witness(memory, [log.signers[0].key], clock=lambda: NOW)


def at_eight(witness: Witness, log: Log) -> Witness:
    assert witness.add_checkpoint(request(log, 0, 8)).status == HTTPStatus.OK
    return witness


def test_a_first_checkpoint_is_cosigned_with_the_time(witness, log):
    answer = witness.add_checkpoint(request(log, 0, 8))
    assert answer.status == HTTPStatus.OK
    note = parse_note(log.checkpoint(8) + answer.body)
    key = witness._memory.key.public
    assert note.signers([key]) == {key: NOW}


@pytest.mark.parametrize("new", range(8, 21))
def test_whatever_continues_the_last_checkpoint_is_cosigned(witness, log, new):
    at_eight(witness, log)
    assert witness.add_checkpoint(request(log, 8, new)).status == HTTPStatus.OK


def test_an_empty_log_is_cosigned_and_may_grow(witness, log):
    assert witness.add_checkpoint(request(log, 0, 0)).status == HTTPStatus.OK
    assert witness.add_checkpoint(request(log, 0, 20)).status == HTTPStatus.OK


def changed(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body
    return body.replace(old, new, 1)


def malformed(log: Log) -> dict[str, bytes]:
    good = request(log, 8, 12)
    lines = good.split(b"\n")
    return {
        "nothing": b"",
        "no checkpoint": b"old 8\n\n",
        "no old line": changed(good, b"old 8\n", b""),
        "leading zero": changed(good, b"old 8", b"old 08"),
        "negative": changed(good, b"old 8", b"old -8"),
        "not ASCII": changed(good, b"old 8", "old ８".encode()),
        "proof not base64": changed(good, lines[1], b"?" + lines[1][1:]),
        "proof line too short": changed(good, lines[1], base64.b64encode(bytes(31))),
        "proof line empty": changed(good, lines[1], b""),
        "64 proof lines": request(log, 8, 12, lines=[bytes(32)] * 64),
        "carriage returns": good.replace(b"\n", b"\r\n"),
        "no signature": good[: good.rindex("—".encode())],
        "size not a number": changed(good, b"\n12\n", b"\ntwelve\n"),
        "root too short": changed(good, text(log, 12).split(b"\n")[2], b"AAAA"),
        "not UTF-8": good + b"\xff",
        "old larger than the checkpoint": request(log, 12, 8, lines=[]),
    }  # fmt: skip


@pytest.mark.parametrize("what", malformed(log_of(12)))
def test_what_is_not_a_request_gets_400(witness, log, what):
    at_eight(witness, log)
    assert witness.add_checkpoint(malformed(log)[what]).status == HTTPStatus.BAD_REQUEST


def test_an_unknown_log_gets_404(witness):
    assert (
        witness.add_checkpoint(request(log_of(3, origin="other.example"), 0)).status == HTTPStatus.NOT_FOUND
    )


def test_a_checkpoint_without_a_signature_of_the_log_gets_403(witness, log):
    stranger = log_of(20, origin="stranger.example")
    unsigned = changed(request(log, 0), log.signers[0].line(text(log)), stranger.signers[0].line(text(log)))
    assert witness.add_checkpoint(unsigned).status == HTTPStatus.FORBIDDEN
    for_another_text = changed(
        request(log, 0), log.signers[0].line(text(log)), log.signers[0].line(text(log, 3))
    )
    assert witness.add_checkpoint(for_another_text).status == HTTPStatus.FORBIDDEN


def test_signatures_of_unknown_keys_are_ignored(witness, log):
    stranger = log_of(0, origin="stranger.example").signers[0]
    assert witness.add_checkpoint(request(log, 0) + stranger.line(b"whatever")).status == HTTPStatus.OK


@pytest.mark.parametrize("old", [0, 7, 9, 20])
def test_another_old_size_gets_409_and_the_right_one(witness, log, old):
    answer = at_eight(witness, log).add_checkpoint(request(log, old, 20))
    assert (answer.status, answer.content_type) == (HTTPStatus.CONFLICT, "text/x.tlog.size")
    assert answer.body == b"8\n"


def test_a_rollback_gets_409_and_changes_nothing(witness, log):
    at_eight(witness, log)
    for old in range(6):
        answer = witness.add_checkpoint(request(log, old, 5))
        assert (answer.status, answer.body) == (HTTPStatus.CONFLICT, b"8\n")
    assert witness.add_checkpoint(request(log, 8, 5, lines=[])).status == HTTPStatus.BAD_REQUEST
    assert witness.add_checkpoint(request(log, 8, 9)).status == HTTPStatus.OK


def test_another_root_of_the_same_size_gets_409_and_is_kept_as_evidence(witness, log, tmp_path, caplog):
    at_eight(witness, log)
    forked = log_of(20, changed_at=3)
    for old in (8, 0):
        body = request(forked, old, 8, lines=[])
        answer = witness.add_checkpoint(body)
        assert (answer.status, answer.body) == (HTTPStatus.CONFLICT, b"8\n")
    assert "日志已分叉" in caplog.text
    assert "it has forked" in caplog.text
    (refused,) = (tmp_path / "w/evidence").glob("*.forked")  # the same fork is kept once
    assert refused.read_bytes().endswith(forked.checkpoint(8))
    held = parse_checkpoint(refused.with_suffix(".cosigned").read_bytes())
    assert held.note.text == text(log, 8)
    own = witness._memory.key.public  # signed by log and witness: it convinces others, too
    assert held.note.signers([log.signers[0].key, own]) == {log.signers[0].key: None, own: NOW}


def test_a_rewritten_log_gets_422_and_is_kept_as_evidence(witness, log, tmp_path, caplog):
    at_eight(witness, log)
    body = request(log_of(20, changed_at=3), 8, 20)
    assert witness.add_checkpoint(body).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [path.read_bytes() for path in (tmp_path / "w/evidence").glob("*.refused")] == [body]
    assert [record.levelno for record in caplog.records if "!!!" in record.message] == [logging.ERROR]
    assert witness.add_checkpoint(request(log, 8, 20)).status == HTTPStatus.OK


def test_a_proof_that_does_not_fit_gets_422(witness, log):
    at_eight(witness, log)
    good = proof(log, 8, 20)
    for lines in ([], good[:-1], [*good, bytes(32)], good[::-1], [bytes(32), *good[1:]]):
        assert witness.add_checkpoint(request(log, 8, 20, lines)).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_proof_where_there_is_nothing_to_prove_gets_422_and_no_alarm(witness, log, tmp_path):
    at_eight(witness, log)
    assert witness.add_checkpoint(request(log, 8, 8, [bytes(32)])).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert not (tmp_path / "w/evidence").exists()


def test_a_proof_from_the_empty_tree_gets_422(witness, log):
    assert witness.add_checkpoint(request(log, 0, 8, [bytes(32)])).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_false_proofs_do_not_fill_the_disk(witness, log, tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "MOST_EVIDENCE", 3)
    at_eight(witness, log)
    for size in range(9, 20):
        for seed in range(2):
            witness.add_checkpoint(request(log, 8, size, [bytes([seed]) * 32]))
    assert len(list((tmp_path / "w/evidence").glob("*.refused"))) == 3
    witness.add_checkpoint(request(log_of(20, changed_at=3), 8, 8, []))
    assert (
        len(list((tmp_path / "w/evidence").glob("*.forked"))) == 1
    )  # what only the log can do is kept besides


def test_of_requests_at_the_same_time_one_wins(witness, log):
    at_eight(witness, log)
    ready, answers = threading.Barrier(12), {}

    def ask(size: int) -> None:
        ready.wait()
        answers[size] = witness.add_checkpoint(request(log, 8, size)).status

    threads = [threading.Thread(target=ask, args=[size]) for size in range(9, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [size for size, status in answers.items() if status == HTTPStatus.OK]
    assert len(won) == 1
    assert set(answers.values()) == {HTTPStatus.OK, HTTPStatus.CONFLICT}
    assert witness._memory.latest(log.origin).size == won[0]


def test_the_memory_is_on_the_disk_before_the_answer(witness, log, tmp_path, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError("the disk is full")

    at_eight(witness, log)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="full"):
            witness.add_checkpoint(request(log, 8, 20))
    told = json.loads((tmp_path / "w/checkpoints.json").read_bytes())
    assert parse_checkpoint(told["checkpoints"][0].encode()).size == 8
    assert witness.add_checkpoint(request(log, 8, 20)).status == HTTPStatus.OK
    told = json.loads((tmp_path / "w/checkpoints.json").read_bytes())
    assert parse_checkpoint(told["checkpoints"][0].encode()).size == 20


def test_a_new_key_of_a_log_is_believed_when_the_operator_names_it(tmp_path, log):
    new = ed25519(seed="second")
    body = request(log, 0).replace(log.signers[0].line(text(log)), new.line(text(log)))
    with closing(Memory(tmp_path / "w", NAME)) as memory:
        assert Witness(memory, [log.signers[0].key]).add_checkpoint(body).status == HTTPStatus.FORBIDDEN
        both = Witness(memory, [log.signers[0].key, new.key])
        assert both.add_checkpoint(body).status == HTTPStatus.OK
        assert both.add_checkpoint(request(log, 20)).status == HTTPStatus.OK


def test_after_a_new_start_it_goes_on_where_it_was(witness, log, tmp_path):
    at_eight(witness, log)
    vkey = witness._memory.key.vkey
    witness._memory.close()
    with closing(Memory(tmp_path / "w", "")) as memory:
        again = Witness(memory, [log.signers[0].key])
        assert memory.key.vkey == vkey
        assert again.add_checkpoint(request(log, 0, 20)).body == b"8\n"
        assert again.add_checkpoint(request(log, 8, 20)).status == HTTPStatus.OK


def test_the_key_is_readable_by_its_owner_alone(witness, tmp_path):
    assert stat.S_IMODE((tmp_path / "w/key").stat().st_mode) == 0o600


def test_one_process_holds_the_folder(witness, tmp_path):
    with pytest.raises(CannotStart, match="another witness is running"):
        Memory(tmp_path / "w", NAME)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    """One digit of the last base64 text in the file."""
    raw = bytearray(path.read_bytes())
    at = max(i for i, byte in enumerate(raw[:-12]) if chr(byte).isalnum())
    raw[at] = ord("A") if raw[at] != ord("A") else ord("B")
    path.write_bytes(raw)


def smaller(path: Path) -> None:
    told = json.loads(path.read_bytes())
    told["checkpoints"] = [note.replace("\n8\n", "\n3\n") for note in told["checkpoints"]]
    path.write_text(json.dumps(told))


@pytest.mark.parametrize("name", ["key", "checkpoints.json"])
@pytest.mark.parametrize("harm", [Path.unlink, cut, flip, lambda path: path.write_bytes(b"")])
def test_with_a_damaged_memory_it_does_not_start(witness, log, tmp_path, name, harm):
    at_eight(witness, log)
    witness._memory.close()
    harm(tmp_path / "w" / name)
    with pytest.raises(CannotStart, match="start with a new folder"):
        Memory(tmp_path / "w", NAME)


@pytest.mark.parametrize(
    "told", ["[]", '{"version":2,"checkpoints":[]}', '{"version":1,"checkpoints":[1]}', "[" * 9999]
)
def test_a_memory_of_another_form_is_not_taken_for_an_empty_one(witness, tmp_path, told):
    witness._memory.close()
    (tmp_path / "w/checkpoints.json").write_text(told)
    with pytest.raises(CannotStart):
        Memory(tmp_path / "w", NAME)


def test_an_edited_memory_is_noticed(witness, log, tmp_path):
    at_eight(witness, log)
    witness._memory.close()
    smaller(tmp_path / "w/checkpoints.json")
    with pytest.raises(CannotStart):
        Memory(tmp_path / "w", NAME)


def test_a_first_start_that_was_cut_short_can_be_repeated(tmp_path):
    Memory(tmp_path / "w", NAME).close()
    (tmp_path / "w/key").unlink()  # it is written last
    with closing(Memory(tmp_path / "w", NAME)) as memory:
        assert memory.key.name == NAME


def test_another_name_takes_another_folder(witness, tmp_path):
    witness._memory.close()
    with pytest.raises(CannotStart, match="another folder"):
        Memory(tmp_path / "w", "auditor.example/w2")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb"])
def test_a_name_is_one_word_without_a_plus_sign(tmp_path, name):
    with pytest.raises(CannotStart):
        Memory(tmp_path / "w", name)


def test_the_page_tells_who_it_is_and_how_far_it_has_come(witness, log):
    assert "尚无检查点 · no checkpoint yet" in witness.page()
    page = at_eight(witness, log).page()
    for told in (witness._memory.key.vkey, log.signers[0].vkey, "size 8", "2026-09-21T14:13:20Z"):
        assert told in page


def test_show_key_makes_the_key_once(tmp_path, capsys):
    arguments = ["--folder", str(tmp_path / "w"), "--name", NAME, "--show-key"]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert parse_key(first).name == NAME
    assert main(arguments) == 0
    assert capsys.readouterr().out == first


@pytest.mark.parametrize("wrong", [["--log", "no key"], ["--name", ""], ["--log", ed25519().vkey[:-4]]])
def test_what_it_cannot_start_with_is_said(tmp_path, capsys, wrong):
    assert main(["--folder", str(tmp_path / "w"), "--name", NAME, "--listen", "127.0.0.1:0", *wrong]) == 2
    assert "无法启动 · cannot start" in capsys.readouterr().err


def test_a_witness_s_key_is_not_taken_for_that_of_a_log(tmp_path, witness, capsys):
    assert main(["--folder", str(tmp_path / "v"), "--name", NAME, "--log", witness._memory.key.vkey]) == 2
    assert "not a log's" in capsys.readouterr().err
