"""The witness's own key: an Ed25519 key bound to the witness's name, and the cosignatures it makes.

Kept as one line, `PRIVATE+KEY+name+id+base64(0x04 || seed)`, in a file that only its owner may read.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.verifier.note import COSIGNATURE, Key, Malformed

_PREFIX = "PRIVATE+KEY"


class WitnessKey:
    def __init__(self, name: str, seed: bytes) -> None:
        """`name` without white space and plus signs; `seed`: 32 bytes (RFC 8032). Raises Malformed."""
        if not name or "+" in name or any(c.isspace() or c < " " for c in name):
            raise Malformed(f"not a name of a witness: {name[:80]!r} (such as auditor.example/w1)")
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = Key(name, COSIGNATURE, self._private.public_key().public_bytes_raw())

    @staticmethod
    def new(name: str) -> WitnessKey:
        return WitnessKey(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def name(self) -> str:
        return self.public.name

    @property
    def vkey(self) -> str:
        return self.public.vkey

    def written(self) -> bytes:
        """As it stands in the file. Secret."""
        secret = base64.b64encode(COSIGNATURE + self._seed).decode()
        return f"{_PREFIX}+{self.name}+{self.public.id.hex()}+{secret}\n".encode()

    def cosign(self, text: bytes, time: int) -> bytes:
        """The signature line over a checkpoint's text at `time`, POSIX seconds (C2SP tlog-cosignature, Ed25519)."""
        signature = self._private.sign(b"cosignature/v1\ntime %d\n" % time + text)
        return signature_line(self.name, self.public.id + time.to_bytes(8, "big") + signature)


def signature_line(name: str, raw: bytes) -> bytes:
    """As it stands in a signed note; `raw` is the key's id and the signature."""
    return f"— {name} {base64.b64encode(raw).decode()}\n".encode()


def parse_witness_key(raw: bytes) -> WitnessKey:
    """Raises Malformed, also where the id does not fit the key. Never quotes what it read."""
    try:
        private, word, name, hex_id, secret = raw.decode().removesuffix("\n").split("+", 4)
        material = base64.b64decode(secret, validate=True)
    except ValueError:
        raise Malformed("not the key of a witness") from None
    if f"{private}+{word}" != _PREFIX or material[:1] != COSIGNATURE or len(material) != 33:
        raise Malformed("not the key of a witness")
    key = WitnessKey(name, material[1:])
    if key.public.id.hex() != hex_id:
        raise Malformed("its id is not that of the key")
    return key
