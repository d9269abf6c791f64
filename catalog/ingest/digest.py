"""SHA-256 and SM3 (GB/T 32905) of a file in one reading."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from catalog.ingest.engine import Progress, silent

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Digests:
    bytes: int
    sha256: str  # lower-case hex
    sm3: str


def digest(path: Path, *, progress: Progress = silent) -> Digests:
    """Stream the file once."""
    total, size = max(path.stat().st_size, 1), 0
    sha256, sm3 = hashlib.sha256(), hashes.Hash(hashes.SM3())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            sm3.update(chunk)
            size += len(chunk)
            progress("digest", size / total)
    return Digests(size, sha256.hexdigest(), sm3.finalize().hex())
