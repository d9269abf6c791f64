"""P11: a day's first checkpoint is stamped by an authority of the operator's choice; what does not hold is not kept."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Checkpoint, Trouble
from audit.transparency import stamps, troubles
from audit.transparency.stamps import NoStampError, stamp

pytestmark = pytest.mark.django_db

CONFIGURATION = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
[stamping]
extendedKeyUsage = critical, timeStamping
basicConstraints = critical, CA:FALSE
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
"""


class Authority:
    """A real one, made with `openssl ts`, behind HTTP. `spoil` may change what it is asked and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url = folder, ""
        self.roots = folder / "ca.pem"
        self.ask: Callable[[bytes], bytes] = lambda query: query
        self.spoil: Callable[[bytes], tuple[int, bytes]] = lambda answer: (200, answer)
        self.answered = 0
        configuration = folder / "tsa.cnf"
        configuration.write_text(CONFIGURATION.format(folder=folder))
        (folder / "serial").write_text("01\n")
        new = ["req", "-newkey", "rsa:2048", "-nodes", "-config", "/etc/ssl/openssl.cnf"]
        openssl(
            *new, "-x509", "-subj", "/CN=root", "-keyout", folder / "ca.key", "-out", self.roots, "-days", "2"
        )
        openssl(*new, "-subj", "/CN=clock", "-keyout", folder / "tsa.key", "-out", folder / "tsa.csr")
        openssl("x509", "-req", "-in", folder / "tsa.csr", "-CA", self.roots, "-CAkey", folder / "ca.key", "-days", "2",
                "-CAcreateserial", "-extfile", configuration, "-extensions", "stamping", "-out", folder / "tsa.pem")  # fmt: skip

    def reply(self, query: bytes) -> tuple[int, bytes]:
        self.answered += 1
        (self.folder / "query").write_bytes(self.ask(query))
        out = self.folder / "reply"
        openssl(
            "ts",
            "-reply",
            "-config",
            self.folder / "tsa.cnf",
            "-queryfile",
            self.folder / "query",
            "-out",
            out,
        )
        return self.spoil(out.read_bytes())

    def query_about(self, data: bytes) -> bytes:
        (self.folder / "data").write_bytes(data)
        openssl(
            "ts", "-query", "-data", self.folder / "data", "-sha256", "-cert", "-out", self.folder / "other"
        )
        return (self.folder / "other").read_bytes()


def openssl(*words: object) -> bytes:
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Authority:
    if shutil.which("openssl") is None or not Path("/etc/ssl/openssl.cnf").exists():
        pytest.skip("openssl is not on this machine")
    return Authority(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def authority(made, settings) -> Iterator[Authority]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, answer = made.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = settings.AUDIT_TSA_URL = f"http://127.0.0.1:{server.server_address[1]}/"
    settings.AUDIT_TSA_CERTIFICATES = str(made.roots)
    made.answered = 0
    yield made
    made.ask, made.spoil = (lambda query: query), (lambda answer: (200, answer))
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_days_first_checkpoint_is_stamped_and_openssl_accepts_it(published_log, authority):
    first = published_log.publish(3)
    published_log.publish(3)
    day = timezone.localdate().isoformat()
    held = published_log.folder / "stamps"
    assert {path.name for path in held.iterdir()} == {f"{day}.checkpoint", f"{day}.tsr"}
    assert (held / f"{day}.checkpoint").read_bytes() == first.raw
    row = Checkpoint.objects.get(size=first.size)
    assert bytes(row.stamp) == (held / f"{day}.tsr").read_bytes()
    assert authority.answered == 1
    said = openssl(
        "ts",
        "-verify",
        "-data",
        held / f"{day}.checkpoint",
        "-in",
        held / f"{day}.tsr",
        "-CAfile",
        authority.roots,
    )
    assert b"Verification: OK" in said
    for suffix, kind in (("checkpoint", "text/plain; charset=utf-8"), ("tsr", "application/timestamp-reply")):
        response = Client().get(f"/log/stamps/{day}.{suffix}")
        assert response.content == (held / f"{day}.{suffix}").read_bytes()
        assert response["Content-Type"] == kind


def test_a_stamp_is_not_asked_for_again_by_a_new_process_and_its_files_come_back(published_log, authority):
    published_log.publish(3)
    shutil.rmtree(published_log.folder / "stamps")
    published_log.restart()
    published_log.publish(3)
    assert authority.answered == 1
    assert len(list((published_log.folder / "stamps").iterdir())) == 2


def flipped(at: int) -> Callable[[bytes], tuple[int, bytes]]:
    def spoil(answer: bytes) -> tuple[int, bytes]:
        changed = bytearray(answer)
        changed[at] ^= 1
        return 200, bytes(changed)

    return spoil


@pytest.mark.parametrize("at", [-1, -100, 40, 60, 80, 100, 120, 140, 300])
def test_a_tampered_token_is_refused(authority, at):
    """In the signature, in the imprint, in the time, in the certificate."""
    assert stamp(b"checkpoint", authority.url, authority.roots)
    authority.spoil = flipped(at)
    with pytest.raises(NoStampError):
        stamp(b"checkpoint", authority.url, authority.roots)


def test_a_token_over_other_bytes_is_refused(authority):
    other = authority.query_about(b"another checkpoint")
    authority.ask = lambda _query: other
    with pytest.raises(NoStampError):
        stamp(b"checkpoint", authority.url, authority.roots)


def test_a_token_that_answers_another_question_is_refused(authority):
    """The right bytes, and a nonce that is not ours: an old token played again."""
    old = authority.query_about(b"checkpoint")
    authority.ask = lambda _query: old
    with pytest.raises(NoStampError):
        stamp(b"checkpoint", authority.url, authority.roots)


def test_a_token_by_somebody_else_is_refused(authority, tmp_path):
    other = Authority(tmp_path)
    with pytest.raises(NoStampError, match="does not hold"):
        stamp(b"checkpoint", authority.url, other.roots)


def test_a_token_of_another_time_is_refused(authority, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr(stamps.timezone, "now", lambda: now + stamps.timedelta(minutes=10))
    with pytest.raises(NoStampError, match="the token says"):
        stamp(b"checkpoint", authority.url, authority.roots)


@pytest.mark.parametrize(
    "answer",
    [(500, b""), (200, b""), (200, b"<html>"), (200, bytes.fromhex("30053003020102"))],
    ids=["error", "nothing", "a page", "a rejection"],
)
def test_what_is_no_token_is_a_trouble_that_passes(published_log, authority, answer, monkeypatch):
    monkeypatch.setattr(stamps, "_AGAIN_SECONDS", 0)
    authority.spoil = lambda _reply: answer
    published = published_log.publish(3)
    assert Checkpoint.objects.get(size=published.size).stamp is None
    assert not (published_log.folder / "stamps").exists()
    trouble = Trouble.objects.get()
    assert trouble.code == "stamp.failed"
    assert timezone.localdate().isoformat() in troubles.words(trouble)
    authority.spoil = lambda reply: (200, reply)
    published_log.checkpointer.round()
    assert Checkpoint.objects.get(size=published.size).stamp is not None
    assert not Trouble.objects.exists()


def test_without_readable_roots_nothing_is_asked(published_log, authority, settings, tmp_path):
    settings.AUDIT_TSA_CERTIFICATES = str(tmp_path / "absent.pem")
    published_log.publish(3)
    assert Trouble.objects.get().facts["reason"].startswith("DATASPACE_AUDIT_TSA_CERTIFICATES")
    assert authority.answered == 0


def test_without_an_authority_nothing_is_asked(published_log, authority, settings):
    settings.AUDIT_TSA_URL = ""
    published_log.publish(3)
    assert authority.answered == 0
    assert not Trouble.objects.exists()
