"""Writing checkpoints, signed notes and proofs as text (C2SP signed-note, tlog-checkpoint, tlog-proof). Pure.

Reading and verifying them is the verifier's: audit/verifier/note.py.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from audit.transparency.signers import Signer
from audit.verifier.note import BadSignature, Key

SM3_SUFFIX = "/sm3"  # behind the origin: the name of the parallel tree


class SigningFailed(RuntimeError):
    """A signer gave no signature, or one that does not fit its own public key."""


def checkpoint_text(origin: str, size: int, root: bytes) -> bytes:
    """What is signed: three lines."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def key_of(name: str, signer: Signer) -> Key:
    """The public half under the name it signs by."""
    return Key(name, signer.kind, signer.public)


def signature_line(key: Key, signature: bytes) -> bytes:
    """`— name base64(id ‖ signature)`, newline included."""
    return f"— {key.name} {base64.b64encode(key.id + signature).decode()}\n".encode()


def signed(text: bytes, name: str, signers: Iterable[Signer]) -> bytes:
    """The note: `text`, an empty line, one signature line by each signer, checked before it leaves.

    Raises SigningFailed.
    """
    lines = b""
    for signer in signers:
        key = key_of(name, signer)
        signature = signer.sign(text)
        try:
            key.check(text, signature)
        except BadSignature:
            raise SigningFailed(f"the signature by {key.vkey} does not fit its public key") from None
        lines += signature_line(key, signature)
    return text + b"\n" + lines


def tlog_proof(index: int, proof: Sequence[bytes], checkpoint: bytes, extra: bytes = b"") -> bytes:
    """`checkpoint` is the signed note; `proof` shows that leaf `index` stands in it. `extra` goes along unproven."""
    lines = ["c2sp.org/tlog-proof@v1\n"]
    if extra:
        lines.append(f"extra {base64.b64encode(extra).decode()}\n")
    lines.append(f"index {index}\n")
    lines += [base64.b64encode(one).decode() + "\n" for one in proof]
    return "".join(lines).encode() + b"\n" + checkpoint
