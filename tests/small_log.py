"""A log in miniature, from the definitions of RFC 6962 §2.1 and C2SP, to try verifier, mirror and witness on.

Shares nothing with what is tested but the key format. Slow and plain.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verifier.note import COSIGNATURE, ED25519, Key

ORIGIN = "log.example/audit"
DAY = 86_400_000_000


def leaf_of(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def mth(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1 if leaves else 0
    halves = b"\x01" + mth(leaves[:k]) + mth(leaves[k:]) if leaves else b""
    return hashlib.sha256(halves).digest()


def inclusion(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*inclusion(index, leaves[:k]), mth(leaves[k:])]
    return [*inclusion(index - k, leaves[k:]), mth(leaves[:k])]


def consistency(old: int, leaves: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2; PROOF from the empty tree is empty."""
    if old == 0:
        return []
    if old == len(leaves):
        return [] if known else [mth(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= k:
        return [*consistency(old, leaves[:k], known=known), mth(leaves[k:])]
    return [*consistency(old - k, leaves[k:], known=False), mth(leaves[:k])]


class Signer:
    """An Ed25519 key under a name: of a log, or of a witness."""

    def __init__(self, name: str = ORIGIN, kind: bytes = ED25519, seed: bytes | None = None) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        self.key = Key(name, kind, self._private.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        return self.key.vkey

    def line(self, text: bytes, time: int = 1_790_000_000) -> bytes:
        signature = b""
        if self.key.kind == COSIGNATURE:
            signature = time.to_bytes(8, "big")
            text = b"cosignature/v1\ntime %d\n" % time + text
        raw = self.key.id + signature + self._private.sign(text)
        return f"— {self.key.name} {base64.b64encode(raw).decode()}\n".encode()


class SmallLog:
    """Entries of the profile AUD-1 under `origin`. `word` makes two logs of the same size differ from entry `since` on."""

    def __init__(self, size: int = 0, word: str = "a", since: int = 0, origin: str = ORIGIN) -> None:
        self.origin, self.word, self.since = origin, word, since
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.signer = Signer(origin, seed=hashlib.sha256(origin.encode()).digest())
        self.grow(size)

    @property
    def size(self) -> int:
        return len(self.entries)

    def grow(self, count: int) -> None:
        for seq in range(self.size, self.size + count):
            prev = self.leaves[-1].hex() if self.leaves else "0" * 64
            fields: dict[str, object] = {
                "_prev": prev, "_seq": seq, "act": "account.login", "actor": f"u{seq % 7}",
                "id": f"00000000-0000-4000-8000-{seq:012x}", "obj": f"account:u{seq % 7}", "org": "", "out": "ok",
                "t": 1_790_000_000_000_000 + seq * DAY // 100, "v": 1,
            }  # fmt: skip
            if seq == 0:
                fields |= {
                    "act": "log.init",
                    "actor": "system:log",
                    "obj": "log:1",
                    "x": {"origin": self.origin},
                }
            if seq >= self.since and self.word != "a":
                fields["out"] = "refused"
            entry = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            self.entries.append(entry)
            self.leaves.append(leaf_of(entry))

    def text(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        root = base64.b64encode(mth(self.leaves[:size])).decode()
        return f"{self.origin}\n{size}\n{root}\n".encode()

    def checkpoint(self, size: int | None = None, also: Iterable[Signer] = ()) -> bytes:
        text = self.text(size)
        return text + b"\n" + b"".join(signer.line(text) for signer in (self.signer, *also))

    def proof(self, old: int, size: int | None = None) -> list[bytes]:
        return consistency(old, self.leaves[: self.size if size is None else size])

    def request(self, old: int, size: int | None = None, proof: list[bytes] | None = None) -> bytes:
        """The body of add-checkpoint."""
        lines = self.proof(old, size) if proof is None else proof
        head = [f"old {old}", *(base64.b64encode(line).decode() for line in lines)]
        return ("\n".join(head) + "\n\n").encode() + self.checkpoint(size)

    def write(self, folder: Path, size: int | None = None, also: Iterable[Signer] = ()) -> None:
        """Tiles, bundles and checkpoint as C2SP tlog-tiles has them, beside what the folder holds already."""
        size = self.size if size is None else size
        for index in range(0, size, 256):
            block = self.entries[index : min(index + 256, size)]
            bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in block)
            _put(folder / "tile/entries", index // 256, len(block), bundle)
        hashes, level = self.leaves[:size], 0
        while hashes:
            for index in range(0, len(hashes), 256):
                block = hashes[index : index + 256]
                _put(folder / "tile" / str(level), index // 256, len(block), b"".join(block))
            hashes = [mth(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
            level += 1
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "checkpoint").write_bytes(self.checkpoint(size, also))


def _put(folder: Path, index: int, width: int, data: bytes) -> None:
    assert index < 1000, "a small log"
    path = folder / (f"{index:03d}" + (f".p/{width}" if width < 256 else ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
