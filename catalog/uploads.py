"""Files that providers hand in, below UPLOADS_DIR: taken in as a stream, named by ourselves, removed when done with.

They hold rows as they are, direct identifiers included, so they live only until their version is decided.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused

FORMATS = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".parquet"})
HEAD = ".head.json"
LARGEST = 20 * 2**30  # bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file: `name` below UPLOADS_DIR, `size` in bytes, digest of the bytes as they came."""

    name: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        return Path(settings.UPLOADS_DIR) / self.name


def receive(chunks: Iterable[bytes], file_name: str) -> Upload:
    """Store a stream. Memory stays at one chunk. Nothing is left behind if the stream breaks or is refused.

    Raises Refused: upload.format, upload.empty, upload.too_large.
    """
    suffix = PurePosixPath(file_name.replace("\\", "/")).suffix.lower()
    if suffix not in FORMATS:
        raise Refused("upload.format", _("Hand in a CSV, XLSX or Parquet file."), formats=sorted(FORMATS))
    folder = Path(settings.UPLOADS_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{uuid.uuid4()}{suffix}"
    part = folder / f"{name}.part"
    try:
        size, digest = _write(chunks, part)
        part.replace(folder / name)
    finally:
        part.unlink(missing_ok=True)
    return Upload(name, size, digest)


def _write(chunks: Iterable[bytes], path: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > LARGEST:
                raise Refused("upload.too_large", _("The file is larger than this space takes in. Split it."))
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if not size:
        raise Refused("upload.empty", _("The file is empty."))
    return size, digest.hexdigest()


def head_path(name: str) -> Path:
    """Where the first rows of a stored file are kept for its provider (see catalog.preview)."""
    return Path(settings.UPLOADS_DIR) / f"{name or '-'}{HEAD}"


def discard(name: str) -> None:
    """Remove a stored file and its first rows, if they are still there."""
    if name:
        (Path(settings.UPLOADS_DIR) / name).unlink(missing_ok=True)
        head_path(name).unlink(missing_ok=True)
