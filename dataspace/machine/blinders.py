"""`blinders`: a process that cannot see one folder, on the same machine and under the same account.

The web server must not be able to read the key that signs the log. It gets a mount namespace of its own in which an
empty file system lies over the folder, and none of the privileges by which it could lift it or look around it. An
ordinary account does this in a user namespace, as the sandbox does; root does without one, since there it would lose
its way to the database's socket. On a server, accounts of their own do the same (deploy/systemd).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_CAPBSET_DROP = 24
# Numbers of linux/capability.h: mounting, reaching into other processes and kernel memory, opening files by handle,
# making device nodes. Root keeps the rest.
_LIFTS_BLINDERS = {
    "DAC_READ_SEARCH": 2, "SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "MKNOD": 27,
    "PERFMON": 38, "BPF": 39,
}  # fmt: skip


def blinders(folder: Path) -> Callable[[], None]:
    """For `preexec_fn`: the process about to start sees `folder`, which must exist, as empty.

    Raises OSError in the child, so that the start fails, where the kernel does not allow it.
    """
    target = str(folder.resolve()).encode()
    uid, gid = os.geteuid(), os.getegid()

    def in_child() -> None:
        if uid == 0:
            _call("unshare", _CLONE_NEWNS)
        else:
            _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        _call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
        flags = _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        _call("mount", b"none", target, b"tmpfs", flags, b"size=4k,mode=0555")
        if uid == 0:  # an ordinary account loses all it gained when the program starts
            for capability in _LIFTS_BLINDERS.values():
                _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # one the kernel does not know is one less

    return in_child


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
