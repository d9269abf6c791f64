"""Builds and installs the system-call filter: classic BPF, for x86_64 and aarch64, nothing but ctypes.

Two filters stand one upon the other. The first is set before the process says it is ready: it may still take a
job, lower its limits and start the threads it was asked for. The second is set when all of that is done and
before the job's code runs; from then on no thread can be started and nothing can be opened for writing.
A kernel applies the strictest answer of all installed filters, so nothing can be taken back.

Source: Linux `Documentation/userspace-api/seccomp_filter.rst`, seccomp(2), <linux/filter.h>.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
from collections.abc import Callable, Sequence

from sandbox.isolation.runner import syscalls
from sandbox.isolation.runner.syscalls import Call

# Instructions of classic BPF that the filter uses (code fields of <linux/bpf_common.h>).
LOAD_WORD, JUMP_EQUAL, JUMP_ANY_BIT, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
# Places in struct seccomp_data; arguments are 64 bit, low word first on both (little-endian) architectures.
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
ALLOW, FAIL, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
X32_BIT = 0x40000000  # x86_64 also understands the x32 calls; their numbers carry this bit

OPEN_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CLONE_THREAD = 0x00010000
PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_SET_NO_NEW_PRIVS = 15, 16, 0x53564D41, 38
TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX = 0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1
IOCTLS = (TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX)  # asks about a terminal, close-on-exec
FCNTLS = (  # no leases and no change of the flags of a description that is shared with the worker
    fcntl.F_DUPFD,
    fcntl.F_DUPFD_CLOEXEC,
    fcntl.F_GETFD,
    fcntl.F_SETFD,
    fcntl.F_GETFL,
    fcntl.F_GETLK,
    fcntl.F_SETLK,  # the engine takes a read lock on what it reads
)
PRCTLS = (PR_SET_NAME, PR_GET_NAME, PR_SET_VMA)  # names of threads and of memory areas

Instruction = bytes
Block = list[Instruction]


class FilterError(OSError):
    """The kernel did not take the filter: the process must not run a job."""


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> Instruction:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _return(action: int) -> Instruction:
    return _instruction(RETURN, action)


def _fail(number: int) -> Instruction:
    return _return(FAIL | number)


def _load_argument(index: int, *, high: bool = False) -> Instruction:
    return _instruction(LOAD_WORD, ARGUMENTS + 8 * index + (4 if high else 0))


def _without(index: int, bits: int, error: int) -> Block:
    """Allow when none of `bits` is set in the argument, else answer `error`."""
    return [_load_argument(index), _instruction(JUMP_ANY_BIT, bits, 0, 1), _fail(error), _return(ALLOW)]


def _one_of(index: int, values: Sequence[int], error: int) -> Block:
    """Allow when the argument's low word is one of `values` (kernel reads these as 32 bit), else `error`."""
    checks = [_instruction(JUMP_EQUAL, value, len(values) - place) for place, value in enumerate(values)]
    return [_load_argument(index), *checks, _fail(error), _return(ALLOW)]


def _null(index: int, error: int) -> Block:
    """Allow when the pointer argument is NULL, else answer `error`."""
    low = [_load_argument(index), _instruction(JUMP_EQUAL, 0, 1, 0), _fail(error)]
    high = [_load_argument(index, high=True), _instruction(JUMP_EQUAL, 0, 1, 0), _fail(error)]
    return [*low, *high, _return(ALLOW)]


def _threads_only() -> Block:
    """Allow clone(2) for a thread of this process; a new process would be a fork."""
    return [
        _load_argument(0),
        _instruction(JUMP_ANY_BIT, CLONE_THREAD, 1, 0),
        _fail(errno.EPERM),
        _return(ALLOW),
    ]


def _common_rules(pid: int) -> list[tuple[Call, Block]]:
    return [
        # A descriptor re-opened through /proc/self/fd must never become writable, whatever the file's mode.
        (syscalls.OPENAT, _without(2, OPEN_FOR_WRITING, errno.EACCES)),
        (syscalls.OPEN, _without(1, OPEN_FOR_WRITING, errno.EACCES)),
        (syscalls.IOCTL, _one_of(1, IOCTLS, errno.ENOTTY)),  # no FS_IOC_SETFLAGS, FICLONE, ...
        (syscalls.FCNTL, _one_of(1, FCNTLS, errno.EPERM)),
        (syscalls.TGKILL, _one_of(0, (pid,), errno.EPERM)),  # abort() signals its own process
        (syscalls.PRCTL, _one_of(0, (*PRCTLS, PR_SET_NO_NEW_PRIVS), errno.EPERM)),
    ]


def program(machine: str, *, pid: int, with_job: bool) -> bytes:
    """The filter as an array of struct sock_filter.

    `pid` is the process it is for. `with_job` False gives the first filter, True the second.
    Raise FilterError for an architecture the lists do not know.
    """
    if machine not in syscalls.ARCHITECTURES:
        raise FilterError(errno.ENOTSUP, f"no system-call numbers for {machine}")
    allowed = list(syscalls.ALLOWED)
    rules = _common_rules(pid)
    if with_job:
        rules.append((syscalls.PRLIMIT64, _null(2, errno.EPERM)))  # reading limits
        rules.append((syscalls.CLONE, [_fail(errno.EAGAIN)]))  # "too many threads"
    else:
        allowed += [*syscalls.ALLOWED_BEFORE_THE_JOB, syscalls.PRLIMIT64]
        rules.append((syscalls.CLONE, _threads_only()))
    blocks = [_head(machine)]
    blocks += [_block(call, machine, [_return(ALLOW)]) for call in allowed]
    blocks += [_block(call, machine, body) for call, body in rules]
    blocks.append([_fail(errno.ENOSYS)])
    return b"".join(instruction for block in blocks for instruction in block)


def _head(machine: str) -> Block:
    head = [
        _instruction(LOAD_WORD, ARCHITECTURE),
        _instruction(JUMP_EQUAL, syscalls.ARCHITECTURES[machine], 1, 0),
        _return(KILL_PROCESS),
        _instruction(LOAD_WORD, NUMBER),
    ]
    if machine == "x86_64":
        head += [_instruction(JUMP_AT_LEAST, X32_BIT, 0, 1), _return(KILL_PROCESS)]
    return head


def _block(call: Call, machine: str, body: Block) -> Block:
    """`body` where the call's number is at hand, else on to the next block (the number stays loaded)."""
    number = call.number(machine)
    if number is None:
        return []
    return [_instruction(JUMP_EQUAL, number, 0, len(body)), *body]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def installer(*, with_job: bool) -> Callable[[], None]:
    """Prepare the filter for this process; calling the result installs it on all of its threads.

    Apart so that the moment of locking costs one system call. The result raises FilterError when the kernel
    refuses.
    """
    machine = platform.machine()
    code = program(machine, pid=os.getpid(), with_job=with_job)
    holder = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = next(c for c in syscalls.ALLOWED_BEFORE_THE_JOB if c.name == "seccomp").number(machine)

    def install() -> None:
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise FilterError(ctypes.get_errno(), "no_new_privs was refused")
        done = libc.syscall(
            ctypes.c_long(seccomp or 0),
            ctypes.c_ulong(SECCOMP_SET_MODE_FILTER),
            ctypes.c_ulong(SECCOMP_FILTER_FLAG_TSYNC),
            ctypes.byref(holder),
        )
        if done != 0:  # -1: refused; above 0: the thread that could not be locked
            raise FilterError(ctypes.get_errno(), "the system-call filter was refused")

    return install
