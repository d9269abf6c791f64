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
        return open_checked(path, extract.sha256)
    except OSError as error:
        raise ExtractChanged(f"extract {extract.sha256:.12} of {extract.table}: {error.strerror}") from error
    except ExtractChanged as error:
        raise ExtractChanged(f"extract {extract.sha256:.12} of {extract.table} {error}") from None


def open_checked(path: Path, sha256: str) -> int:
    """A read-only descriptor of the file with these bytes, the caller's to close. Raises OSError, ExtractChanged."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    if _identity(descriptor, sha256) in _checked or _digest(descriptor) == sha256:
        return descriptor
    os.close(descriptor)
    raise ExtractChanged("has other bytes than on record")


def digest(path: Path) -> str:
    """SHA-256 of a file, remembered for `open_checked`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        return _digest(descriptor)
    finally:
        os.close(descriptor)


def _digest(descriptor: int) -> str:
    found = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, _CHUNK, offset):
        found.update(chunk)
        offset += len(chunk)
    _checked.add(_identity(descriptor, found.hexdigest()))
    return found.hexdigest()


def _identity(descriptor: int, sha256: str) -> tuple[str, int, int, int, int, int]:
    stat = os.fstat(descriptor)
    return (sha256, stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
