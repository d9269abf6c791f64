"""Signatures of the log, by keys in the process and by an outside program, are those the verifier expects."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.transparency import notes, signers
from audit.verifier import note

ORIGIN = "log.example/one"
TEXT = notes.checkpoint_text(ORIGIN, 7, bytes(range(32)))


def in_process() -> list[signers.Signer]:
    return [
        signers.Ed25519Signer(signers.Ed25519Signer.new_private()),
        signers.Sm2Signer(signers.Sm2Signer.new_private()),
    ]


def test_a_signed_checkpoint_is_read_back_with_all_its_signers():
    ours = in_process()
    raw = notes.signed(TEXT, ORIGIN, ours)
    read = note.parse_checkpoint(raw)
    assert (read.origin, read.size, read.root) == (ORIGIN, 7, bytes(range(32)))
    keys = [note.parse_key(notes.key_of(ORIGIN, one).vkey) for one in ours]
    assert set(read.note.signers(keys)) == set(keys)


@pytest.mark.parametrize("n", [0, 1])
def test_a_signature_over_another_text_does_not_fit(n):
    signer = in_process()[n]
    raw = notes.signed(TEXT, ORIGIN, [signer]).replace(b"\n7\n", b"\n8\n")
    with pytest.raises(note.BadSignature):
        note.parse_note(raw).signers([notes.key_of(ORIGIN, signer)])


class Wrong(signers.Ed25519Signer):
    def sign(self, text: bytes) -> bytes:
        return super().sign(text + b"x")


def test_a_signature_that_does_not_fit_never_leaves():
    with pytest.raises(notes.SigningFailed):
        notes.signed(TEXT, ORIGIN, [Wrong(signers.Ed25519Signer.new_private())])


def test_a_proof_is_written_as_text():
    raw = notes.signed(TEXT, ORIGIN, in_process())
    proof = notes.tlog_proof(3, [bytes(32), b"\x01" * 32], raw)
    lines = proof.split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 3"]
    assert [base64.b64decode(line) for line in lines[2:4]] == [bytes(32), b"\x01" * 32]
    assert lines[4] == b""
    assert proof.endswith(raw)


# --- A program outside ------------------------------------------------------------------------------------
@pytest.fixture
def openssl() -> str:
    found = shutil.which("openssl")
    if found is None:
        pytest.skip("openssl is not on this machine")
    return found


def run(*command: object) -> bytes:
    return subprocess.run([str(word) for word in command], capture_output=True, check=True).stdout


def sm2_key(openssl: str, folder: Path) -> tuple[Path, bytes]:
    key = folder / "sm2.pem"
    key.write_bytes(run(openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"))
    return key, run(openssl, "pkey", "-in", key, "-pubout", "-outform", "DER")[-64:]


def test_openssl_signs_with_sm2_and_the_verifier_accepts_it(openssl, tmp_path):
    key, public = sm2_key(openssl, tmp_path)
    identity = ("-sigopt", "distid:1234567812345678")
    signer = signers.command_signer("sm2", public, [openssl, "dgst", "-sm3", "-sign", str(key), *identity])
    raw = notes.signed(TEXT, ORIGIN, [signer])
    assert list(note.parse_note(raw).signers([notes.key_of(ORIGIN, signer)])) == [
        notes.key_of(ORIGIN, signer)
    ]
    without = signers.command_signer("sm2", public, [openssl, "dgst", "-sm3", "-sign", str(key)])
    with pytest.raises(notes.SigningFailed):  # another identity, another signature
        notes.signed(TEXT, ORIGIN, [without])


def test_what_we_sign_with_sm2_openssl_accepts(openssl, tmp_path):
    signer = signers.Sm2Signer(signers.Sm2Signer.new_private())
    raw = signer.sign(TEXT)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    (tmp_path / "sig").write_bytes(encode_dss_signature(r, s))
    header = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
    (tmp_path / "public").write_bytes(header + signer.public)
    run(
        openssl,
        "pkey",
        "-pubin",
        "-inform",
        "DER",
        "-in",
        tmp_path / "public",
        "-out",
        tmp_path / "public.pem",
    )
    (tmp_path / "text").write_bytes(TEXT)
    said = run(
        openssl, "dgst", "-sm3", "-verify", tmp_path / "public.pem", "-signature", tmp_path / "sig",
        "-sigopt", "distid:1234567812345678", tmp_path / "text",
    )  # fmt: skip
    assert b"Verified OK" in said


def test_openssl_signs_with_ed25519_from_a_file_of_standard_input(openssl, tmp_path):
    key = tmp_path / "ed.pem"
    key.write_bytes(run(openssl, "genpkey", "-algorithm", "ed25519"))
    public = run(openssl, "pkey", "-in", key, "-pubout", "-outform", "DER")[-32:]
    script = 'cat > "$1" && exec openssl pkeyutl -sign -rawin -inkey "$2" -in "$1"'
    command = ["/bin/sh", "-c", script, "sign", str(tmp_path / "text"), str(key)]
    signer = signers.command_signer("ed25519", public, command)
    raw = notes.signed(TEXT, ORIGIN, [signer])
    assert note.parse_note(raw).signers([notes.key_of(ORIGIN, signer)])


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (python("raise SystemExit('the slot is locked')"), "the slot is locked"),
        (python(""), "no SM2 signature"),
        (python("print('x' * 200, end='')"), "no SM2 signature"),
        (["/there/is/no/such/program"], "does not start"),
    ],
)
def test_a_program_that_gives_no_signature_is_a_clear_error(command, says):
    signer = signers.command_signer("sm2", bytes(64), command)
    with pytest.raises(signers.SignerFailed, match=says):
        signer.sign(TEXT)


def test_a_program_that_does_not_end_is_given_up():
    signer = signers.CommandSigner(note.ED25519, bytes(32), tuple(python("import time; time.sleep(60)")), 0.2)
    with pytest.raises(signers.SignerFailed, match="within"):
        signer.sign(TEXT)


def test_numbers_too_large_are_no_sm2_signature():
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    with pytest.raises(signers.SignerFailed):
        signers.raw_sm2(encode_dss_signature(2**256, 1))
