"""Who signs checkpoints: a key in this process, or an outside program that asks a hardware module. Pure.

A signer returns the signature in the form a signature line holds: 64 bytes, for SM2 `r ‖ s`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import gmssl_pyx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from audit.verifier.note import ED25519, SM2_SM3

KINDS = {"ed25519": ED25519, "sm2": SM2_SM3}
_SIGNATURE_BYTES = 64
COMMAND_SECONDS = 10.0
_LONGEST_ANSWER = 64 * 1024


class SignerFailed(RuntimeError):
    """No signature came; the text says why, and holds nothing secret."""


class Signer(Protocol):
    @property
    def kind(self) -> bytes:
        """The type bytes of its signatures: ED25519 or SM2_SM3 of audit.verifier.note."""

    @property
    def public(self) -> bytes:
        """32 bytes for Ed25519; x ‖ y, 64 bytes, for SM2."""

    def sign(self, text: bytes) -> bytes:
        """64 bytes. Raises SignerFailed."""


class Ed25519Signer:
    kind = ED25519

    def __init__(self, private: bytes) -> None:
        """`private`: 32 bytes (RFC 8032)."""
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw()

    @staticmethod
    def new_private() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self._key.sign(text)


class Sm2Signer:
    """SM2 over SM3 (GB/T 32918.2), identity `1234567812345678` (GM/T 0009). Software, not a certified module."""

    kind = SM2_SM3

    def __init__(self, private: bytes) -> None:
        """`private`: 96 bytes, the number d and the public point x ‖ y."""
        self._number, self.public = private[:32], private[32:]

    @staticmethod
    def new_private() -> bytes:
        public, private = gmssl_pyx.sm2_key_generate()
        return bytes(private) + bytes(public)

    def sign(self, text: bytes) -> bytes:
        try:
            return raw_sm2(gmssl_pyx.sm2_sign(self._number, self.public, text))
        except (gmssl_pyx.GmsslInnerError, gmssl_pyx.InvalidValueError) as error:
            raise SignerFailed(f"the SM2 library refused: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class CommandSigner:
    """A program of the operator's: the text on its standard input, the signature alone on its standard output.

    For hardware modules and signature servers (签名验签服务器). SM2 signatures may come raw or as DER.
    """

    kind: bytes
    public: bytes
    command: tuple[str, ...]
    seconds: float = COMMAND_SECONDS

    def sign(self, text: bytes) -> bytes:
        with (
            tempfile.TemporaryFile() as asked,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            asked.write(text)
            asked.seek(0)
            try:
                code = self._run(asked.fileno(), out.fileno(), err.fileno())
            except subprocess.TimeoutExpired:
                raise SignerFailed(f"{self.command[0]} gave no signature within {self.seconds:g} s") from None
            except OSError as error:
                raise SignerFailed(f"{self.command[0]} does not start: {error.strerror}") from None
            out.seek(0)
            answer = out.read(_LONGEST_ANSWER)
            if code != 0:
                err.seek(0)
                words = err.read(_LONGEST_ANSWER).decode(errors="replace").strip()[-300:]
                raise SignerFailed(f"{self.command[0]} ended with {code}: {words}")
        if self.kind == SM2_SM3 and len(answer) != _SIGNATURE_BYTES:
            answer = raw_sm2(answer)
        if len(answer) != _SIGNATURE_BYTES:
            raise SignerFailed(f"{self.command[0]} answered {len(answer)} bytes, not a signature of 64")
        return answer

    def _run(self, asked: int, out: int, err: int) -> int:
        """By files, and in a group of its own: a child it leaves behind holds no pipe that we would wait for.

        Raises TimeoutExpired, OSError.
        """
        with subprocess.Popen(  # noqa: S603 - the operator names the program; there is no shell
            self.command, stdin=asked, stdout=out, stderr=err, start_new_session=True
        ) as process:
            try:
                return process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def raw_sm2(der: bytes) -> bytes:
    """`r ‖ s`, 64 bytes, from the DER of SEQUENCE { r, s }. Raises SignerFailed."""
    try:
        r, s = decode_dss_signature(bytes(der))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    except (ValueError, OverflowError):
        raise SignerFailed("the answer is no SM2 signature") from None


def command_signer(kind: str, public: bytes, command: Sequence[str]) -> CommandSigner:
    return CommandSigner(KINDS[kind], public, tuple(command))
