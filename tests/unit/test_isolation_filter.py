"""The system-call filter does what its lists say: read by a small interpreter of classic BPF, for both machines."""

from __future__ import annotations

import errno
import os
import platform
import re
import struct
from pathlib import Path

import pytest

from sandbox.isolation.runner import seccomp, syscalls

MACHINES = ["x86_64", "aarch64"]
ALLOW, KILL = "allow", "kill"
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
CONDITIONAL = [
    syscalls.OPEN,
    syscalls.OPENAT,
    syscalls.IOCTL,
    syscalls.FCNTL,
    syscalls.TGKILL,
    syscalls.PRCTL,
    syscalls.PRLIMIT64,
    syscalls.CLONE,
]
EVERY = [*syscalls.ALLOWED, *syscalls.ALLOWED_BEFORE_THE_JOB, *CONDITIONAL]


def verdict(
    machine: str, number: int, *arguments: int, with_job: bool = True, audit: int | None = None
) -> str | int:
    """ALLOW, KILL, or the errno the filter answers."""
    code = seccomp.program(machine, pid=2, with_job=with_job)
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack(
        "<IIQ6Q", number, syscalls.ARCHITECTURES[machine] if audit is None else audit, 0, *words
    )
    place, loaded = 0, 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("<HBBI", code, 8 * place)
        place += 1
        if operation == seccomp.RETURN:
            if value == seccomp.ALLOW:
                return ALLOW
            return KILL if value == seccomp.KILL_PROCESS else value - seccomp.FAIL
        if operation == seccomp.LOAD_WORD:
            loaded = struct.unpack_from("<I", data, value)[0]
            continue
        tests = {
            seccomp.JUMP_EQUAL: loaded == value,
            seccomp.JUMP_ANY_BIT: bool(loaded & value),
            seccomp.JUMP_AT_LEAST: loaded >= value,
        }
        place += if_true if tests[operation] else if_false


def conditional(call: syscalls.Call, *arguments: int, with_job: bool = True) -> set[str | int]:
    numbers = [(machine, call.number(machine)) for machine in MACHINES]
    return {verdict(m, n, *arguments, with_job=with_job) for m, n in numbers if n is not None}


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    text = HEADERS[machine].read_text()
    known = {m[1]: int(m[2]) for m in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    if machine == "aarch64":
        known["newfstatat"] = known["fstatat"]  # the generic table's name for 64-bit machines
    named = {call.name: call.number(machine) for call in EVERY if call.number(machine) is not None}
    assert named == {name: known[name] for name in named}


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_not_named_does_not_exist(machine: str) -> None:
    named = {call.number(machine) for call in EVERY}
    for with_job in (False, True):
        for number in set(range(600)) - named:
            assert verdict(machine, number, with_job=with_job) == errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_named_is_allowed(machine: str) -> None:
    for call in syscalls.ALLOWED:
        number = call.number(machine)
        assert number is None or verdict(machine, number) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_the_second_filter_takes_back_what_receiving_a_job_needs(machine: str) -> None:
    for call in syscalls.ALLOWED_BEFORE_THE_JOB:
        number = call.number(machine)
        assert number is not None
        assert verdict(machine, number, with_job=False) == ALLOW
        assert verdict(machine, number, with_job=True) == errno.ENOSYS


def test_a_foreign_architecture_is_killed() -> None:
    read = 0
    assert verdict("x86_64", read, audit=0x40000003) == KILL  # i386
    assert verdict("aarch64", 63, audit=0x40000028) == KILL  # 32-bit Arm
    assert verdict("x86_64", 0x40000000 | read) == KILL  # x32
    with pytest.raises(seccomp.FilterError):
        seccomp.program("riscv64", pid=2, with_job=True)


def test_opening_for_writing_is_refused() -> None:
    reading = (0, os.O_CLOEXEC, os.O_DIRECTORY, os.O_NOFOLLOW)
    writing = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND, os.O_TMPFILE | os.O_RDWR, 3)
    for call, before in ((syscalls.OPENAT, (0, 0)), (syscalls.OPEN, (0,))):
        assert all(conditional(call, *before, flags) == {ALLOW} for flags in reading)
        assert all(conditional(call, *before, flags) == {errno.EACCES} for flags in writing)


def test_threads_start_only_before_the_job_and_processes_never() -> None:
    thread, fork, namespace = 0x3D0F00, 17, 0x10000000 | 17
    assert conditional(syscalls.CLONE, thread, with_job=False) == {ALLOW}
    assert conditional(syscalls.CLONE, fork, with_job=False) == {errno.EPERM}
    assert conditional(syscalls.CLONE, namespace, with_job=False) == {errno.EPERM}
    for flags in (thread, fork, namespace):
        assert conditional(syscalls.CLONE, flags) == {errno.EAGAIN}


def test_limits_can_be_read_and_not_set() -> None:
    assert conditional(syscalls.PRLIMIT64, 0, 9, 0, 4096) == {ALLOW}
    assert conditional(syscalls.PRLIMIT64, 0, 9, 4096, 0) == {errno.EPERM}
    assert conditional(syscalls.PRLIMIT64, 0, 9, 1 << 40, 0) == {errno.EPERM}  # only the high word is set


@pytest.mark.parametrize(
    ("call", "allowed", "refused", "place"),
    [
        (syscalls.IOCTL, seccomp.IOCTLS, (0x40086602, 0x40049409, 0x5412), 1),  # SETFLAGS, FICLONE, TIOCSTI
        (syscalls.FCNTL, seccomp.FCNTLS, (4, 8, 1024, 1026, 1033), 1),  # SETFL, SETOWN, SETLEASE
        (syscalls.PRCTL, seccomp.PRCTLS, (1, 4, 8, 22, 24, 35), 0),  # PDEATHSIG, DUMPABLE, ...
        (syscalls.TGKILL, (2,), (0, 1, 3), 0),
    ],
)
def test_only_harmless_arguments_pass(
    call: syscalls.Call, allowed: tuple[int, ...], refused: tuple[int, ...], place: int
) -> None:
    padding = [0] * place
    assert all(conditional(call, *padding, value) == {ALLOW} for value in allowed)
    assert all(conditional(call, *padding, value).isdisjoint({ALLOW, KILL}) for value in refused)


def test_this_machine_is_known() -> None:
    if platform.machine() not in MACHINES:
        pytest.skip("neither x86_64 nor aarch64: no sandbox stands here")
    assert len(seccomp.program(platform.machine(), pid=2, with_job=True)) // 8 < 4096  # BPF_MAXINSNS
