"""How a job in the jail ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from sandbox.isolation.runner.protocol import Code


class Status(StrEnum):
    """Closed: whoever shows or stores an outcome covers all of these. None carries a word of the engine."""

    OK = "ok"
    CANCELLED = "cancelled"  # `keep_going` said no
    WALL_LIMIT = "wall_limit"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"  # more rows or bytes than the job may hand back
    ENGINE_ERROR = "engine_error"  # the engine or the script failed
    BAD_ANSWER = "bad_answer"  # what came back is no plain table
    SANDBOX_LOST = "sandbox_lost"  # killed from outside, or gone without a word


FROM_CODE = {
    Code.OK: Status.OK,
    Code.ENGINE_ERROR: Status.ENGINE_ERROR,
    Code.OUT_OF_MEMORY: Status.MEMORY_LIMIT,
    Code.TOO_MUCH_OUTPUT: Status.OUTPUT_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`table` is None unless `status` is ok.

    `engine_seconds`: the runner's own measure of the job's work, 0.0 unless ok (a script could lie about it).
    `warm_seconds`: what the start of the process took, before the job. `waited_seconds`: for a warm process.
    """

    status: Status
    table: pa.Table | None = None
    engine_seconds: float = 0.0
    warm_seconds: float = 0.0
    waited_seconds: float = 0.0
