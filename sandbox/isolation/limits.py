"""The limits of one computation. Beyond a limit the run ends in a state that names it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use. Set inside the jail before the job's code runs, or watched by the worker.

    Raise ValueError for a limit that is not above zero (`file_bytes` may be zero).
    """

    cpu_seconds: int = 120  # of all threads together; RLIMIT_CPU
    wall_seconds: float = 300.0  # from handing over the job to its last byte; watched by the worker
    memory_bytes: int = 2048 * MIB  # beyond the warmed-up interpreter; RLIMIT_AS and RLIMIT_DATA
    processes: int = 1  # RLIMIT_NPROC; the system-call filter refuses every new task besides
    file_bytes: int = 0  # RLIMIT_FSIZE; the system-call filter refuses to open any file for writing besides
    output_bytes: int = 64 * MIB  # of the table handed back; cut while it is read
    threads: int = 2  # of the engine

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0 or (value == 0 and name != "file_bytes"):
                raise ValueError(f"{name} must be above zero")

    def to_json(self) -> dict[str, int | float]:
        return asdict(self)
