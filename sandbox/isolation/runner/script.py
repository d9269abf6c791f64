"""The job of kind "script": reviewed Python over the extracts. It hands back one table and nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from sandbox.isolation.runner.output import Output

BATCH_ROWS = 65_536
ARROW_THREADS, ARROW_READERS = 1, 2  # a single reader can wait for itself
FILL_TRIES, FILL_READS = 50, 8


class NotReady(RuntimeError):
    """Arrow's threads could not be started."""


class NoTable(ValueError):
    """The script handed back no table, or more than one."""


def prepare(sample: Path) -> None:
    """Import what scripts start from and start Arrow's threads, while the process may still start threads.

    A locked process cannot start a thread, and Arrow, which starts its own on demand, would wait for them for
    ever. So its pools are made small, and filled by reading `sample` (any Parquet file) several times at once.
    Raise NotReady where they do not fill.
    """
    import pyarrow.dataset as ds  # noqa: PLC0415

    pa.set_cpu_count(ARROW_THREADS)
    pa.set_io_thread_count(ARROW_READERS)
    wanted = _tasks() + ARROW_THREADS + ARROW_READERS
    for _try in range(FILL_TRIES):
        ds.dataset([str(sample)] * FILL_READS, format="parquet").to_table()
        if _tasks() >= wanted:
            return
    raise NotReady


def _tasks() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def run(job: Mapping[str, Any], descriptors: Sequence[int], output: Output) -> float:
    """Run `job["source"]` with `extracts` ({name: pyarrow Dataset}) and `emit(table)`; return its seconds.

    Raise NoTable, TooMuchOutput or whatever the script raises; the caller lets no text of it out.
    """
    import pyarrow.dataset as ds  # noqa: PLC0415

    emitted: list[pa.Table] = []
    extracts = {
        name: ds.dataset(f"/proc/self/fd/{descriptors[index]}", format="parquet")
        for name, index in job["tables"].items()
    }
    started = time.perf_counter()
    exec(  # noqa: S102 - the jail around this process is what makes it safe
        compile(job["source"], "script", "exec"),
        {"__name__": "__script__", "extracts": extracts, "emit": emitted.append},
    )
    if len(emitted) != 1:
        raise NoTable
    output.fill(emitted[0].combine_chunks().to_reader(BATCH_ROWS))
    return time.perf_counter() - started
