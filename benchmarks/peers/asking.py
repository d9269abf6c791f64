"""What the scripts of this folder share: arguments, clock, memory, one line of JSON for each answer.

`python SCRIPT FILE RUNS [WORD]`: FILE has one row for each event: person (integer), grp ("00".."99"), amount (double).
Needs nothing but the standard library, and imports nothing of the repository: it runs in every peer's environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

GROUPS = [f"{n:02d}" for n in range(100)]
MAX_GROUPS, MAX_ROWS = 3, 2  # groups that a unit counts in; rows of it in each
LOW, HIGH = 0, 1000
RHO, EPSILON, DELTA = 0.02, 1.0, 1e-7  # rho-zCDP is (EPSILON, DELTA)-DP
SAME_RHO = (2 * RHO) ** 0.5  # EPSILON-DP is EPSILON^2 / 2-zCDP (Bun and Steinke 2016, Proposition 1.4)

Answer = dict[str, tuple[float, float]]  # group → count, sum


def asked() -> tuple[str, int, str]:
    """File, number of runs, and a word for the script, "" without one."""
    words = [*sys.argv[1:], ""]
    return words[0], int(words[1]), words[2]


def epsilon() -> float:
    """Where a peer knows no zCDP: the word "rho" asks for the epsilon that keeps our rho, else the translated one."""
    return SAME_RHO if asked()[2] == "rho" else EPSILON


def run(version: str, ask: Callable[[], Answer]) -> None:
    """Ask as often as wanted; each time is that from the file to the answer."""
    for _ in range(asked()[1]):
        clock = Clock()
        answer = ask()
        tell(version, answer, clock)


class Clock:
    """Seconds since it was made, on the wall and on all processors."""

    def __init__(self) -> None:
        self._cpu = cpu()
        self._wall = time.perf_counter()  # last, as `read` takes it first: to look at processes takes a while

    def read(self) -> dict[str, float]:
        return {"seconds": time.perf_counter() - self._wall, "cpu": cpu() - self._cpu}


def tell(version: str, answer: Answer, clock: Clock | None = None) -> None:
    """Without a clock: one more draw of noise on what was computed before."""
    took = clock.read() if clock else {}
    print(json.dumps({"version": version, "peak_mb": peak_mb(), "answer": answer, **took}), flush=True)


def cpu() -> float:
    """Seconds of this process and those it started, ended or not."""
    return sum(_ticks(process) for process in _family()) / os.sysconf("SC_CLK_TCK")


def peak_mb() -> int:
    """Of this process and those it started that still run, each at its own peak."""
    return sum(_peak_kib(process) for process in _family()) * 1024 // 1_000_000


def _family() -> set[int]:
    family, grew = {os.getpid()}, True
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    while grew:
        children = {child for child, parent in parents.items() if parent in family} - family
        family |= children
        grew = bool(children)
    return family


def _parent(path: Path) -> int:
    return int(_stat(path.name)[1])


def _ticks(process: int) -> int:
    return sum(map(int, _stat(str(process))[11:15]))  # its own and those of its ended children


def _stat(process: str) -> list[str]:
    """What follows the name; zeros for a process that has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["0"] * 15


def _peak_kib(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/status").read_text().partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        return 0
