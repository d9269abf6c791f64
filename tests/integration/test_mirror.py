"""A mirror copies a log over HTTP, believes nothing it did not verify, and notices a log that went back or forked."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from audit.verifier.check import check
from audit.verifier.known import Known
from audit.verifier.mirror import main
from audit.verifier.replica import Replica
from tests import log_world
from tests.log_world import ed25519, files, grown, rewritten, sm2, witness

TOKEN = "a-token-of-the-auditor"


class LogServer(ThreadingHTTPServer):
    """Serves `content` below /log/. `refuse` says with which status to answer a path, None for as usual."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.token = ""
        self.packed = False
        self.refuse: Callable[[str], int | None] = lambda _path: None
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/log"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: LogServer

    def do_GET(self) -> None:
        path = self.path.removeprefix("/log/")
        self.server.asked.append(path)
        status = self.server.refuse(path) or (200 if path in self.server.content else 404)
        if path.startswith("tile/entries/") and self.server.token:
            status = status if self.headers["Authorization"] == f"Token {self.server.token}" else 401
        body = self.server.content[path] if status == 200 else b"no"
        self.send_response(status)
        if self.server.packed and status == 200:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[LogServer]:
    with LogServer() as serving:
        serving.daemon_threads = True
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def log_of(count: int) -> log_world.Log:
    return log_world.Log(tuple(log_world.seal(log_world.bodies(count))))


def mirror(server: LogServer, folder: Path, *more: str) -> int:
    return main([server.url, str(folder), "--key", ed25519().vkey, *more])


def state_of(folder: Path) -> dict[str, bytes]:
    """The copy as others would read it: what is hidden and evidence left out."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in found.items()
        if not name.startswith(".") and "evidence" not in name
    }


def test_a_first_copy_is_complete_and_verifies(server, tmp_path, capsys):
    server.content = files(log_of(390), sm3=True)
    assert mirror(server, tmp_path / "copy") == 0
    assert state_of(tmp_path / "copy") == server.content
    report = check(tmp_path / "copy", Known(keys=(ed25519().key,)))
    assert (report.ok, report.entries, report.sm3_size) == (True, 390, 390)
    assert "MIRRORED  390 条" in capsys.readouterr().out


@pytest.mark.parametrize("sm3", [False, True])
def test_it_grows_with_the_log_and_fetches_only_what_is_new(server, tmp_path, sm3):
    log, copy = log_of(0), tmp_path / "copy"
    for size in (0, 1, 255, 256, 257, 511, 512, 513, 800):
        log = grown(log, size - log.size) if log.size else log_of(size)
        server.content, server.asked = files(log, sm3=sm3), []
        assert mirror(server, copy) == 0
        assert state_of(copy) == server.content
        assert check(copy, Known(keys=(ed25519().key,))).ok
    assert "tile/0/000" not in server.asked
    assert "tile/entries/001" not in server.asked
    assert "tile/entries/003.p/32" in server.asked


def test_nothing_new_fetches_no_tile(server, tmp_path):
    server.content = files(log_of(300))
    assert mirror(server, tmp_path / "copy") == 0
    server.asked = []
    assert mirror(server, tmp_path / "copy") == 0
    assert not [path for path in server.asked if path.startswith("tile")]


def test_across_the_border_of_the_second_level(server, tmp_path):
    """65,536 leaves fill a tile of level 1; hashes alone keep this quick."""
    leaves = [log_world.sha256(b"%d" % n) for n in range(65_540)]
    root_of = {n: log_world.mth(leaves[:n]) for n in (65_279, 65_535, 65_536, 65_540)}
    for size, root in root_of.items():
        content = {f"tile/{path}": data for path, data in log_world.tiles(leaves[:size]).items()}
        server.content = content | {"checkpoint": log_world.checkpoint_over(size, root, [ed25519()])}
        assert mirror(server, tmp_path / "copy") == 0
        assert state_of(tmp_path / "copy") == server.content


def test_a_partial_tile_that_is_gone_is_cut_from_the_full_one(server, tmp_path):
    small, large = log_of(300), files(grown(log_of(300), 300))
    server.content = {
        **large,
        "checkpoint": small.checkpoint(),
        "tile/1/000.p/1": files(small)["tile/1/000.p/1"],
    }
    assert mirror(server, tmp_path / "copy") == 0
    assert state_of(tmp_path / "copy") == files(small)


def test_answers_may_be_packed(server, tmp_path):
    server.content, server.packed = files(log_of(300)), True
    assert mirror(server, tmp_path / "copy") == 0
    assert state_of(tmp_path / "copy") == server.content


# -- entries and who may read them --


def test_without_a_token_only_hashes_are_copied_and_it_says_so(server, tmp_path, capsys):
    server.content, server.token = files(log_of(300)), TOKEN
    assert mirror(server, tmp_path / "copy") == 0
    assert not (tmp_path / "copy/tile/entries").exists()
    assert "holds hashes and no entries" in capsys.readouterr().out
    assert check(tmp_path / "copy", Known(keys=(ed25519().key,))).ok

    (tmp_path / "token").write_text(TOKEN + "\n")
    assert mirror(server, tmp_path / "copy", "--token", str(tmp_path / "token")) == 0
    assert state_of(tmp_path / "copy") == server.content


def test_a_token_that_is_not_accepted_is_said(server, tmp_path, capsys):
    server.content, server.token = files(log_of(300)), TOKEN
    (tmp_path / "token").write_text("another-token-altogether")
    assert mirror(server, tmp_path / "copy", "--token", str(tmp_path / "token")) == 2
    assert "take a valid token" in capsys.readouterr().err


# -- a log that contradicts itself --


def refused(server: LogServer, folder: Path, code: int, capsys, *more: str) -> str:
    """Mirroring is refused with this exit code, and the copy stays as it was."""
    before = state_of(folder)
    assert mirror(server, folder, *more) == code
    assert state_of(folder) == before
    return str(capsys.readouterr().out)


def test_a_rollback_is_refused_and_kept_as_evidence(server, tmp_path, capsys):
    log, copy = log_of(300), tmp_path / "copy"
    server.content = files(log)
    assert mirror(server, copy) == 0
    server.content = files(replace(log, covered=299))
    said = refused(server, copy, 3, capsys)
    assert "日志倒退了" in said
    assert "the log went back" in said
    kept = {path.read_bytes() for path in (copy / "evidence").iterdir()}
    assert kept == {log.checkpoint(300), log.checkpoint(299)}


@pytest.mark.parametrize("size", [300, 512, 700])
@pytest.mark.parametrize("seq", [0, 5, 255, 256, 299])
@pytest.mark.parametrize("hashes_only", [False, True])
def test_a_fork_is_refused_and_kept_as_evidence(server, tmp_path, capsys, seq, size, hashes_only):
    log, copy = log_of(300), tmp_path / "copy"
    server.content, server.token = files(log), TOKEN if hashes_only else ""
    assert mirror(server, copy) == 0
    other = grown(rewritten(log, seq), size - 300)
    server.content = files(other)
    said = refused(server, copy, 3, capsys)
    assert "[fork]" in said
    assert "evidence" in said
    kept = {path.read_bytes() for path in (copy / "evidence").iterdir()}
    assert kept == {log.checkpoint(), other.checkpoint()}


def test_a_fork_before_many_full_tiles_is_told_from_a_broken_file(server, tmp_path, capsys):
    log, copy = grown(log_of(390), 910), tmp_path / "copy"
    server.content = files(log)
    assert mirror(server, copy) == 0
    server.content = files(grown(rewritten(log, 700), 900))
    assert "[fork]" in refused(server, copy, 3, capsys)


def test_the_parallel_tree_is_watched_too(server, tmp_path, capsys):
    log, copy = log_of(300), tmp_path / "copy"
    server.content = files(log, sm3=True)
    assert mirror(server, copy) == 0
    forked = files(rewritten(log, 3), sm3=True)
    server.content |= {path: data for path, data in forked.items() if "sm3" in path}
    assert "[fork]" in refused(server, copy, 3, capsys)


# -- a server that serves something broken --


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_flipped_byte_in_any_fetched_file_is_found(server, tmp_path, capsys):
    before, after = files(log_of(300), sm3=True), files(grown(log_of(300), 300), sm3=True)
    server.content = before
    assert mirror(server, tmp_path / "base") == 0
    fetched = [path for path in after if path.startswith("tile") and after[path] != before.get(path)]
    assert len(fetched) == 8
    for path in [*fetched, "checkpoint", "checkpoint.sm3"]:
        for at in (0, len(after[path]) // 2, len(after[path]) - 2):
            server.content = after | {path: flipped(after[path], at)}
            code = mirror(server, tmp_path / "base")
            said = capsys.readouterr()
            assert code == (1 if path.startswith("tile") else code), (path, at, said)
            assert code in (1, 3), (path, at, said)
            assert state_of(tmp_path / "base") == before
    server.content = after
    assert mirror(server, tmp_path / "base") == 0
    assert state_of(tmp_path / "base") == after


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"\x00", lambda _raw: b"", lambda raw: raw[32:]]
)
@pytest.mark.parametrize(
    "path", ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"]
)
def test_a_file_of_another_length_is_found(server, tmp_path, capsys, path, change):
    good = files(log_of(300))
    server.content = good | {path: change(good[path])}
    assert refused(
        server, tmp_path / "copy", 1 if len(server.content[path]) <= 8192 or "entries" in path else 2, capsys
    )


def test_a_bundle_of_true_entries_in_another_order_is_found(server, tmp_path, capsys):
    log, good = log_of(300), files(log_of(300))
    entries = [*log.entries[:256]]
    entries[7], entries[8] = entries[8], entries[7]
    server.content = good | {"tile/entries/000": log_world.bundles(entries)["entries/000"]}
    said = refused(server, tmp_path / "copy", 1, capsys)
    assert "entry 7" in said


def test_an_answer_without_end_is_cut_off(server, tmp_path, capsys):
    server.content = files(log_of(300)) | {"tile/0/000": bytes(1 << 20)}
    assert mirror(server, tmp_path / "copy") == 2
    assert "more than 8192 bytes" in capsys.readouterr().err
    server.packed = True
    assert mirror(server, tmp_path / "copy") == 2
    assert "more than 8192 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("status", [500, 503, 302, 404])
def test_a_server_error_in_the_middle_leaves_the_copy_and_the_next_run_completes(
    server, tmp_path, capsys, status
):
    copy = tmp_path / "copy"
    server.content = files(log_of(100))
    assert mirror(server, copy) == 0
    before = state_of(copy)
    server.content = files(grown(log_of(100), 1200))
    server.refuse = lambda path: status if path == "tile/entries/003" else None
    assert mirror(server, copy) == 2
    assert f"tile/entries/003: {status}" in capsys.readouterr().err
    assert state_of(copy) == before
    server.refuse, server.asked = lambda _path: None, []
    assert mirror(server, copy) == 0
    assert state_of(copy) == server.content
    assert "tile/entries/000" not in server.asked  # what was fetched then is not fetched again


def test_what_an_interrupted_run_left_is_not_believed(server, tmp_path):
    """It is for another checkpoint, or was damaged on the disk."""
    copy = tmp_path / "copy"
    server.content = files(log_of(300))
    left = copy / ".fetched"
    log_world.write(
        left, {"tile/0/000": bytes(8192), "tile/0/001.p/7": bytes(224), "tile/9/000.p/1": b"x", "stray": b""}
    )
    assert mirror(server, copy) == 1
    assert state_of(copy) == {}
    assert mirror(server, copy) == 0
    assert state_of(copy) == server.content


@pytest.mark.parametrize("moved", range(6))
def test_a_run_that_was_stopped_while_putting_in_place_is_finished_offline(
    server, tmp_path, monkeypatch, moved
):
    copy = tmp_path / "copy"
    server.content = files(log_of(200))
    assert mirror(server, copy) == 0
    server.content = files(grown(log_of(200), 300))
    moves = [0]
    real = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if ".verified" in self.parts:
            moves[0] += 1
            if moves[0] > moved:
                raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop)
        assert mirror(server, copy) == 130
    assert state_of(copy) != server.content
    Replica(copy).close()
    assert state_of(copy) == server.content
    assert check(copy, Known(keys=(ed25519().key,))).ok


def test_a_copy_that_is_damaged_itself_is_told_from_a_fork(server, tmp_path, capsys):
    copy = tmp_path / "copy"
    server.content = files(log_of(300))
    assert mirror(server, copy) == 0
    tile = copy / "tile/1/000.p/1"
    tile.write_bytes(flipped(tile.read_bytes(), 3))
    server.content = files(grown(log_of(300), 300))
    assert mirror(server, copy) == 2
    assert "the copy itself is damaged" in capsys.readouterr().err


def test_a_file_that_was_lost_is_fetched_again_and_verified(server, tmp_path):
    copy = tmp_path / "copy"
    good = files(log_of(300))
    for lost in [path for path in good if path.startswith("tile")]:
        server.content = good
        assert mirror(server, copy) == 0
        (copy / lost).unlink()
        server.content = good | {lost: flipped(good[lost], 9)}
        assert mirror(server, copy) == 1
        server.content = good
        assert mirror(server, copy) == 0
        assert state_of(copy) == good


# -- whom to trust --


def test_a_log_signed_by_somebody_else_is_refused(server, tmp_path, capsys):
    server.content = files(replace(log_of(9), signers=(ed25519(seed="somebody else"),)))
    assert "[unsigned]" in refused(server, tmp_path / "copy", 3, capsys)
    server.content = files(replace(log_of(9), origin="other.test/log", signers=(ed25519("other.test/log"),)))
    assert "[other_log]" in refused(server, tmp_path / "copy", 3, capsys)


def test_the_quorum_of_the_policy_is_demanded(server, tmp_path, capsys):
    one, two = witness("w.test/1"), witness("w.test/2")
    (tmp_path / "policy").write_bytes(log_world.policy(ed25519(), [one, two], "2"))
    server.content = files(replace(log_of(9), witnesses=(one,)))
    more = ("--policy", str(tmp_path / "policy"))
    assert "[quorum]" in refused(server, tmp_path / "copy", 3, capsys, *more)
    server.content = files(replace(log_of(9), witnesses=(one, two)))
    assert mirror(server, tmp_path / "copy", *more) == 0


def test_a_new_key_is_followed_where_the_log_announces_it_under_the_old_one(server, tmp_path, capsys):
    """Key `second` is announced by entry 400; the old key is retired by entry 800."""
    second, copy = ed25519(seed="second"), tmp_path / "copy"
    whole = log_of(900)
    for covered, signers in ((390, (ed25519(),)), (500, (ed25519(), second)), (900, (second,))):
        server.content = files(replace(whole, covered=covered, signers=signers))
        assert mirror(server, copy) == 0
    server.content = files(replace(grown(whole, 10), signers=(ed25519(),)))
    assert "[unsigned]" in refused(server, copy, 3, capsys)


def test_a_late_comer_finds_the_new_key_under_keys(server, tmp_path):
    second = ed25519(seed="second")
    log = replace(log_of(900), signers=(second,), handovers={500: (ed25519(), second)})
    server.content = files(log) | {
        "keys/": b"500\n../../stray\n",
        "stamps/": b"2026-11-25.checkpoint\n2026-11-25.tsr\n",
    }
    server.content |= {"stamps/2026-11-25.checkpoint": log.checkpoint(10), "stamps/2026-11-25.tsr": b"token"}
    assert mirror(server, tmp_path / "copy") == 0
    listed = {path: data for path, data in server.content.items() if not path.endswith("/")}
    assert state_of(tmp_path / "copy") == listed
    assert check(tmp_path / "copy", Known(keys=(ed25519().key,))).ok
    server.content |= {
        "keys/500": rewritten(log, 3).checkpoint(500, (ed25519(), second))
    }  # of another history
    assert mirror(server, tmp_path / "late") == 3


def test_sm2_is_a_signature_like_another(server, tmp_path):
    server.content = files(replace(log_of(9), signers=(sm2(),)))
    assert main([server.url, str(tmp_path / "copy"), "--key", sm2().vkey]) == 0


def test_without_a_key_it_says_that_no_signature_was_checked(server, tmp_path, capsys):
    server.content = files(log_of(9))
    assert main([server.url, str(tmp_path / "copy")]) == 0
    assert "no key was given" in capsys.readouterr().out


# -- the command line --


def test_two_mirrors_do_not_share_a_folder(server, tmp_path, capsys):
    server.content = files(log_of(9))
    with closing(Replica(tmp_path / "copy")):
        assert mirror(server, tmp_path / "copy") == 2
    assert "another mirror" in capsys.readouterr().err


def test_every_so_often_until_the_log_forks(server, tmp_path, monkeypatch, capsys):
    log = log_of(300)
    states = [files(log), files(grown(log, 1)), {}, files(grown(log, 300)), files(rewritten(log, 3))]
    server.content = states.pop(0)
    monkeypatch.setattr("time.sleep", lambda _seconds: setattr(server, "content", states.pop(0)))
    assert mirror(server, tmp_path / "copy", "--every", "60") == 3
    said = capsys.readouterr()
    assert said.out.count("MIRRORED") == 3
    assert "checkpoint: 404" in said.err
    assert states == []


def test_it_ends_when_it_is_told_to(server, tmp_path, monkeypatch):
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    server.content = files(log_of(9))
    monkeypatch.setattr("time.sleep", interrupt)
    assert mirror(server, tmp_path / "copy", "--every", "60") == 130


@pytest.mark.parametrize("url", ["ftp://x/log", "/tmp/log", "http://", "http://x/log?a=b"])
def test_what_is_no_address_is_said(tmp_path, capsys, url):
    assert main([url, str(tmp_path / "copy")]) == 2
    assert "not the address of a log" in capsys.readouterr().err


def test_nobody_there(tmp_path, capsys):
    assert main(["http://127.0.0.1:1/log", str(tmp_path / "copy")]) == 2
    assert "未完成 · not done" in capsys.readouterr().err
