"""One DuckDB connection for one ingest: bounded memory, spill to disk, no files but its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from audit.wording import say
from catalog.ingest.errors import IngestError

Progress = Callable[[str, float], None]  # (step, share done 0..1); called in the caller's thread

MEMORY_BYTES = 450_000_000  # of the engine; what it does not count (code, buffers, the process) comes on top
DISK_BYTES = 200_000_000_000  # what one ingest may spill
TICK_SECONDS = 0.25


def silent(_step: str, _share: float) -> None:
    """Tell nobody."""


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def session(
    *, folder: Path, reads: Path, memory_bytes: int = MEMORY_BYTES, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read the file `reads` and read, write and spill in `folder` (made if absent).

    Engine errors leave as `IngestError` without the engine's text.
    """
    spill = folder / "tmp" / f"spill-{uuid4().hex}"
    spill.mkdir(parents=True)
    connection = duckdb.connect(
        config={
            "memory_limit": f"{memory_bytes}B",
            "threads": threads or os.cpu_count() or 1,
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{DISK_BYTES}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET allowed_directories = [{literal(str(folder.resolve()) + os.sep)}]")
        connection.execute(f"SET allowed_paths = [{literal(str(reads))}]")
        connection.execute("SET enable_external_access = false")
        yield connection
    except duckdb.OutOfMemoryException:
        raise IngestError(
            "extract.memory", say("The memory allowed for this job is too small for this data.")
        ) from None
    except duckdb.Error as error:
        raise IngestError(
            "source.unreadable", say("The data could not be read to the end."), engine=type(error).__name__
        ) from None
    finally:
        connection.close()
        _remove(spill)


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink(missing_ok=True)
    folder.rmdir()


def run(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: dict[str, Any] | None = None,
    *,
    step: str,
    progress: Progress,
    span: tuple[float, float] = (0.0, 1.0),
) -> list[tuple[Any, ...]]:
    """All rows of `sql`; reports `step` between the shares `span` while it runs.

    When `progress` raises (the job was cancelled), the query is interrupted and the exception goes on.
    """
    low, high = span
    progress(step, low)
    with ThreadPoolExecutor(1) as pool:
        future: Future[list[tuple[Any, ...]]] = pool.submit(
            lambda: connection.execute(sql, parameters or {}).fetchall()
        )
        try:
            while True:
                try:
                    rows = future.result(timeout=TICK_SECONDS)
                    break
                except StillRunning:
                    share = min(max(connection.query_progress(), 0.0), 100.0) / 100
                    progress(step, low + (high - low) * share)
        except BaseException:
            connection.interrupt()
            raise
    progress(step, high)
    return rows
