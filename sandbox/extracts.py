"""Open an extract for a run, and make sure that its bytes are those on record."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from django.conf import settings

from sandbox.spec import ExtractRef

_CHUNK = 4 * 1024 * 1024
# (sha256, device, inode, size, mtime, ctime) of files whose digest this process has checked. A file that is written
# to gets another mtime and ctime, and is read again.
_checked: set[tuple[str, int, int, int, int, int]] = set()


class ExtractChanged(Exception):
    """The file is missing, or its bytes are not those whose digest the run pinned."""


def open_verified(extract: ExtractRef) -> int:
    """A read-only descriptor, the caller's to close. Raises ExtractChanged."""
    path = Path(settings.EXTRACTS_DIR) / f"{extract.sha256}.parquet"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise ExtractChanged(f"extract {extract.sha256:.12} of {extract.table}: {error.strerror}") from error
    try:
        _verify(descriptor, extract)
    except ExtractChanged:
        os.close(descriptor)
        raise
    return descriptor


def _verify(descriptor: int, extract: ExtractRef) -> None:
    stat = os.fstat(descriptor)
    identity = (extract.sha256, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if identity in _checked:
        return
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, _CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
    if digest.hexdigest() != extract.sha256:
        raise ExtractChanged(
            f"extract {extract.sha256:.12} of {extract.table} has other bytes than on record"
        )
    _checked.add(identity)
