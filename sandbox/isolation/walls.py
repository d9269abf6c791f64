"""The jail as data: the whole argument list of bubblewrap, in one place, with the reason of each.

What bubblewrap cannot take away, the runner gives up itself: limits in `runner/lockdown.py`, system calls in
`runner/syscalls.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sandbox.isolation import interpreter

TMP_BYTES = 1024**2

NAMESPACES = (
    "--unshare-user",  # nobody of the outside: also for root, who otherwise would stay root
    "--unshare-ipc",  # no shared memory, no message queues
    "--unshare-pid",  # sees and signals no other process
    "--unshare-net",  # not even a loopback
    "--unshare-uts",  # the machine's name
    "--unshare-cgroup-try",  # the machine's grouping of processes, where the kernel can hide it
    *("--uid", "65534", "--gid", "65534"),  # nobody inside
    *("--hostname", "sandbox"),
    *("--cap-drop", "ALL"),  # no capability, not even in its own namespaces
    "--new-session",  # no terminal to push characters into
    "--die-with-parent",  # kill -9 of the worker kills it
    "--clearenv",  # no secret travels by environment
)
ENVIRONMENT = {
    "LD_LIBRARY_PATH": str(interpreter.LIBRARIES),  # where an interpreter's own shared library appears
    "OPENBLAS_NUM_THREADS": "1",  # threads cannot start later, so none is expected
    "MALLOC_ARENA_MAX": "2",  # address space is what the memory limit counts
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # reserves nothing ahead
}
DEVICES = ("/dev/null", "/dev/urandom")
# Files and folders of /proc that speak of the machine rather than of the process.
MACHINE_FOLDERS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/scsi",
    "/proc/sys",
)
MACHINE_FILES = (
    *("/proc/cmdline", "/proc/config.gz", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys"),
    *("/proc/kmsg", "/proc/latency_stats", "/proc/modules", "/proc/sched_debug", "/proc/sysrq-trigger"),
    *("/proc/timer_list", "/proc/version"),
)


def arguments(*, info: int, command: Sequence[str]) -> list[str]:
    """The arguments after `bwrap`. `info` is the descriptor on which it names the jail's first process."""
    return [
        *NAMESPACES,
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *_files(),
        *("--chdir", "/tmp"),  # noqa: S108 - the jail's own
        *("--info-fd", str(info)),
        "--",
        *command,
    ]


def _files() -> Iterator[str]:
    for binding in interpreter.bindings():
        yield from ("--ro-bind", str(binding.source), str(binding.target))
    for packages in interpreter.hidden():
        yield from ("--tmpfs", str(packages), "--remount-ro", str(packages))
    for device in DEVICES:
        yield from ("--dev-bind", device, device)
    yield from ("--proc", "/proc")  # the extracts are opened through /proc/self/fd
    for folder in filter(_exists, MACHINE_FOLDERS):
        yield from ("--tmpfs", folder, "--remount-ro", folder)
    for file in filter(_exists, MACHINE_FILES):
        yield from ("--ro-bind", "/dev/null", file)
    yield from ("--size", str(TMP_BYTES), "--tmpfs", "/tmp")  # noqa: S108 - for the warm-up; nobody else can write
    yield from ("--remount-ro", "/")  # last, when every mount point exists


def _exists(path: str) -> bool:
    return Path(path).exists()
