"""What a sandbox is asked to do."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fcntl import F_GETFL, fcntl
from typing import Any

from sandbox.isolation.limits import Limits
from sandbox.isolation.runner.protocol import MAX_DESCRIPTORS, MAX_JOB_BYTES, frame


class Kind(StrEnum):
    SQL = "sql"  # `text` is one generated SELECT over views named as `tables`
    SCRIPT = "script"  # `text` is Python that reads `extracts[name]` and calls `emit(table)` once


@dataclass(frozen=True, slots=True)
class Job:
    """`tables`: name → index into the descriptors that go with the job. `max_rows`: of the table handed back."""

    kind: Kind
    text: str
    tables: Mapping[str, int]
    max_rows: int = 1_000_000

    def to_frame(self, limits: Limits) -> bytes:
        """The frame that travels. Raise ValueError where it is too long to be a job."""
        message: dict[str, Any] = {
            "kind": self.kind,
            ("source" if self.kind is Kind.SCRIPT else "sql"): self.text,
            "tables": dict(self.tables),
            "max_rows": self.max_rows,
            "limits": limits.to_json(),
        }
        data = frame(message)
        if len(data) > MAX_JOB_BYTES:
            raise ValueError("the job's text is too long")
        return data


def check_descriptors(job: Job, descriptors: Sequence[int]) -> None:
    """Raise ValueError unless each descriptor is a regular file opened for reading and each table has one.

    A folder's descriptor would be a way out of the jail, a writable one a way to change an extract.
    """
    if len(descriptors) > MAX_DESCRIPTORS:
        raise ValueError(f"a job takes at most {MAX_DESCRIPTORS} extracts")
    if not all(0 <= index < len(descriptors) for index in job.tables.values()):
        raise ValueError("a table names an extract that was not handed over")
    for descriptor in descriptors:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("an extract is a regular file")
        if fcntl(descriptor, F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
            raise ValueError("an extract is opened for reading only")
