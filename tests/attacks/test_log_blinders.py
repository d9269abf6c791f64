"""A web process that runs a stranger's code, blinded: the ways around the cover over the folder of the log's keys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataspace.machine.blinders import blinders
from dataspace.machine.program import dying_with_parent

NEW_USER, NEW_MOUNTS, BIND, RECURSIVE, PRIVATE = 0x10000000, 0x00020000, 4096, 16384, 1 << 18
# Each prints what it got hold of. `holder` is a process of the same account that is not blinded and has the key open.
ATTEMPTS = {
    "descriptors": "print(*[open(d).read() for d in (f'/proc/{holder}/fd/{n}' for n in range(9)) if os.path.realpath(d).endswith('key')])",
    "files that are mapped": "print(*os.listdir(f'/proc/{holder}/map_files'))",
    "maps": "print(open(f'/proc/{holder}/maps').read())",
    "the environment": "print(open(f'/proc/{holder}/environ').read())",
    "the root": "print(open(f'/proc/{holder}/root{folder}/key').read())",
    "threads": "print(open(f'/proc/{holder}/task/{holder}/root{folder}/key').read())",
    "memory": "print(open(f'/proc/{holder}/mem', 'rb').name)",
    "memory by call": "print(*['read'] * (libc.process_vm_readv(holder, ctypes.byref(local), 1, ctypes.byref(local), 1, 0) >= 0))",
    "tracing": "print(*['seized'] * (libc.ptrace(0x4206, holder, None, None) == 0))",
    "descriptors by call": "pidfd = libc.syscall(434, holder, 0); print(*['got'] * (libc.syscall(438, pidfd, 3, 0) >= 0))",
    "namespaces": "print(*['in'] * (libc.setns(os.open(f'/proc/{holder}/ns/mnt', 0), 0) == 0))",
    "namespaces by call": f"pidfd = libc.syscall(434, holder, 0); print(*['in'] * (libc.setns(pidfd, {NEW_MOUNTS}) == 0))",
    "a bind of what is above": f"libc.unshare({NEW_USER | NEW_MOUNTS}); libc.mount(above, spare, None, {BIND}, None); print(open(f'{{spare.decode()}}/keys/key').read())",
    "a recursive bind": f"libc.unshare({NEW_USER | NEW_MOUNTS}); libc.mount(above, spare, None, {BIND | RECURSIVE}, None); libc.umount2(spare + b'/keys', 2); print(open(f'{{spare.decode()}}/keys/key').read())",
    "a move": f"libc.unshare({NEW_USER | NEW_MOUNTS}); libc.mount(folder.encode(), spare, None, 8192, None); print(open(f'{{folder}}/key').read())",
    "a clone of the tree": f"libc.unshare({NEW_USER | NEW_MOUNTS}); fd = libc.syscall(428, -100, above, 1); print(open(f'/proc/self/fd/{{fd}}/keys/key').read())",
    "a remount": "libc.mount(None, folder.encode(), None, 32, None); open(f'{folder}/new', 'w').write('x'); print('written')",
    "a handle": "size = ctypes.create_string_buffer(b'\\x80\\0\\0\\0' + bytes(140)); print(*['opened'] * (libc.open_by_handle_at(os.open('/', 0), size, 0) >= 0))",
    "a device": "os.mknod(spare.decode() + '/disk', 0o60600, os.makedev(8, 0)); print(open(spare.decode() + '/disk', 'rb').read(1))",
    "kernel memory": "print(open('/dev/mem', 'rb').read(1), open('/proc/kcore', 'rb').read(1))",
    "a dump of the core": "os.kill(holder, 0); print(*[name for name in os.listdir('/proc/' + str(holder)) if name == 'core'])",
    "what was inherited": "print(*[os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if 'keys' in os.readlink(f'/proc/self/fd/{fd}')])",
    "the own folder above": "os.chdir(folder); os.chdir('..'); print(open('keys/key').read())",
    "a hard link": "os.link(f'{folder}/key', spare.decode() + '/key'); print('linked')",
    "a child": "print(subprocess.run(['/bin/cat', f'{folder}/key'], capture_output=True, text=True).stdout)",
    "a child in a session of its own": "print(subprocess.run(['/bin/cat', f'{folder}/key'], capture_output=True, text=True, start_new_session=True).stdout)",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys"
    made.mkdir()
    (tmp_path / "spare").mkdir()
    (made / "key").write_text("the secret")
    return made


@pytest.fixture
def holder(folder: Path):
    """Stands for the checkpointer: the same account, not blinded, the key in a descriptor, in memory and in words."""
    code = "import mmap, sys; f = open(sys.argv[1], 'r+b'); m = mmap.mmap(f.fileno(), 0); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "key")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "SECRET": "the secret"}, cwd=folder,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def result(folder: Path, holder: int, attempt: str, *, blind: bool) -> str:
    above = folder.parent
    code = (
        "import ctypes, os, subprocess\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.ptrace.restype = ctypes.c_long\n"
        "class V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
        "room = ctypes.create_string_buffer(8); local = V(ctypes.addressof(room), 8)\n"
        f"folder, holder, above, spare = {str(folder)!r}, {holder}, {os.fsencode(above)!r}, {os.fsencode(above / 'spare')!r}\n"
        f"try:\n    {attempt}\nexcept (OSError, ValueError): pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin"},
        preexec_fn=dying_with_parent(signal.SIGKILL, blinders(folder)) if blind else None,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_no_way_around_the_cover_leads_to_the_key(folder, holder, attempt):
    assert result(folder, holder, ATTEMPTS[attempt], blind=True) == ""
    assert (folder / "key").read_text() == "the secret"
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    "attempt", ["descriptors", "maps", "the environment", "the root", "memory", "a child"]
)
def test_without_the_cover_the_same_way_leads_there(folder, holder, attempt):
    assert result(folder, holder, ATTEMPTS[attempt], blind=False) != ""
