"""A hostile server, the man in the middle, and the strangers before a witness: nothing they send keeps anyone busy."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from audit.transparency import posting
from audit.verifier import copying
from audit.verifier.check import check
from audit.verifier.known import Known
from audit.verifier.mirror import main
from audit.verifier.result import Verdict
from audit.verifier.source import Source, Unreachable
from audit.witness.memory import CannotStart, Memory
from audit.witness.request import LONGEST
from audit.witness.server import MOST_OF_ONE_CLIENT, Server
from audit.witness.witness import Witness
from tests import log_world as world
from tests.witnessing import log_of, request

OLD = world.ed25519()
Served = Callable[[socket.socket, str], None]


@contextmanager
def serving(answer: Served) -> Iterator[str]:
    """Every request's path is given to `answer`, which writes to the connection whatever it likes."""
    listening = socket.create_server(("127.0.0.1", 0))

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked = connection.recv(65536).split(b"\r\n", 1)[0].split(b" ")
            if len(asked) > 1:
                answer(connection, asked[1].decode().removeprefix("/log/"))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=[listening.accept()[0]], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/log"
    finally:
        listening.close()


def head(length: int | None = None, *more: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *more] + ([] if length is None else [f"Content-Length: {length}"])
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def for_ever(connection: socket.socket, piece: bytes, pause: float = 0.0) -> None:
    while True:
        connection.sendall(piece)
        time.sleep(pause)


def dripping(first: bytes) -> Served:
    """A byte now and then, each well within the time that one step may take."""

    def answer(connection: socket.socket, _path: str) -> None:
        connection.sendall(first)
        for_ever(connection, b"a", 0.02)

    return answer


HOSTILE: dict[str, Served] = {
    "a body without end": lambda c, _p: (c.sendall(head()), for_ever(c, b"x" * 65536)),
    "a body that drips": dripping(head(5000)),
    "a body that drips and says no length": dripping(head()),
    "a head that drips": dripping(b"HTTP/1.1 200 OK\r\nX-A: "),
    "a status line that drips": dripping(b"HTTP/1.1 200 "),
    "heads without end": lambda c, _p: (c.sendall(b"HTTP/1.1 200 OK\r\n"), for_ever(c, b"X-A: b\r\n")),
    "go on, for ever": lambda c, _p: for_ever(c, b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
    "pieces without end": lambda c, _p: (c.sendall(head(None, "Transfer-Encoding: chunked")), for_ever(c, b"1\r\nx\r\n")),
    "a piece of impossible length": lambda c, _p: c.sendall(head(None, "Transfer-Encoding: chunked") + b"f" * 40 + b"\r\nx"),
    "less than promised": lambda c, _p: c.sendall(head(9000) + b"x"),
    "more than promised": lambda c, _p: c.sendall(head(3) + b"x" * 9000),
    "a negative length": lambda c, _p: c.sendall(head(-5) + b"x" * 9000),
    "an enormous length": lambda c, _p: c.sendall(head(10**18) + b"x" * 9000),
    "to a file": lambda c, _p: c.sendall(head(0, "Location: file:///etc/passwd", status="302 Found")),
    "to another host": lambda c, _p: c.sendall(head(0, "Location: http://127.0.0.1:1/", status="301 Moved")),
    "a bomb": lambda c, _p: c.sendall(head(len(BOMB), "Content-Encoding: gzip") + BOMB),
    "half a bomb": lambda c, _p: c.sendall(head(99, "Content-Encoding: gzip") + BOMB[:99]),
    "nothing of HTTP": lambda c, _p: c.sendall(b"SSH-2.0-OpenSSH\r\n"),
    "nothing": lambda _c, _p: None,
}  # fmt: skip
BOMB = gzip.compress(bytes(64 << 20))


@pytest.mark.parametrize("what", HOSTILE)
def test_no_answer_keeps_a_mirror_for_ever_or_is_believed(what):
    with (
        serving(HOSTILE[what]) as url,
        closing(Source(url, "token", seconds=0.3, answer_seconds=0.5)) as source,
    ):
        got = b""
        with suppress(Unreachable):
            got = source.get("checkpoint", 8192)
        assert got == (b"xxx" if what == "more than promised" else b"")


@pytest.mark.parametrize("what", HOSTILE)
def test_no_answer_keeps_the_checkpointer_waiting_for_a_witness(what):
    with serving(HOSTILE[what]) as url:
        try:
            status, body = posting.post(url, b"old 0\n\n", seconds=0.5)
        except posting.Unreachable:
            return
        assert status in (200, 301, 302)
        assert len(body) <= 64 * 1024


# --- A log that changes while it is read --------------------------------------------------------------------
def files_server(content: Callable[[str], bytes | None]) -> Served:
    def answer(connection: socket.socket, path: str) -> None:
        body = content(path)
        status = "404 Not Found" if body is None else "200 OK"
        connection.sendall(head(len(body or b""), "Connection: close", status=status) + (body or b""))

    return answer


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(700))), (OLD,))


def mirrored(url: str, folder: Path) -> int:
    return main([url, str(folder), "--key", OLD.vkey])


def test_two_histories_in_one_answer_are_not_mixed(log, tmp_path):
    """Each file is served first from one history, then from the other; whatever falls together is one of them, or none."""
    one, other = world.files(log), world.files(world.rewritten(log, 3))
    for turn in range(6):
        counts = {name: itertools.count(turn * n) for n, name in enumerate([*one, *other])}

        def served(path: str, counts=counts) -> bytes | None:
            story = one if next(counts.get(path, itertools.count())) % 2 else other
            return story.get(path)

        with serving(files_server(served)) as url:
            code = mirrored(url, tmp_path / str(turn))
        copied = {
            p.relative_to(tmp_path / str(turn)).as_posix() for p in (tmp_path / str(turn)).rglob("checkpoint")
        }
        assert (code == 0) == ("checkpoint" in copied)
        if code == 0:
            kept = {name: (tmp_path / str(turn) / name).read_bytes() for name in one if "tile" in name}
            assert kept in (
                {n: d for n, d in one.items() if "tile" in n},
                {n: d for n, d in other.items() if "tile" in n},
            )


def test_a_checkpoint_that_goes_back_and_forth_is_a_rollback_each_time(log, tmp_path):
    later, earlier = world.files(log), world.files(replace(log, covered=500))
    for content, code in ((later, 0), (earlier, 3), (later, 0), (earlier, 3)):
        with serving(files_server(content.get)) as url:
            assert mirrored(url, tmp_path / "copy") == code
        assert (tmp_path / "copy/checkpoint").read_bytes() == later["checkpoint"]


def test_a_fork_between_two_fetches_is_found_though_every_file_is_signed(log, tmp_path):
    with serving(files_server(world.files(log).get)) as url:
        assert mirrored(url, tmp_path / "copy") == 0
    forked = world.grown(world.rewritten(log, 650), 100)
    with serving(files_server(world.files(forked).get)) as url:
        assert mirrored(url, tmp_path / "copy") == Verdict.CONTRADICTED
    assert len(list((tmp_path / "copy/evidence").iterdir())) == 2


@pytest.mark.parametrize("size", [2**28 + 1, 2**62, 10**19 - 1])
def test_a_checkpoint_over_a_monstrous_tree_is_refused_at_once(log, tmp_path, size, capsys):
    content = world.files(log) | {"checkpoint": world.checkpoint_over(size, b"\1" * 32, (OLD,))}
    with serving(files_server(content.get)) as url:
        assert mirrored(url, tmp_path / "copy") == Verdict.UNREADABLE
    assert str(copying.MOST_ENTRIES) in capsys.readouterr().err


LISTS = {
    "paths": "../../evil\n/etc/passwd\n..\n.\n3/../4\n%2e%2e\n3%00\n",
    "links": "http://127.0.0.1/\nfile:///etc/passwd\n//host/\n",
    "numbers": "0\n00\n٣\n+3\n3.0\n" + "9" * 30,
    "bytes": "\udcff\udcfe",
    "many": "\n".join(["\x00"] * 5000),
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_of_names_leads_nowhere_else(log, tmp_path, what):
    asked: list[str] = []
    content = world.files(log)

    def served(path: str) -> bytes | None:
        asked.append(path)
        if path in ("keys/", "stamps/"):
            return LISTS[what].encode(errors="surrogateescape")
        return content.get(path)

    with serving(files_server(served)) as url:
        assert mirrored(url, tmp_path / "copy") == 0
    assert all(path in content or path in ("checkpoint.sm3", "keys/", "stamps/", "policy") for path in asked)


def test_a_copy_that_somebody_changed_under_us_is_not_passed_on(log, tmp_path):
    """A tile swapped on the disk after it was verified: replaced where the log has grown past it."""
    with serving(files_server(world.files(log).get)) as url:
        assert mirrored(url, tmp_path / "copy") == 0
    tile = tmp_path / "copy/tile/0/002.p/188"
    tile.write_bytes(bytes(len(tile.read_bytes())))
    with serving(files_server(world.files(world.grown(log, 10)).get)) as url:
        assert mirrored(url, tmp_path / "copy") == 0
    assert check(tmp_path / "copy", Known(keys=(OLD.key,))).ok


# --- Before a witness ---------------------------------------------------------------------------------------
@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with closing(Memory(tmp_path / "w", "w.test")) as memory:
        yield Witness(memory, [OLD.key, world.sm2().key])


def asked_for(body: bytes) -> bytes:
    return (
        b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        % len(body)
        + body
    )


def test_one_client_does_not_keep_the_witness_from_others(witness, monkeypatch):
    """Idle connections from one address, as many as it can open, and then the log comes from another one."""
    with Server("127.0.0.1", 0, witness, seconds=30) as server:
        serve = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serve.start()
        idle = [
            socket.create_connection(server.server_address[:2], source_address=("127.0.0.2", 0))
            for _ in range(100)
        ]
        try:
            with socket.create_connection(server.server_address[:2], timeout=10) as log:
                log.sendall(asked_for(request(log_of(20), 0, 8)))
                assert log.recv(100).startswith(b"HTTP/1.1 200")
            assert len(server._open) <= MOST_OF_ONE_CLIENT + 1
        finally:
            for one in idle:
                one.close()
            server.stop()
            serve.join()


@pytest.mark.parametrize(
    "body",
    [
        b"old 0\n" * 40_000, b"old 0\n\n" + b"x\n" * 100_000, b"\n\n" * 100_000, b"old 0\n\n" + "— k AAAAAAAA\n".encode() * 15_000,
        b"old 9999999999999999999\n\n", b"old 0\n" + b"A" * 43 + b"=\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n",
    ],
    ids=["old lines", "text", "blanks", "signatures", "a large number", "no checkpoint", "64 hashes"],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_remembered_nowhere(witness, body, tmp_path):
    before = sorted((tmp_path / "w").rglob("*"))
    assert (
        witness.add_checkpoint(body[:LONGEST] + log_of(3).checkpoint()[-50:]).status == HTTPStatus.BAD_REQUEST
    )
    assert sorted((tmp_path / "w").rglob("*")) == before


def test_many_signatures_cost_a_witness_no_more_than_one(witness, monkeypatch):
    from audit.verifier import sm2

    counted: list[int] = []
    verify = sm2.verify
    monkeypatch.setattr(sm2, "verify", lambda *args: counted.append(1) or verify(*args))
    log = replace(log_of(20), signers=(OLD, world.sm2()))
    text = log.checkpoint(8, ())[:-1]
    body = request(log, 0, 8) + world.sm2().line(text) * 1000
    assert len(body) < LONGEST
    assert witness.add_checkpoint(body).status == HTTPStatus.OK
    assert len(counted) <= 2


def test_a_true_checkpoint_with_a_false_proof_leaves_room_for_the_evidence_of_a_fork(
    witness, tmp_path, monkeypatch
):
    from audit.witness import memory

    monkeypatch.setattr(memory, "MOST_EVIDENCE", 5)
    log = log_of(40)
    for size in range(3, 20):
        assert witness.add_checkpoint(request(log, size - 1 if size > 3 else 0, size)).status == HTTPStatus.OK
        assert (
            witness.add_checkpoint(request(log, size, size, [bytes(32)])).status
            == HTTPStatus.UNPROCESSABLE_ENTITY
        )
        assert (
            witness.add_checkpoint(request(log, size, size + 5, [bytes(32)])).status
            == HTTPStatus.UNPROCESSABLE_ENTITY
        )
    forked = log_of(40, changed_at=2)
    assert witness.add_checkpoint(request(forked, 19, 19, [])).status == HTTPStatus.CONFLICT
    kept = [path.read_bytes() for path in (tmp_path / "w/evidence").iterdir()]
    assert any(forked.checkpoint(19) in one for one in kept)


@pytest.mark.parametrize("held", [b"", b"{", b"[]", b'{"version":1}'])
def test_a_witness_that_has_lost_its_memory_does_not_start(witness, tmp_path, held):
    assert witness.add_checkpoint(request(log_of(20), 0, 8)).status == HTTPStatus.OK
    witness._memory.close()
    (tmp_path / "w/checkpoints.json").write_bytes(held)
    try:
        with closing(Memory(tmp_path / "w", "w.test")) as memory:
            assert memory.latest(log_of(20).origin) is None
            pytest.fail("it would cosign a rewritten log")
    except CannotStart:
        pass


def test_an_older_memory_put_in_place_under_a_running_witness_changes_nothing(witness, tmp_path):
    log = log_of(40)
    assert witness.add_checkpoint(request(log, 0, 8)).status == HTTPStatus.OK
    older = (tmp_path / "w/checkpoints.json").read_bytes()
    assert witness.add_checkpoint(request(log, 8, 20)).status == HTTPStatus.OK
    (tmp_path / "w/checkpoints.json").write_bytes(older)
    forked = log_of(40, changed_at=10)
    assert witness.add_checkpoint(request(forked, 8, 30)).status == HTTPStatus.CONFLICT
    assert witness.add_checkpoint(request(log, 20, 30)).status == HTTPStatus.OK


def test_two_witnesses_do_not_share_a_folder(witness, tmp_path):
    with pytest.raises(CannotStart, match="another"):
        Memory(tmp_path / "w", "w.test")
