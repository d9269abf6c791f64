"""P11: a blinded process cannot see the folder of the log's keys, whatever it tries; nobody else is blinded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataspace.machine.blinders import blinders
from dataspace.machine.program import dying_with_parent

# Each prints what it got hold of; "" where it got nothing.
ATTEMPTS = {
    "read": "print(open(f'{folder}/key').read())",
    "list": "print(*os.listdir(folder))",
    "write": "open(f'{folder}/new', 'w').write('x'); print('written')",
    "lift": "print(*['lifted'] * (libc.umount2(folder.encode(), 2) == 0))",
    "lift in a user namespace": (
        "libc.unshare(0x10000000 | 0x20000); print(*['lifted'] * (libc.umount2(folder.encode(), 2) == 0))"
    ),
    "lay another over it": "print(*['laid'] * (libc.mount(b'/', folder.encode(), None, 4096, None) == 0))",
    "by way of the parent": "print(open(f'/proc/{parent}/root{folder}/key').read())",
    "by way of the parent's folder": "print(open(f'/proc/{parent}/cwd/key').read())",
    "into the parent's namespace": "print(*['in'] * (libc.setns(os.open(f'/proc/{parent}/ns/mnt', 0), 0) == 0))",
    "the parent's memory": "print(open(f'/proc/{parent}/mem', 'rb').name)",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "keys"
    made.mkdir()
    (made / "key").write_text("secret")
    monkeypatch.chdir(made)
    return made


def result(folder: Path, attempt: str, *, blind: bool) -> str:
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
        f"folder, parent = {str(folder)!r}, {os.getpid()}\ntry:\n    {attempt}\nexcept OSError: pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True,
        preexec_fn=dying_with_parent(signal.SIGKILL, blinders(folder)) if blind else None,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_blinded_process_gets_hold_of_nothing(folder: Path, attempt: str) -> None:
    assert result(folder, ATTEMPTS[attempt], blind=True) == ""


@pytest.mark.parametrize("attempt", ["read", "list", "write", "by way of the parent"])
def test_without_blinders_the_same_attempt_succeeds(folder: Path, attempt: str) -> None:
    assert result(folder, ATTEMPTS[attempt], blind=False) != ""


def test_the_folder_itself_is_as_it_was(folder: Path) -> None:
    result(folder, ATTEMPTS["write"], blind=True)
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_a_folder_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(subprocess.SubprocessError):
        subprocess.run(["/bin/true"], preexec_fn=blinders(tmp_path / "absent"), check=False)
