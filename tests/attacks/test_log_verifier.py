"""A hostile operator hands the auditor files: nothing in them hangs, crashes, reads elsewhere, or tells two stories."""

from __future__ import annotations

import json
import os
import socket
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit import chain
from audit.verifier.__main__ import main
from audit.verifier.check import Known, check
from audit.verifier.form import NotForm, fields_of
from audit.verifier.known import Noted
from audit.verifier.note import Malformed, parse_checkpoint, parse_key, parse_note
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

OLD, NEW = world.ed25519(), world.ed25519(seed="second")
TRUSTED = Known(keys=(OLD.key,))
BROKEN, CONTRADICTED = Verdict.BROKEN, Verdict.CONTRADICTED


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(300))), (OLD,))


def lines_of(log: world.Log, tmp_path: Path, change=lambda raw: raw) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_bytes(change(b"".join(world.jsonl(log))))
    return path


# --- Two stories under one key ------------------------------------------------------------------------------
def test_of_two_logs_by_one_key_the_second_is_found_by_whoever_saw_the_first(log, tmp_path):
    state = tmp_path / "state"
    other = world.rewritten(log, 5)
    for first, second in ((log, other), (other, log)):
        state.unlink(missing_ok=True)
        assert check(lines_of(first, tmp_path), TRUSTED, state=state).ok
        remembered = state.read_bytes()
        for form in ("lines", "folder", "hashes"):
            if form == "lines":
                path = lines_of(second, tmp_path)
            else:
                files = {
                    n: d for n, d in world.files(second).items() if form == "folder" or "entries" not in n
                }
                path = world.write(tmp_path / f"{form}-{id(second)}", files)
            report = check(path, TRUSTED, state=state)
            assert (report.verdict, report.finding.code) == (CONTRADICTED, "fork"), form
            assert state.read_bytes() == remembered


def test_the_memory_is_not_moved_by_a_log_without_trusted_signature(log, tmp_path):
    state = tmp_path / "state"
    assert check(lines_of(log, tmp_path), TRUSTED, state=state).ok
    longer = replace(world.grown(log, 50), signers=(world.ed25519(seed="thief"),))
    before = state.read_bytes()
    assert check(lines_of(longer, tmp_path), TRUSTED, state=state).finding.code == "unsigned"
    assert check(lines_of(longer, tmp_path), Known(), state=state).finding.code == "unsigned"
    assert state.read_bytes() == before


# --- One entry read in two ways -----------------------------------------------------------------------------
BODY = world.plain(5)


def rewritten(**change: Any) -> bytes:
    return chain.seal(
        b"\0" * 32,
        5,
        json.dumps({**BODY, **change}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
    )


RAW = {
    "a key twice": lambda e: e.replace(b'"actor":', b'"act":"account.login","actor":'),
    "a sequence as a float": lambda e: e.replace(b'"_seq":5', b'"_seq":5.0'),
    "a sequence in powers": lambda e: e.replace(b'"_seq":5', b'"_seq":5e0'),
    "a negative zero": lambda e: e.replace(b'"t":', b'"t":-0,"u":'),
    "a true sequence": lambda e: e.replace(b'"_seq":5', b'"_seq":true'),
    "leading zeros": lambda e: e.replace(b'"_seq":5', b'"_seq":05'),
    "blanks": lambda e: e.replace(b'":"', b'": "'),
    "an escaped letter": lambda e: e.replace(b"account-", b"\\u0061ccount-"),
    "an escaped slash": lambda e: e.replace(b"account-", b"\\/account-"),
    "a mark of byte order": lambda e: b"\xef\xbb\xbf" + e,
    "a carriage return": lambda e: e + b"\r",
    "a zero byte": lambda e: e.replace(b"account-", b"\0account-"),
    "an escaped zero": lambda e: e.replace(b'"v":1', b'"v":1,"x":"\\u0000"'),
    "a lone surrogate": lambda e: e.replace(b"account-", b"\xed\xa0\x80"),
    "an overlong slash": lambda e: e.replace(b"account-", b"\xc0\xaf"),
    "not a number": lambda e: e.replace(b'"v":1', b'"v":NaN'),
    "a number without end": lambda e: e.replace(b'"v":1', b'"v":' + b"9" * 10_000),
    "ten thousand brackets": lambda e: e.replace(b'"v":1', b'"v":' + b"[" * 10_000 + b"]" * 10_000),
    "behind the end": lambda e: e + b"{}",
    "sixty thousand brackets": lambda e: e[:-1] + b',"x":' + b'{"a":' * 12_000 + b"1" + b"}" * 12_000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("what", RAW)
def test_an_entry_has_one_reading_or_none(what):
    entry = rewritten()
    fields_of(entry)
    with pytest.raises(NotForm):
        fields_of(RAW[what](entry))


@pytest.mark.parametrize(
    "change",
    [
        {"act": "аccount.login"}, {"act": "account.login\u200b"}, {"act": "ａccount.login"}, {"out": "ok "}, {"out": "OK"},
        {"obj": "dataset:\u20281"}, {"obj": "dataset:a b"}, {"actor": "e\u0301"}, {"actor": "\u212b"}, {"org": "\ufb01\u0344"},
        {"x": {"Act": 1}}, {"x": {"а": 1}}, {"x": {"_seq": 1}}, {"x": {"n": 2**53}}, {"x": {"n": [1.5]}}, {"cp": ["é", "e\u0301"]},
    ],
    ids=ascii,
)  # fmt: skip
def test_look_alikes_and_other_spellings_are_no_entries(change):
    with pytest.raises(NotForm):
        fields_of(rewritten(**change))


@pytest.mark.parametrize("text", ["a\n\u0301", "\t\u030c", "\b\u0301", "\r\u0327x", "\\n\u0302"])
def test_whatever_the_writer_may_write_the_reader_takes(text):
    """Seen as bytes the mark stands behind the letter of an escape: an honest log must not look broken for that."""
    assert fields_of(chain.seal(b"\0" * 32, 5, chain.body({**BODY, "x": {"note": text}})))["x"] == {
        "note": text
    }


# --- Lies in one entry about others -------------------------------------------------------------------------
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "erased what never was": ({"act": "log.erased", "x": {"ids": [world.event_id(10**6)], "fields": ["name"], "basis": "x"}}, "erasure"),
    "erased itself": ({"act": "log.erased", "x": {"ids": [world.event_id(200)], "fields": ["name"], "basis": "x"}}, "erasure"),
    "erased what comes later": ({"act": "log.erased", "x": {"ids": [world.event_id(217)], "fields": ["name"], "basis": "x"}}, "erasure"),
    "one more than there were": ({"act": "log.reconciled", "x": world.reconciled(world.bodies(300), 0, 190, counts=[["account.login", 64]])}, "reconciled"),
    "a true number that is a truth": ({"act": "log.reconciled", "x": world.reconciled(world.bodies(300), 0, 190, findings=False)}, "reconciled"),
    "counts beyond itself": ({"act": "log.reconciled", "x": world.reconciled(world.bodies(300), 0, 201)}, "reconciled"),
    "counts from the middle": ({"act": "log.reconciled", "x": world.reconciled(world.bodies(300), 10, 190)}, "reconciled"),
    "a second beginning": (world.opened_log(200), "init"),
    "another's event": ({"id": world.event_id(100)}, "repeated"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_of_one_entry_about_others_is_named(lie, tmp_path):
    change, code = LIES[lie]
    log = world.Log(
        tuple(world.seal(world.bodies(300, {200: {"pc": None, "cp": None, "obj": "log:0"} | change}))), (OLD,)
    )
    report = check(lines_of(log, tmp_path), TRUSTED)
    assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, code, 200)


# --- Folders that are traps ---------------------------------------------------------------------------------
def test_a_folder_of_traps_neither_hangs_nor_leads_elsewhere(log, tmp_path):
    """Pipes, sockets, devices and links in the place of every kind of file."""
    files = world.files(log, sm3=True) | {
        "keys/250": log.checkpoint(250),
        "stamps/2026-01-01.checkpoint": log.checkpoint(9),
    }
    for number, name in enumerate(files):
        for kind, trap in enumerate(
            (os.mkfifo, _socket, lambda p: p.symlink_to("/dev/zero"), lambda p: p.mkdir())
        ):
            folder = world.write(tmp_path / f"{number}-{kind}", files)
            (folder / name).unlink()
            trap(folder / name)
            try:
                report = check(folder, TRUSTED)
            except Unreadable:
                assert name == "checkpoint"
            else:
                assert not report.ok or not name.startswith(("tile/", "tile-sm3/")), name


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # a longer name would not fit
        try:
            one.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize("name", ["tile", "tile/entries", "tile/0", "keys", "stamps", "tile-sm3"])
def test_a_folder_that_is_a_link_is_refused_and_nothing_behind_it_is_quoted(log, tmp_path, name):
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "id_ed25519").write_text("text\n\nthe secret of this machine\n")
    folder = world.write(tmp_path / "log", world.files(log))
    if (folder / name).exists():
        os.rename(folder / name, secret / "true")
    (folder / name).symlink_to(secret / "true" if (secret / "true").exists() else secret)
    with pytest.raises(Unreadable, match="link") as refused:
        check(folder, TRUSTED)
    assert "the secret" not in str(refused.value)


def test_a_folder_of_hashes_may_not_hold_another_parallel_tree(log, tmp_path):
    files = {name: data for name, data in world.files(log, sm3=True).items() if "entries" not in name}
    assert check(world.write(tmp_path / "whole", files), TRUSTED).ok
    for name in ("tile-sm3/0/000", "tile-sm3/0/001.p/44", "tile-sm3/1/000.p/1"):
        forged = files | {name: bytes(len(files[name]))}
        assert check(world.write(tmp_path / name.replace("/", "-"), forged), TRUSTED).verdict == BROKEN


@pytest.mark.parametrize(
    "size",
    [
        b"9223372036854775807",
        b"9999999999999999999",
        b"18446744073709551616",
        b"1e3",
        b"-1",
        b"0300",
        "٣".encode(),
    ],
)
@pytest.mark.parametrize("hashes_only", [False, True])
def test_a_checkpoint_over_a_monstrous_tree_is_answered_at_once(log, tmp_path, size, hashes_only):
    lines = log.checkpoint().split(b"\n")
    text = b"\n".join([lines[0], size, lines[2], b""])
    files = {n: d for n, d in world.files(log).items() if not hashes_only or "entries" not in n}
    report = check(world.write(tmp_path / "log", files | {"checkpoint": world.note(text, (OLD,))}), TRUSTED)
    assert not report.ok


def test_partial_tiles_longer_than_they_say_are_found(log, tmp_path):
    for name in ("tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"):
        files = world.files(log)
        files[name] += b"\0" * 32
        assert check(world.write(tmp_path / name.replace("/", "-"), files), TRUSTED).verdict == BROKEN


def test_an_archive_is_not_unpacked_by_us(log, tmp_path):
    """Where paths in it would lead is for the auditor's own `tar` to refuse: we only say that it is no log."""
    path = tmp_path / "audit-log.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../../etc/passwd"))
    with pytest.raises(Unreadable):
        check(path, TRUSTED)


def test_what_comes_as_a_stream_without_end_is_not_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(Unreadable, match="twice"):
            check(pipe, TRUSTED)
    finally:
        os.close(descriptor)


# --- Files of lines that are traps --------------------------------------------------------------------------
TRAPS = {
    "a line of 10 MB": lambda raw: raw.replace(b"\n", b"\n" + b"x" * 10_000_000 + b"\n", 1),
    "an entry of 10 MB": lambda raw: raw.replace(b'"v":1}', b'"v":1,"x":{"a":"' + b"x" * 10_000_000 + b'"}}', 1),
    "an ending of 70 MB": lambda raw: raw + b"y" * 70_000_000,
    "a million empty lines": lambda raw: raw + b"\n" * 1_000_000,
    "a million checkpoints": lambda raw: raw + raw.splitlines()[-1][:40] * 100_000,
    "a mark of byte order": lambda raw: b"\xef\xbb\xbf" + raw,
    "other ends of lines": lambda raw: raw.replace(b"\n", b"\r\n"),
    "a zero at the end": lambda raw: raw + b"\0",
    "two checkpoints": lambda raw: raw + raw.splitlines()[-1] + b"\n",
    "a checkpoint in a checkpoint": lambda raw: raw.replace(b'{"checkpoint":"', b'{"checkpoint":{"checkpoint":"'),
    "a deep line": lambda raw: raw + b"[" * 1_000_000,
    "a head of huge numbers": lambda raw: raw.replace(b'"entries":300', b'"entries":' + b"9" * 4000),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_no_file_of_lines_keeps_the_verifier_busy_or_passes(log, tmp_path, trap):
    path = lines_of(log, tmp_path, TRAPS[trap])
    try:
        report = check(path, TRUSTED)
    except Unreadable:
        return
    assert not report.ok
    assert len(report.finding.en) < 1000


# --- Notes and keys -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", ["an extension", "another extension of another log"])
def test_an_extension_line_is_signed_with_the_rest_and_means_nothing(log, tmp_path, line):
    lines = log.checkpoint().split(b"\n")
    text = b"\n".join([*lines[:3], line.encode(), b""])
    files = world.files(log) | {"checkpoint": world.note(text, (OLD,))}
    assert check(world.write(tmp_path / "signed", files), TRUSTED).ok
    files["checkpoint"] = log.checkpoint().replace(b"\n\n", b"\n" + line.encode() + b"\n\n")
    assert check(world.write(tmp_path / "added", files), TRUSTED).finding.code == "signature"


@pytest.mark.parametrize("name", ["a b", "a\u3000b", "a+b", "", "\udcff", "a\nb"])
def test_a_key_has_a_name_that_can_be_signed_under(name):
    with pytest.raises(Malformed):
        parse_key(f"{name}+00000000+{OLD.vkey.rpartition('+')[2]}")


def test_what_is_said_of_a_file_does_not_steer_the_terminal(log, tmp_path, capsys):
    evil = "\x1b[2J\x07\u202e\x9b31m"
    for path in (lines_of(log, tmp_path, lambda raw: raw.replace(b'"checkpoint":"', f'"checkpoint":"{evil}'.encode())),
                 lines_of(log, tmp_path, lambda raw: raw.replace(b'"act":"', f'"act":"{evil}'.encode(), 3))):  # fmt: skip
        main([str(path)])
        out = "".join(capsys.readouterr())
        assert not any(one in out for one in ("\x1b", "\x07", "\u202e", "\x9b"))


def test_a_note_has_no_hidden_lines():
    for text in (
        "a\x00\n\n— k AAAAAAAA\n",
        "a\r\n\n— k AAAAAAAA\n",
        "a\n\n— k AAAAAAAA",
        "a\n\n- k AAAAAAAA\n",
        "\n\n",
        "a\n\n— k\u2009AAAAAAAA\n",
    ):
        with pytest.raises(Malformed):
            parse_note(text.encode())


def test_a_checkpoint_noted_elsewhere_is_not_of_a_look_alike(log, tmp_path):
    name = "аudit.test/log"  # the first letter is Cyrillic
    noted = parse_checkpoint(world.checkpoint_over(300, b"\1" * 32, (world.renamed(OLD, name),), name))
    report = check(lines_of(log, tmp_path), replace(TRUSTED, checkpoints=(Noted("noted", noted),)))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "other_log")
