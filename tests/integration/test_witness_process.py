"""The witness as its operator runs it: a process, real HTTP, real signals, real `kill -9`."""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count, pairwise
from pathlib import Path

import pytest

from audit.verifier.note import Checkpoint, parse_checkpoint, parse_key
from audit.verifier.tree import check_consistency
from audit.witness.memory import Memory
from audit.witness.server import MOST_CONNECTIONS, Server
from audit.witness.witness import Witness
from tests.log_world import Log
from tests.witnessing import log_of, proof, request

NAME = "auditor.example/w1"
COMMAND = [sys.executable, "-m", "audit.witness", "--name", NAME, "--listen", "127.0.0.1:0"]


class Running:
    """A witness process. `port` is known once it says that it listens."""

    def __init__(self, folder: Path, log: Log) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--folder", str(folder), "--log", log.signers[0].vkey],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line.startswith("witness "):
                break
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.said)
        assert found is not None, self.said
        self.port = int(found[1])
        self.key = parse_key(self.said.splitlines()[1])

    def kill(self, number: int = signal.SIGKILL) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code


@contextmanager
def running(folder: Path, log: Log) -> Iterator[Running]:
    started = Running(folder, log)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.kill()


def ask(port: int, body: bytes, path: str = "/add-checkpoint") -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Type"]


def test_the_protocol_over_http(tmp_path):
    log, rewritten = log_of(300), log_of(300, changed_at=100)
    with running(tmp_path / "w", log) as witness:
        assert ask(witness.port, request(log, 0, 255))[0] == 200
        status, line, kind = ask(witness.port, request(log, 255, 257))
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert parse_checkpoint(log.checkpoint(257) + line).note.signers([witness.key])
        assert ask(witness.port, b"old x\n\n")[0] == 400
        assert ask(witness.port, request(log_of(3, origin="other.example"), 0))[0] == 404
        assert ask(witness.port, request(log, 0).replace(b"audit.test", b"other.test"))[0] == 404
        assert ask(witness.port, request(log, 257, 300)[:-9] + b"AAAAAAA=\n")[0] == 403
        assert ask(witness.port, request(log, 0, 300)) == (409, b"257\n", "text/x.tlog.size")
        assert ask(witness.port, request(rewritten, 257, 257)) == (409, b"257\n", "text/x.tlog.size")
        assert ask(witness.port, request(rewritten, 257, 300))[0] == 422
        assert ask(witness.port, request(log, 257, 300), path="/")[0] == 404
        assert witness.kill(signal.SIGTERM) == 0
    kinds = sorted(path.suffix for path in (tmp_path / "w/evidence").iterdir())
    assert kinds == [".cosigned", ".cosigned", ".forked", ".refused"]


def test_the_page_and_connections_that_are_kept(tmp_path):
    log = log_of(9)
    with running(tmp_path / "w", log) as witness:
        connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=30)
        with closing(connection):
            connection.request("POST", "/add-checkpoint", request(log, 0))
            assert connection.getresponse().read().startswith(f"— {NAME} ".encode())
            kept = connection.sock
            connection.request("GET", "/")
            page = connection.getresponse()
            assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
            text = page.read().decode()
            assert connection.sock is kept
        assert witness.key.vkey in text
        assert "size 9" in text
        assert f"witness {NAME} {witness.key.vkey} http://127.0.0.1:{witness.port}\n" in witness.said


def test_never_two_inconsistent_cosignatures_however_often_it_is_killed(tmp_path):
    """Two histories that part at entry 5 ask in turn, and the process is killed at any moment of it."""
    true, other = log_of(400), log_of(400, changed_at=5)
    chance, cosigned = random.Random(20261126), list[Checkpoint]()
    for _ in range(30):
        with running(tmp_path / "w", true) as witness:
            cosigned += _ask_until_it_dies(witness, true, other, chance)
    assert len({one.size for one in cosigned}) > 30
    parted = [one for one in cosigned if one.size > 5]
    assert len({root_of(true, one.size) == one.root for one in parted}) == 1
    _assert_consistent(cosigned, true, other)


def root_of(log: Log, size: int) -> bytes:
    return parse_checkpoint(log.checkpoint(size)).root


def _ask_until_it_dies(witness: Running, true: Log, other: Log, chance: random.Random) -> list[Checkpoint]:
    """What it cosigned. Some requests after it began, it is killed within the next few."""
    cosigned, old, alive = list[Checkpoint](), 0, chance.randrange(3, 12)
    killer = threading.Timer(chance.random() * 0.005, witness.process.kill)
    try:
        for number in count():
            if number == alive:
                killer.start()
            log = chance.choice([true, true, other])
            size = min(old + chance.randrange(1, 4), log.size)
            status, body, _kind = ask(witness.port, request(log, old, size))
            if status == 200:
                cosigned.append(parse_checkpoint(log.checkpoint(size) + body))
                assert cosigned[-1].note.signers([witness.key])
                old = size
            elif status == 409:
                old = int(body)
    except (OSError, http.client.HTTPException):
        killer.join()
    return cosigned


def _assert_consistent(cosigned: list[Checkpoint], *logs: Log) -> None:
    assert [one.size for one in cosigned] == sorted(one.size for one in cosigned)
    for before, after in pairwise(cosigned):
        (log,) = [one for one in logs if root_of(one, after.size) == after.root][:1]
        check_consistency(
            before.size, after.size, before.root, after.root, proof(log, before.size, after.size)
        )


@pytest.fixture
def served(tmp_path) -> Iterator[Server]:
    """A witness in this process that waits one second for a request."""
    log = log_of(5)
    with closing(Memory(tmp_path / "w", NAME)) as memory:
        server = Server("127.0.0.1", 0, Witness(memory, [log.signers[0].key]), seconds=1.0)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.stop()
        thread.join()


def port_of(server: Server) -> int:
    return int(server.server_address[1])


def test_a_client_that_dawdles_is_let_go(served):
    with socket.create_connection(("127.0.0.1", port_of(served)), timeout=30) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 100\r\n\r\nold")
        assert slow.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port_of(served)), timeout=30) as slow:
        ended = threading.Event()

        def drip() -> None:
            while not ended.wait(0.05):
                try:
                    slow.sendall(b"X")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert slow.recv(100) == b""
        except ConnectionResetError:
            pass
        finally:
            ended.set()
            thread.join()
    assert ask(port_of(served), request(log_of(5), 0))[0] == 200


def test_a_crowd_of_idle_connections_does_not_shut_the_door_for_long(served):
    crowd = [
        socket.create_connection(("127.0.0.1", port_of(served)), timeout=30) for _ in range(MOST_CONNECTIONS)
    ]
    for one in crowd:
        assert one.recv(1) == b""
        one.close()
    assert ask(port_of(served), request(log_of(5), 0))[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 99999999", b"413"),
        (b"Content-Length: 262145", b"413"),
        (b"Content-Length: -1", b"411"),
        (b"Content-Length: 1e3", b"411"),
        (b"X: y", b"411"),
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"411"),
    ],
)
def test_bodies_without_a_bearable_length_are_refused_unread(served, head, status):
    with socket.create_connection(("127.0.0.1", port_of(served)), timeout=30) as client:
        client.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        with client.makefile("rb") as answer:
            assert answer.read().split(b" ")[1] == status  # and the connection is closed


@pytest.mark.parametrize(("path", "status"), [("/add-checkpoint", 405), ("/key", 404), ("/../key", 404)])
def test_nothing_else_is_served(served, path, status):
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(served), timeout=30)) as connection:
        connection.request("GET", path)
        assert connection.getresponse().status == status


def test_a_folder_that_cannot_be_written_gives_no_cosignature(served, monkeypatch):
    def fail(_descriptor: int) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        assert ask(port_of(served), request(log_of(5), 0))[0] == 500
    assert ask(port_of(served), request(log_of(5), 0))[0] == 200


def test_stopping_answers_what_has_come_in(tmp_path):
    log, entered, go_on = log_of(5), threading.Event(), threading.Event()

    class Slow(Witness):
        def add_checkpoint(self, body):
            entered.set()
            go_on.wait(30)
            return super().add_checkpoint(body)

    answers = []
    with closing(Memory(tmp_path / "w", NAME)) as memory:
        server = Server("127.0.0.1", 0, Slow(memory, [log.signers[0].key]))
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        idle = socket.create_connection(("127.0.0.1", port_of(server)), timeout=30)
        asking = threading.Thread(target=lambda: answers.append(ask(port_of(server), request(log, 0))))
        asking.start()
        entered.wait(30)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        serving.join(30)
        go_on.set()
        for thread in (stopping, asking):
            thread.join(30)
            assert not thread.is_alive()
        assert idle.recv(1) == b""
        idle.close()
    assert [status for status, _body, _kind in answers] == [200]
