"""Attacks on the job of kind "sql", as if the guard before it had let everything through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import MIB, Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=512 * MIB, output_bytes=MIB)


@pytest.fixture(scope="module")
def pool() -> Iterator[SparePool]:
    with SparePool(2) as spares:
        yield spares


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("extracts") / "extract.parquet"
    pq.write_table(pa.table({"unit": [1, 2, 3], "place": ["a", "a", "b"]}), path)
    return path


@pytest.fixture
def query(pool: SparePool, extract: Path):
    def run(sql: str, limits: Limits = LIMITS, tables: dict[str, int] | None = None) -> Outcome:
        descriptor = os.open(extract, os.O_RDONLY)
        try:
            job = Job(Kind.SQL, sql, {"visits": 0} if tables is None else tables, 1000)
            return pool.run(job, [descriptor], limits=limits, keep_going=lambda: True)
        finally:
            os.close(descriptor)

    return run


def test_the_generated_query_answers(query) -> None:
    outcome = query(
        "SELECT place, count(*) AS n, max(unit, 2) AS top FROM visits GROUP BY place ORDER BY place"
    )
    assert outcome.status is Status.OK
    assert outcome.table.to_pydict() == {"place": ["a", "b"], "n": [2, 1], "top": [[2, 1], [3]]}
    assert outcome.engine_seconds > 0


def test_several_extracts_are_several_tables(pool: SparePool, extract: Path) -> None:
    descriptors = [os.open(extract, os.O_RDONLY) for _ in range(3)]
    sql = "SELECT count(*) AS n FROM a, b, c WHERE a.unit = b.unit AND b.unit = c.unit"
    try:
        job = Job(Kind.SQL, sql, {"a": 0, "b": 1, "c": 2})
        outcome = pool.run(job, descriptors, limits=LIMITS, keep_going=lambda: True)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    assert outcome.table.to_pydict() == {"n": [3]}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('/code/sandbox/isolation/runner/main.py')",  # a file that is there
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_blob('/proc/self/fd/3')",
        "SELECT * FROM read_csv('/proc/self/maps')",
        "SELECT * FROM sniff_csv('/proc/self/maps')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '/tmp/sample.parquet'",
        "SELECT * FROM read_parquet('/tmp/../tmp/sample.parquet')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM job",  # a variable of the runner
        "SELECT getenv('HOME')",
        "SELECT * FROM query('ATTACH ''/tmp/x'' AS x')",
        "COPY visits TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "ATTACH '/tmp/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET ALL",
        "PRAGMA database_list",
        "CREATE TABLE x AS SELECT 1",
        "EXPORT DATABASE '/tmp/x'",
        "CALL pragma_version()",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT 1; COPY visits TO '/tmp/x.csv'",
        "SELECT 1; SELECT 2",
        "SELECT error('value')",
        "SELECT place::INTEGER FROM visits",
        "",
    ],
)
def test_only_the_extracts_can_be_reached(query, capfd, sql: str) -> None:
    outcome = query(sql)
    assert outcome.status is Status.ENGINE_ERROR
    assert outcome.table is None
    assert capfd.readouterr() == ("", "")  # not even the engine's words


def test_a_table_cannot_be_named_into_sql(query) -> None:
    assert query("SELECT 1", tables={'x" AS SELECT 1; --': 0}).status is Status.ENGINE_ERROR


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("SELECT list(i) AS l FROM range(1000000000) AS r(i)", Status.MEMORY_LIMIT),
        (
            "SELECT count(*) AS n FROM (SELECT i FROM range(100000000) AS r(i) GROUP BY i)",
            Status.MEMORY_LIMIT,
        ),
        ("SELECT repeat('x', 2000000000) AS s", Status.MEMORY_LIMIT),
        ("SELECT repeat('x', 10000) AS s FROM range(1000)", Status.OUTPUT_LIMIT),
        ("SELECT i FROM range(1001) AS r(i)", Status.OUTPUT_LIMIT),
    ],
    ids=["list", "groups", "text", "bytes", "rows"],
)
def test_floods_end_at_their_limit(query, sql: str, status: Status) -> None:
    assert query(sql).status is status


def test_endless_query_ends_at_the_cpu_limit(query) -> None:
    sql = "SELECT count(*) AS n FROM range(100000000) a(i), range(100000) b(j) WHERE i * j % 7 = 1"
    assert query(sql, Limits(cpu_seconds=1, wall_seconds=60)).status is Status.CPU_LIMIT
