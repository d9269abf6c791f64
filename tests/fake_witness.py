"""A witness over HTTP that answers as it is told: rightly, or in any of the wrong ways."""

from __future__ import annotations

import base64
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verifier import tree
from audit.verifier.note import COSIGNATURE, Checkpoint, Key, parse_checkpoint

Answer = tuple[int, bytes]


@dataclass
class Question:
    old: int
    proof: list[bytes]
    checkpoint: Checkpoint


@dataclass
class FakeWitness:
    """`script` holds what to answer next; where it is empty, it answers as C2SP tlog-witness says."""

    name: str = "witness.example/one"
    seen: tuple[int, bytes] = (0, b"")
    script: list[Callable[[FakeWitness, Question], Answer]] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = Key(self.name, COSIGNATURE, self.private.public_key().public_bytes_raw())

    @property
    def policy_line(self) -> str:
        return f"witness {self.name.replace('/', '-')} {self.key.vkey} {self.url}"

    def cosignature(self, question: Question, *, at: float | None = None, key: Any = None) -> bytes:
        seconds = int(time.time() if at is None else at)
        text = b"cosignature/v1\ntime %d\n" % seconds + question.checkpoint.note.text
        signature = struct.pack(">Q", seconds) + (key or self.private).sign(text)
        return f"— {self.name} {base64.b64encode(self.key.id + signature).decode()}\n".encode()

    def answer(self, body: bytes) -> Answer:
        head, _blank, note = body.partition(b"\n\n")
        first, *proof = head.decode().split("\n")
        question = Question(
            int(first.removeprefix("old ")), [base64.b64decode(p) for p in proof], parse_checkpoint(note)
        )
        self.asked.append(question)
        if self.script:
            return self.script.pop(0)(self, question)
        return rightly(self, question)


def rightly(witness: FakeWitness, question: Question) -> Answer:
    size, root = witness.seen
    new = question.checkpoint
    if question.old != size or (size == new.size and root != new.root):
        return 409, b"%d\n" % size
    if 0 < size < new.size:
        try:
            tree.check_consistency(size, new.size, root, new.root, question.proof)
        except tree.InvalidProof:
            return 422, b""
    witness.seen = (new.size, new.root)
    return 200, witness.cosignature(question)


@contextmanager
def serving(*witnesses: FakeWitness) -> Iterator[None]:
    """Each gets an address of its own at one server. Requests are waited for at the end."""
    by_path = {f"/{number}/add-checkpoint": one for number, one in enumerate(witnesses)}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answer = by_path[self.path].answer(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
            except OSError:
                pass  # the client has gone

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    for number, one in enumerate(witnesses):
        one.url = f"http://127.0.0.1:{server.server_address[1]}/{number}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        for one in witnesses:
            one.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
