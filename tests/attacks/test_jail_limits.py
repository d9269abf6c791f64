"""Floods and endless jobs from inside: each ends at its limit, in a state that names it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator

import pytest

from sandbox.isolation.job import Job, Kind
from sandbox.isolation.limits import MIB, Limits
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.spares import SparePool

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")

LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=512 * MIB, output_bytes=MIB)
PRELUDE = "import ctypes, mmap, os, signal, sys, time\nimport pyarrow as pa\n"


@pytest.fixture(scope="module")
def pool() -> Iterator[SparePool]:
    with SparePool(2) as spares:
        yield spares


@pytest.fixture
def attack(pool: SparePool):
    def run(source: str, limits: Limits = LIMITS) -> Outcome:
        job = Job(Kind.SCRIPT, PRELUDE + textwrap.dedent(source), {}, 100_000)
        return pool.run(job, [], limits=limits, keep_going=lambda: True)

    return run


@pytest.mark.parametrize(
    "line",
    [
        "x = [bytearray(10**7) for _ in range(10**6)]",
        "x = bytearray(10**11)",
        "x = [mmap.mmap(-1, 10**7) for _ in range(10**6)]",  # shared memory, which RLIMIT_DATA does not count
    ],
    ids=["many", "one", "shared"],
)
def test_memory_bomb_ends_at_its_limit(attack, line: str) -> None:
    assert attack(line).status is Status.MEMORY_LIMIT


@pytest.mark.parametrize(
    "first", ["pass", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)"], ids=["plain", "deaf"]
)
def test_endless_loop_ends_at_the_cpu_limit(attack, first: str) -> None:
    assert (
        attack(f"{first}\nwhile True: pass", Limits(cpu_seconds=1, wall_seconds=60)).status
        is Status.CPU_LIMIT
    )


def test_sleeping_ends_at_the_wall_limit(attack) -> None:
    assert attack("time.sleep(600)", Limits(wall_seconds=3)).status is Status.WALL_LIMIT


def test_output_flood_is_cut(attack) -> None:
    assert attack("emit(pa.table({'x': pa.array(['x' * 1000] * 50_000)}))").status is Status.OUTPUT_LIMIT
    assert attack("emit(pa.table({'x': pa.array([1] * 100_001, pa.int8())}))").status is Status.OUTPUT_LIMIT


def test_flood_past_the_runner_is_cut_while_reading(attack) -> None:
    flood = """
    head = b'{"code":"ok","engine_seconds":0,"bytes":%d}'
    head %= 10**12
    os.write(3, len(head).to_bytes(4, 'big') + head)
    while True: os.write(3, b'x' * 10**6)
    """
    assert attack(flood).status is Status.OUTPUT_LIMIT


@pytest.mark.parametrize("forged", [b"\xff\xff\xff\xff", b"\0\0\0\2{}", b"\0\0\0\2[]", b"\0\0\0\1x"])
def test_forged_answer_is_refused(attack, forged: bytes) -> None:
    assert attack(f"os.write(3, {forged!r}); time.sleep(600)").status is Status.BAD_ANSWER


def test_streams_lead_nowhere_and_errors_carry_no_text(attack, capfd) -> None:
    outcome = attack(
        "print('row 1'); sys.stderr.write('row 2'); os.write(2, b'row 3'); raise ValueError('row 4')"
    )
    assert outcome == Outcome(Status.ENGINE_ERROR, None, 0.0, outcome.warm_seconds, outcome.waited_seconds)
    assert "row" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "os.abort()", "ctypes.string_at(0)", "pass"])
def test_leaving_without_a_table_is_an_error(attack, end: str) -> None:
    assert attack(end).status is Status.ENGINE_ERROR
