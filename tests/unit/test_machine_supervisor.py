"""What the supervisor promises: it revives, it stops in order, it leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataspace.machine import leftovers

# Supervises two programs that write their process ids: `base` (stops last) and `front`, which has a child.
SUPERVISE = """
import sys
from pathlib import Path
from dataspace.machine.leftovers import SUPERVISED_VARIABLE
from dataspace.machine.program import Program
from dataspace.machine.supervisor import StopRequestedError, Supervisor
folder = Path(sys.argv[1])
mark = {"PATH": "/usr/bin:/bin", SUPERVISED_VARIABLE: str(folder)}
def program(name, script, **more):
    return Program(name=name, argv=("/bin/sh", "-c", script), environment=mark, folder=folder, **more)
base = program("base", "trap 'echo base >> stopped; exit 0' TERM; echo $$ > base; while :; do sleep 0.05; done", rank=1)
front = program("front", "trap 'echo front >> stopped; exit 0' TERM; sleep 600 & echo $! > child; echo $$ > front;"
                "while :; do sleep 0.05; done")
stubborn = program("stubborn", "trap '' TERM; echo $$ > stubborn; while :; do sleep 0.05; done", patience=1)
broken = program("broken", "echo again >> tries; echo 'no such table' >&2; exit 3")
chosen = {"base": base, "front": front, "stubborn": stubborn, "broken": broken}
try:
    with Supervisor(folder, lambda words: print(words, flush=True)) as supervisor:
        supervisor.start(*(chosen[name] for name in sys.argv[2:]))
        supervisor.watch()
except StopRequestedError:
    print("stopped")
"""


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(condition: Callable[[], object], seconds: float = 10) -> float:
    """Waits for the condition; returns how long it took. Fails when time is up."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not come about"
        time.sleep(0.01)
    return time.monotonic() - began


class House:
    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, str(folder), *names], stdout=subprocess.PIPE, text=True
        )

    def id_of(self, name: str) -> int:
        file = self.folder / name
        until(lambda: file.exists() and file.read_text().strip())
        return int(file.read_text())

    def output(self) -> str:
        return self.process.communicate(timeout=20)[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(*names: str) -> House:
        made.append(House(tmp_path, *names))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()
    leftovers.end(tmp_path)


def test_a_killed_program_is_back_within_a_second_and_its_child_is_gone(house: Callable[..., House]) -> None:
    running = house("front")
    first, child = running.id_of("front"), running.id_of("child")
    (running.folder / "front").unlink()
    os.kill(first, signal.SIGKILL)
    assert until(lambda: running.id_of("front") != first) < 1
    until(lambda: not is_alive(child))
    running.process.send_signal(signal.SIGINT)
    assert "front ended (SIGKILL); starting it again in 0.1 s" in running.output()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_ends_the_front_first_and_leaves_nobody(house: Callable[..., House], number: int) -> None:
    running = house("base", "front")
    everybody = [running.id_of(name) for name in ("base", "front", "child")]
    running.process.send_signal(number)
    assert running.output() == "stopped\n"
    assert running.process.returncode == 0
    assert (running.folder / "stopped").read_text().split() == ["front", "base"]
    assert not any(map(is_alive, everybody))


def test_who_does_not_listen_is_killed_when_patience_ends(house: Callable[..., House]) -> None:
    running = house("stubborn")
    process = running.id_of("stubborn")
    running.process.send_signal(signal.SIGTERM)
    assert until(lambda: not is_alive(process)) == pytest.approx(1, abs=0.6)


def test_a_second_interrupt_does_not_wait(house: Callable[..., House]) -> None:
    running = house("stubborn")
    process = running.id_of("stubborn")
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    running.process.send_signal(signal.SIGINT)
    assert until(lambda: not is_alive(process)) < 0.6


def test_killing_the_supervisor_takes_its_programs_along(house: Callable[..., House]) -> None:
    running = house("base", "front")
    everybody = [running.id_of(name) for name in ("base", "front")]
    running.process.kill()
    until(lambda: not any(map(is_alive, everybody)), 2)


def test_what_outlives_a_killed_supervisor_is_ended_at_the_next_start(house: Callable[..., House]) -> None:
    running = house("front")
    child = running.id_of("child")
    running.process.kill()
    running.process.wait()
    assert is_alive(child)
    assert leftovers.end(running.folder) >= 1
    until(lambda: not is_alive(child), 1)


def test_a_program_that_keeps_failing_is_tried_ever_more_rarely(house: Callable[..., House]) -> None:
    running = house("broken")
    time.sleep(2)
    running.process.send_signal(signal.SIGINT)
    waits = [line.split()[-2] for line in running.output().splitlines() if "starting it again" in line]
    assert waits == ["0.1", "0.2", "0.4", "0.8", "1.6"][: len(waits)]
    assert len(waits) >= 3
    assert "no such table" in (running.folder / "broken.log").read_text()
