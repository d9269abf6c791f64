"""Folders for unix sockets: only their owner may enter, and their path is short enough for the kernel."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from dataspace.machine.account import Account
from dataspace.machine.errors import MachineError

# sun_path holds 108 bytes with its final zero; the longest name we put below is `.s.PGSQL.5432`.
LONGEST_FOLDER = 107 - len("/.s.PGSQL.5432")


def place(preferred: Path) -> Path:
    """`preferred` if a socket fits below it, else a folder in /tmp named after it."""
    if len(str(preferred).encode()) <= LONGEST_FOLDER:
        return preferred
    return Path("/tmp") / f"dataspace-{digest(preferred)}"  # noqa: S108 - `secure` checks whose it is


def digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def secure(folder: Path, owner: Account) -> None:
    """Creates the folder for `owner` alone. Raises `MachineError` if somebody else was there first."""
    created = False
    try:
        folder.mkdir(mode=0o700, parents=True)
        created = True
    except FileExistsError:
        pass
    if created and os.geteuid() == 0:
        os.chown(folder, owner.uid, owner.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.uid:
        raise MachineError(
            f"{folder} belongs to somebody else. Remove it, or set DATASPACE_DATA_DIR to a short path."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
