"""The system calls a computation may make, by name. Everything else does not exist for it.

An allow-list rather than a deny-list: a call that the kernel gains tomorrow is refused today (fail closed).
What is not named here (sockets, exec, fork, chmod and chown, ptrace, process_vm_*, mount, unshare, setns, bpf,
perf_event_open, userfaultfd, keyctl, io_uring_*, memfd_create, inotify, flock, truncate, kexec, modules, kill)
answers ENOSYS, which libraries take for an older kernel and survive.

Numbers: Linux `arch/x86/entry/syscalls/syscall_64.tbl` and `include/uapi/asm-generic/unistd.h` (aarch64);
None where an architecture has no such call.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One system call with its number on each architecture the jail knows."""

    name: str
    x86_64: int | None
    aarch64: int | None

    def number(self, machine: str) -> int | None:
        return self.x86_64 if machine == "x86_64" else self.aarch64


# The word by which the kernel names the architecture of a call (AUDIT_ARCH_*, <linux/audit.h>).
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Allowed whatever the arguments. The most frequent come first: a filter is read from top to bottom.
ALLOWED = (
    # waiting for one another, memory
    Call("futex", 202, 98),
    Call("mmap", 9, 222),
    Call("munmap", 11, 215),
    Call("mprotect", 10, 226),
    Call("mremap", 25, 216),
    Call("madvise", 28, 233),
    Call("brk", 12, 214),
    Call("mincore", 27, 232),
    Call("membarrier", 324, 283),
    Call("sched_yield", 24, 124),
    # reading what is open, and the frames to the worker
    Call("read", 0, 63),
    Call("pread64", 17, 67),
    Call("readv", 19, 65),
    Call("preadv", 295, 69),
    Call("write", 1, 64),
    Call("writev", 20, 66),
    Call("lseek", 8, 62),
    Call("close", 3, 57),
    Call("dup", 32, 23),
    Call("poll", 7, None),
    Call("ppoll", 271, 73),
    # looking at files (opening them is conditional: see seccomp.RULES)
    Call("fstat", 5, 80),
    Call("newfstatat", 262, 79),
    Call("stat", 4, None),
    Call("lstat", 6, None),
    Call("statx", 332, 291),
    Call("statfs", 137, 43),
    Call("fstatfs", 138, 44),
    Call("access", 21, None),
    Call("faccessat", 269, 48),
    Call("faccessat2", 439, 439),
    Call("readlink", 89, None),
    Call("readlinkat", 267, 78),
    Call("getdents64", 217, 61),
    Call("getcwd", 79, 17),
    # clocks
    Call("clock_gettime", 228, 113),
    Call("clock_getres", 229, 114),
    Call("clock_nanosleep", 230, 115),
    Call("nanosleep", 35, 101),
    Call("gettimeofday", 96, 169),
    Call("time", 201, None),
    Call("times", 100, 153),
    # the process itself
    Call("getpid", 39, 172),
    Call("gettid", 186, 178),
    Call("getppid", 110, 173),
    Call("getpgrp", 111, None),
    Call("getuid", 102, 174),
    Call("geteuid", 107, 175),
    Call("getgid", 104, 176),
    Call("getegid", 108, 177),
    Call("getresuid", 118, 148),
    Call("getresgid", 120, 150),
    Call("getgroups", 115, 158),
    Call("uname", 63, 160),
    Call("sysinfo", 99, 179),
    Call("getrusage", 98, 165),
    Call("getrlimit", 97, 163),
    Call("getcpu", 309, 168),
    Call("getrandom", 318, 278),
    Call("sched_getaffinity", 204, 123),
    Call("rt_sigaction", 13, 134),
    Call("rt_sigprocmask", 14, 135),
    Call("rt_sigreturn", 15, 139),
    Call("sigaltstack", 131, 132),
    Call("restart_syscall", 219, 128),
    Call("rseq", 334, 293),
    Call("set_robust_list", 273, 99),
    Call("exit", 60, 93),
    Call("exit_group", 231, 94),
)

# Allowed with certain arguments only: see seccomp.RULES.
OPEN = Call("open", 2, None)
OPENAT = Call("openat", 257, 56)
IOCTL = Call("ioctl", 16, 29)
FCNTL = Call("fcntl", 72, 25)
TGKILL = Call("tgkill", 234, 131)
PRCTL = Call("prctl", 157, 167)
PRLIMIT64 = Call("prlimit64", 302, 261)
CLONE = Call("clone", 56, 220)

# Allowed until the job's own limits stand, then gone: what the runner itself needs to receive a job.
ALLOWED_BEFORE_THE_JOB = (
    Call("recvmsg", 47, 212),
    Call("recvfrom", 45, 207),
    Call("sendto", 44, 206),
    Call("setrlimit", 160, 164),
    Call("seccomp", 317, 277),
    Call("getsockopt", 55, 209),
)
