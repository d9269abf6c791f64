"""What the process gives up: first before it says it is ready, then again before the job's code runs.

bubblewrap has by now taken file system, network, capabilities and the view of other processes.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
from collections.abc import Mapping
from pathlib import Path

from sandbox.isolation.runner import seccomp
from sandbox.isolation.runner.protocol import MAX_DESCRIPTORS

CHANNEL = 3  # the descriptor of the socket, once `keep_only_channel` has run
OPEN_FILES = MAX_DESCRIPTORS + 192  # the extracts, and the engine's own openings of them
CPU_GRACE_SECONDS = 2  # between SIGXCPU, which code can ignore, and SIGKILL, which it cannot


def keep_only_channel(descriptor: int) -> None:
    """Close everything inherited but standard streams and the socket, which becomes descriptor 3."""
    if descriptor != CHANNEL:
        os.dup2(descriptor, CHANNEL)
    os.closerange(CHANNEL + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def silence(*, keep_errors: bool) -> None:
    """Standard input, output and (unless a test listens) errors lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1) if keep_errors else (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def before_ready() -> None:
    """Lock what no job needs. Raise FilterError where the kernel refuses the filter."""
    with contextlib.suppress(OSError):  # first to go when the machine runs out of memory; a wish, not a wall
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    _fix(resource.RLIMIT_CORE, 0)  # a core file would hold the extract
    _fix(resource.RLIMIT_NOFILE, OPEN_FILES)
    _fix(resource.RLIMIT_MEMLOCK, 0)
    _fix(resource.RLIMIT_MSGQUEUE, 0)
    seccomp.installer(with_job=False)()


def before_job(limits: Mapping[str, int]) -> None:
    """Set the job's limits, which count from here (a warm start costs the job nothing), and lock for good.

    Requires: every thread the job may use has been started. Raise OSError where a limit cannot be set.
    """
    install = seccomp.installer(with_job=True)
    mapped, *_middle, private, _dirty = (
        int(pages) * resource.getpagesize() for pages in Path("/proc/self/statm").read_text("ascii").split()
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = math.ceil(used.ru_utime + used.ru_stime) + limits["cpu_seconds"]
    _fix(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _fix(resource.RLIMIT_NPROC, limits["processes"])
    _fix(resource.RLIMIT_DATA, private + limits["memory_bytes"])
    _fix(resource.RLIMIT_AS, mapped + limits["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + CPU_GRACE_SECONDS))
    install()


def _fix(what: int, value: int) -> None:
    _soft, hard = resource.getrlimit(what)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (bound, bound))
