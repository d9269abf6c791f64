"""The life and death of jailed processes: cancelled, killed, orphaned, forked. Nothing stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.isolation import jail as jail_module
from sandbox.isolation.jail import Jail, NoSandbox
from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool

needs_bwrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

ENDLESS = Job(
    Kind.SQL, "SELECT count(*) AS n FROM range(100000000) a(i), range(100000) b(j) WHERE i*j%7=1", {}
)
TRIVIAL = Job(Kind.SQL, "SELECT 1 AS one", {})
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def pool() -> Iterator[SparePool]:
    with SparePool(1) as spares:
        assert spares.wait_until_warm(60)
        yield spares


def children_named(name: str) -> set[int]:
    """Processes below this one whose program is `name`, zombies included."""
    found, todo = set(), [os.getpid()]
    while todo:
        parent = todo.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                todo.append(child)
                if Path(f"/proc/{child}/comm").read_text().strip() == name:
                    found.add(child)
    return found


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":  # dead; whoever adopted it has yet to look
            return True
        time.sleep(0.05)
    return False


def run_in_background(pool: SparePool, job: Job) -> tuple[threading.Thread, list[Outcome]]:
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(pool.run(job, [], limits=Limits(), keep_going=lambda: True))
    )
    thread.start()
    time.sleep(1)
    return thread, outcomes


@needs_bwrap
def test_cancel_kills_at_once(pool: SparePool) -> None:
    (runner,) = children_named("python3")
    answers = iter([True, True, False])
    started = time.monotonic()
    outcome = pool.run(ENDLESS, [], limits=Limits(), keep_going=lambda: next(answers))
    assert outcome.status is Status.CANCELLED
    assert time.monotonic() - started < 2
    assert gone(runner)


@needs_bwrap
def test_cancel_is_heard_while_waiting_for_a_spare() -> None:
    with SparePool(1) as spares:
        outcome = spares.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: False)
        assert outcome.status in {Status.CANCELLED, Status.OK}  # ok where the start beat the first question


@needs_bwrap
@pytest.mark.parametrize("victim", ["python3", "bwrap"])
def test_kill_9_of_the_sandbox_is_told_apart(pool: SparePool, victim: str) -> None:
    targets = children_named(victim)
    runners = children_named("python3")
    thread, outcomes = run_in_background(pool, ENDLESS)
    for target in targets:
        os.kill(target, signal.SIGKILL)
    thread.join(20)
    assert [outcome.status for outcome in outcomes] == [Status.SANDBOX_LOST]
    assert all(gone(runner) for runner in runners)
    assert pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True).status is Status.OK


@needs_bwrap
def test_a_spare_that_died_waiting_is_replaced(pool: SparePool) -> None:
    (runner,) = children_named("python3")
    walls = children_named("bwrap")
    os.kill(runner, signal.SIGKILL)
    # The pool sees the end once bubblewrap's own processes have let go of the channel, some milliseconds later; a job
    # handed over in between ends `sandbox_lost`, and the worker queues its run again.
    assert all(gone(process) for process in (runner, *walls))
    assert pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True).status is Status.OK


@needs_bwrap
@pytest.mark.parametrize("busy", [False, True], ids=["waiting", "running"])
def test_kill_9_of_the_worker_leaves_no_sandbox_alive(busy: bool) -> None:
    run = f"pool.run({ENDLESS!r}, [], limits=Limits(), keep_going=lambda: True)" if busy else "time.sleep(60)"
    source = (
        "import sys, time\nfrom sandbox.isolation.job import *\nfrom sandbox.isolation.limits import Limits\n"
        "from sandbox.isolation.spares import SparePool\npool = SparePool(1)\npool.wait_until_warm(60)\n"
        f"print(pool._ready[0].process, flush=True)\n{run}\n"
    ).replace("<Kind.SQL: 'sql'>", "Kind.SQL")
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, cwd=PROJECT) as worker:
        assert worker.stdout is not None
        runner = int(worker.stdout.readline())
        time.sleep(1)
        assert not gone(runner, 0.1)
        worker.kill()
    assert gone(runner)


@needs_bwrap
def test_close_ends_a_run_that_is_under_way() -> None:
    pool = SparePool(1)
    assert pool.wait_until_warm(60)
    thread, outcomes = run_in_background(pool, ENDLESS)
    pool.close()
    thread.join(20)
    assert [outcome.status for outcome in outcomes] == [Status.SANDBOX_LOST]
    assert children_named("bwrap") == set()


@needs_bwrap
def test_the_sandbox_goes_first_when_memory_runs_out(pool: SparePool) -> None:
    (runner,) = children_named("python3")
    assert Path(f"/proc/{runner}/oom_score_adj").read_text().strip() == "1000"


@needs_bwrap
def test_each_process_serves_one_job(pool: SparePool) -> None:
    (first,) = children_named("python3")
    for _ in range(2):
        assert pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True).status is Status.OK
    assert pool.wait_until_warm(60)
    assert gone(first)
    assert first not in children_named("python3")


@needs_bwrap
def test_close_leaves_nothing_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))
    pool = SparePool(2)
    assert pool.wait_until_warm(60)
    thread, _outcomes = run_in_background(pool, TRIVIAL)
    thread.join(20)
    pool.close()
    assert children_named("bwrap") == set()
    assert children_named("python3") == set()
    assert len(os.listdir("/proc/self/fd")) <= len(before)
    with pytest.raises(RuntimeError, match="closed"):
        pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True)


@needs_bwrap
def test_concurrent_runs_each_have_their_own(pool: SparePool) -> None:
    started = [run_in_background(pool, TRIVIAL) for _ in range(3)]
    for thread, outcomes in started:
        thread.join(30)
        assert [outcome.status for outcome in outcomes] == [Status.OK]


@needs_bwrap
def test_a_forked_child_cannot_use_or_harm_the_parents_pool(pool: SparePool) -> None:
    child = os.fork()
    if child == 0:
        try:
            pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True)
        except RuntimeError:
            pool.close()
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert pool.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True).status is Status.OK


@needs_bwrap
def test_an_extract_that_could_be_written_or_walked_does_not_go_in(pool: SparePool, tmp_path: Path) -> None:
    path = tmp_path / "extract.parquet"
    pq.write_table(pa.table({"unit": [1]}), path)
    for flags, place in ((os.O_RDWR, path), (os.O_RDONLY | os.O_DIRECTORY, tmp_path)):
        descriptor = os.open(place, flags)
        try:
            with pytest.raises(ValueError, match="an extract is"):
                pool.run(TRIVIAL, [descriptor], limits=Limits(), keep_going=lambda: True)
        finally:
            os.close(descriptor)


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail_module.shutil, "which", lambda *_args, **_kwargs: None)
    with pytest.raises(NoSandbox, match="apt install bubblewrap"):
        Jail(threads=1)
    with SparePool(1) as spares:
        for _ in range(2):  # each run is refused anew
            with pytest.raises(NoSandbox):
                spares.run(TRIVIAL, [], limits=Limits(), keep_going=lambda: True)


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("bwrap: No permissions to create new namespace", "unprivileged_userns_clone"),
        ("bwrap: setting up uid map: Permission denied", "apparmor_restrict_unprivileged_userns"),
        ("bwrap: Unknown option --size", "bubblewrap"),
    ],
)
def test_a_jail_that_does_not_stand_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, mend: str
) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(jail_module.shutil, "which", lambda *_args, **_kwargs: str(fake))
    with pytest.raises(NoSandbox, match=mend):
        Jail(threads=1)
