"""The account PostgreSQL runs as when we are root: it refuses to run as root itself."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dataspace.machine.errors import MachineError

ACCOUNT_NAME = "dataspace-db"
_CREATE = (
    "useradd", "--system", "--user-group", "--no-create-home",
    "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", ACCOUNT_NAME,
)  # fmt: skip


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int


def for_database() -> Account | None:
    """None unless we are root; then a system account without log-in, created at the first start."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_uid, entry.pw_gid)


def _create() -> pwd.struct_passwd:
    try:
        subprocess.run(_CREATE, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", None) or error
        raise MachineError(
            f"PostgreSQL cannot run as root and its own account could not be made ({str(detail).strip()}).\n"
            f"Run as an ordinary user, or as root: {' '.join(_CREATE)}"
        ) from error
    return pwd.getpwnam(ACCOUNT_NAME)


def can_reach(folder: Path) -> bool:
    """Whether an account that owns nothing on the way can walk to `folder` (`x` for others on each parent).

    We never loosen those folders: a home of mode 0700 stays 0700.
    """
    return all(parent.stat().st_mode & 0o001 for parent in (folder.resolve() / "x").parents)
