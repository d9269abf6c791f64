"""SM2 over SM3 is verified as two other implementations sign and verify it: a library in C, and OpenSSL's command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from gmssl_pyx import sm2_key_generate, sm2_sign, sm2_verify, sm3_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verifier import sm2

PUBLIC, PRIVATE = sm2_key_generate()


def signed(message: bytes) -> bytes:
    r, s = decode_dss_signature(sm2_sign(private_key=PRIVATE, public_key=PUBLIC, message=message))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 64 * 8 - 1))
def test_signatures_of_the_library_are_accepted_and_no_bit_of_them_may_differ(message, bit):
    signature = signed(message)
    assert sm2.verify(PUBLIC, message, signature)
    assert sm2.sm3(message) == sm3_hash(message)
    assert not sm2.verify(PUBLIC, message + b"!", signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not sm2.verify(PUBLIC, message, bytes(flipped))


def test_a_signature_by_another_key_or_of_another_form_is_refused():
    signature, other = signed(b"text"), sm2_key_generate()[0]
    assert not sm2.verify(other, b"text", signature)
    assert not sm2.verify(bytes([PUBLIC[0] ^ 1]) + PUBLIC[1:], b"text", signature)  # no point of the curve
    for wrong in (
        b"",
        signature[:-1],
        signature + b"\x00",
        bytes(64),
        signature[:32] + bytes(32),
        b"\xff" * 64,
    ):
        assert not sm2.verify(PUBLIC, b"text", wrong)
    negated = (sm2.N - int.from_bytes(signature[:32], "big")).to_bytes(32, "big")
    assert not sm2.verify(PUBLIC, b"text", signature[:32] + negated)  # r + s is 0


class OpenSSL:
    """Its command, with keys in files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, check=False)

    def verify(self, message: bytes, signature: bytes) -> bool:
        (self.folder / "message").write_bytes(message)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        (self.folder / "signature").write_bytes(encode_dss_signature(r, s))
        words = [
            "-sm3",
            "-sigopt",
            "distid:1234567812345678",
            "-verify",
            "public",
            "-signature",
            "signature",
            "message",
        ]
        return self.run("dgst", *words).returncode == 0


@pytest.fixture
def openssl(tmp_path):
    command = OpenSSL(tmp_path)
    if (
        shutil.which("openssl") is None
        or command.run("genpkey", "-algorithm", "SM2", "-out", "key").returncode
    ):
        pytest.skip("the openssl command with SM2 is not on this machine")
    assert command.run("pkey", "-in", "key", "-pubout", "-out", "public").returncode == 0
    return command


def test_signatures_of_openssl_are_accepted(openssl):
    (openssl.folder / "message").write_bytes(b"audit.test/log\n7\nroot\n")
    done = openssl.run(
        "dgst", "-sm3", "-sigopt", "distid:1234567812345678", "-sign", "key", "-out", "sig", "message"
    )
    assert done.returncode == 0, done.stderr
    public = openssl.run("pkey", "-in", "key", "-pubout", "-outform", "DER").stdout[-64:]
    r, s = decode_dss_signature((openssl.folder / "sig").read_bytes())
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert sm2.verify(public, b"audit.test/log\n7\nroot\n", signature)
    assert not sm2.verify(public, b"audit.test/log\n8\nroot\n", signature)
    assert openssl.verify(b"audit.test/log\n7\nroot\n", signature)
    r_s = encode_dss_signature(r, s)
    assert sm2_verify(public_key=public, message=b"audit.test/log\n7\nroot\n", signature=r_s)
