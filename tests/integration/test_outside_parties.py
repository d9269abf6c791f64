"""The log's own side and the tools of outside parties, together over HTTP: witnessed, mirrored, verified."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from audit.verifier import mirror
from audit.verifier.check import check
from audit.verifier.known import Known, policy_of
from audit.witness.memory import Memory
from audit.witness.server import Server
from audit.witness.witness import Witness

pytest.importorskip("tests.published", reason="the log's own side is not here")


@pytest.fixture
def witness(published_log, tmp_path) -> Iterator[Witness]:
    """One without which this log publishes nothing; its operator named the keys that the log had at first."""
    with closing(Memory(tmp_path / "w", "auditor.example/w1")) as memory:
        own = Witness(memory, [])
        server = Server("127.0.0.1", 0, own)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        published_log.private.mkdir(mode=0o700)
        (published_log.private / "policy").write_text(
            f"witness w1 {memory.key.vkey} {server.url}\nquorum w1\n"
        )
        published_log.checkpointer.round()  # makes the keys
        for key in published_log.public_keys():
            own.logs.setdefault(key.name, []).append(key)
        yield own
        server.stop()
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_log_is_cosigned_copied_and_verified_by_others(published_log, witness, live_server, tmp_path):
    policy, copy = tmp_path / "policy", tmp_path / "copy"
    keys = "".join(f"log {key.vkey}\n" for key in published_log.public_keys())
    policy.write_text(keys + (published_log.private / "policy").read_text())
    for more in (1, 255, 1, 300):
        published = published_log.publish(more)
        assert published.note.signers([witness._memory.key.public])
        assert witness._memory.latest(published.origin).root == published.root
        assert mirror.main([f"{live_server.url}/log", str(copy), "--policy", str(policy)]) == 0
        report = check(copy, Known(policy=policy_of(policy)))
        assert (report.finding, report.size, report.quorum) == (None, published.size, True)
