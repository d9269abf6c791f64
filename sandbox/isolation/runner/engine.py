"""The job of kind "sql": one generated SELECT over the extracts, in a DuckDB that can reach nothing else.

The SQL was generated from a checked plan; that is the guard. What follows here is the second wall, for the day
the guard has a hole: one statement, a SELECT, external access off, settings locked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from sandbox.isolation.runner.output import Output

TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}\Z")
BATCH_ROWS = 65_536
ENGINE_SHARE = 0.75  # of the job's memory is the engine's own budget; the rest is for what it does not count
FIXED_SETTINGS = {  # from the first moment
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",  # a table name must not find a variable of this program
    "temp_directory": "",  # nothing spills to a disk
    "max_temp_directory_size": "0B",
    "home_directory": "/",
}
SAMPLE = "SELECT 'key ' || (i % 5) AS k, i AS v FROM range(100) AS series(i)"
WARM_UP = "SELECT k, count(*) AS n, sum(v) AS s, max(v, 2) AS top FROM read_parquet(?) GROUP BY k ORDER BY k"


class UnsafeJob(ValueError):
    """The job's text is not one SELECT, or a table's name is not a name."""


class Engine:
    """A DuckDB connection with its threads, opened before the job is known."""

    def __init__(self, *, threads: int) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {
            **FIXED_SETTINGS,
            "threads": threads,
            "async_threads": threads,
        }
        self._connection = duckdb.connect(":memory:", config=settings)

    def warm_up(self, sample: Path) -> None:
        """Run a small aggregate once, so that the first real one pays for no lazy start. Writes `sample`."""
        self._connection.execute(f"COPY ({SAMPLE}) TO '{sample}' (FORMAT parquet, COMPRESSION zstd)")
        relation = self._connection.sql(WARM_UP, params=[str(sample)])
        Output(max_bytes=BATCH_ROWS, max_rows=BATCH_ROWS).fill(relation.to_arrow_reader(BATCH_ROWS))

    def take_limits(self, limits: Mapping[str, int]) -> None:
        """Start the threads this job may use and set the engine's memory budget. While threads may start."""
        self._set("threads", str(limits["threads"]))
        self._set("async_threads", str(limits["threads"]))
        self._set("memory_limit", f"{int(limits['memory_bytes'] * ENGINE_SHARE)}B")

    def run(self, job: Mapping[str, Any], descriptors: Sequence[int], output: Output) -> float:
        """Fill `output` with the job's table; return the seconds the engine took.

        `job`: {"tables": {name: index into `descriptors`}, "sql": text}. Raise UnsafeJob, TooMuchOutput or
        what the engine raises; the caller lets no text of it out.
        """
        paths = {name: f"/proc/self/fd/{descriptors[index]}" for name, index in job["tables"].items()}
        started = time.perf_counter()
        self._close_off(list(paths.values()))
        for name, path in paths.items():
            if not TABLE_NAME.match(name):
                raise UnsafeJob(name)
            self._connection.execute(f"CREATE VIEW \"{name}\" AS SELECT * FROM read_parquet('{path}')")  # noqa: S608
        self._set("lock_configuration", "true")
        statements = self._connection.extract_statements(job["sql"])
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UnsafeJob("not one SELECT")
        output.fill(self._connection.sql(statements[0]).to_arrow_reader(BATCH_ROWS))
        return time.perf_counter() - started

    def _close_off(self, paths: list[str]) -> None:
        """The order matters: paths can be named only while external access is still on."""
        listed = ", ".join(f"'{path}'" for path in paths)
        self._connection.execute(f"SET allowed_paths = [{listed}]")
        self._connection.execute("SET enable_external_access = false")

    def _set(self, name: str, value: str) -> None:
        self._connection.execute(f"SET {name} = '{value}'")
