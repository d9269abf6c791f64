"""`kill -9` while a kept table is made: there is none afterwards, or a whole one, and what is left over is swept."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox import extracts
from sandbox.engines import Layout, generate, generate_from_kept, layout_of
from sandbox.guard import check_sql
from sandbox.kept import store
from tests.unit.guard_terms import DISTRICTS, OPEN
from tests.unit.test_engine_kept import MIX, answer

ROWS = 400_000
ROUNDS = 20
SYNCS = 4  # of one table: the table, its name, the card, its name
QUERY = check_sql("select district, year, sum(staff), count(*) from loans group by 1, 2", OPEN)

# A process that makes nothing itself, so that each round starts from libraries already loaded. It is told how long to
# wait before it kills the child that makes the table ("after 0.02", "after inf"), or at which fsync the child kills
# itself ("at 3"), and tells how long the child lived.
MAKER = """
import os, signal, sys, time
import django
django.setup()
from django.conf import settings
from pathlib import Path
from sandbox.kept import store
from tests.integration.test_kept_kill import QUERY, the_layout
settings.EXTRACTS_DIR, settings.KEPT_DIR = Path(sys.argv[1]), Path(sys.argv[2])
layout = the_layout(sys.argv[3])
extract = os.open(settings.EXTRACTS_DIR / f"{layout.extract}.parquet", os.O_RDONLY)
calls, sync = [], os.fsync
def dies_at(number):
    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        sync(descriptor)
    return fsync
for line in sys.stdin:
    how, number = line.split()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        if how == "at":
            os.fsync = dies_at(int(number))
        try:
            store.keep(layout, extract, threads=1, keep_going=lambda: True)
        finally:
            os._exit(0)
    if how == "after" and number != "inf":
        time.sleep(float(number))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(time.monotonic() - start, flush=True)
"""


def the_layout(sha256: str) -> Layout:
    found = layout_of(QUERY, OPEN, sha256)
    assert found is not None
    return found


@pytest.fixture
def layout(settings, tmp_path: Path) -> Layout:
    """Of an extract on record, of which no table is kept yet."""
    settings.EXTRACTS_DIR, settings.KEPT_DIR = tmp_path / "extracts", tmp_path / "kept"
    settings.EXTRACTS_DIR.mkdir()
    rng = np.random.default_rng(5)
    unit = np.sort(rng.integers(0, ROWS // 4, ROWS)).astype("int32")
    table = pa.table(
        {
            "_unit": unit,
            "enterprise": unit.astype("uint64") * np.uint64(MIX),
            "district": np.asarray(DISTRICTS)[rng.integers(0, len(DISTRICTS), ROWS)],
            "year": rng.integers(2023, 2026, ROWS),
            "staff": rng.integers(0, 500, ROWS),
        }
    )
    path = settings.EXTRACTS_DIR / "written"
    pq.write_table(table, path)
    sha256 = extracts.digest(path)
    path.rename(path.with_name(f"{sha256}.parquet"))
    return the_layout(sha256)


@pytest.fixture
def make(layout: Layout, settings) -> Iterator[Callable[[str], float]]:
    command = [sys.executable, "-c", MAKER, settings.EXTRACTS_DIR, settings.KEPT_DIR, layout.extract]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dataspace.settings.test"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=settings.BASE_DIR
    ) as process:  # fmt: skip

        def told(how: str) -> float:
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"{how}\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        yield told


def whole(layout: Layout, folder: Path) -> bool:
    """Whether there is a table. What there is gives the right answer; nothing else outlasts a sweep."""
    found = store.find(layout)
    if found is not None:
        descriptor, facts = found
        sql = generate_from_kept(QUERY, OPEN, layout, facts)
        path = folder.parent / "extracts" / f"{layout.extract}.parquet"
        assert answer(sql, "loans", Path(f"/proc/self/fd/{descriptor}")).equals(
            answer(generate(QUERY, OPEN), "loans", path)
        )
        os.close(descriptor)
    for path in [*folder.iterdir(), *folder.glob("tmp/*")]:
        os.utime(path, (1, 1))
    store.sweep()
    left = [path for path in folder.rglob("*") if path != folder / "tmp"]
    assert len(left) == (0 if found is None else 2), left
    return found is not None


def test_killed_at_random_points(layout, settings, make) -> None:
    needed = make("after inf")
    assert whole(layout, settings.KEPT_DIR)
    chance = random.Random(7)
    finished = 0
    for _ in range(ROUNDS):
        for path in settings.KEPT_DIR.glob("*.*"):
            path.unlink()
        make(f"after {chance.uniform(0, needed)}")
        finished += whole(layout, settings.KEPT_DIR)
    assert finished < ROUNDS
    make("after inf")
    assert whole(layout, settings.KEPT_DIR)


@pytest.mark.parametrize("sync", range(1, SYNCS + 1))
def test_killed_where_a_file_gets_its_name(layout, settings, make, sync: int) -> None:
    """A new table, and one that takes the place of another: the card of the other is gone before its table is."""
    for _ in range(2):
        make(f"at {sync}")
        assert whole(layout, settings.KEPT_DIR) == (sync == SYNCS)
        make("after inf")
        assert whole(layout, settings.KEPT_DIR)
