"""What goes into the jail is checked before it goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.isolation import interpreter, walls
from sandbox.isolation.job import Job, Kind, check_descriptors
from sandbox.isolation.limits import Limits
from sandbox.isolation.outcome import FROM_CODE
from sandbox.isolation.runner.protocol import LENGTH, MAX_JOB_BYTES, Code


def test_a_job_travels_with_its_limits() -> None:
    data = Job(Kind.SQL, "SELECT 1", {"t": 0}, 5).to_frame(Limits(cpu_seconds=7))
    message = json.loads(data[LENGTH.size :])
    assert LENGTH.unpack(data[: LENGTH.size])[0] == len(data) - LENGTH.size
    assert message["sql"] == "SELECT 1"
    assert (message["tables"], message["max_rows"], message["limits"]["cpu_seconds"]) == ({"t": 0}, 5, 7)


def test_a_text_that_is_no_job_does_not_travel() -> None:
    with pytest.raises(ValueError, match="too long"):
        Job(Kind.SQL, "x" * MAX_JOB_BYTES, {}).to_frame(Limits())


@pytest.mark.parametrize(
    "limit", ["cpu_seconds", "wall_seconds", "memory_bytes", "processes", "output_bytes", "threads"]
)
def test_no_limit_can_be_switched_off(limit: str) -> None:
    for value in (0, -1):
        with pytest.raises(ValueError, match=limit):
            Limits(**{limit: value})


def test_only_files_opened_for_reading_go_in(tmp_path: Path) -> None:
    path = tmp_path / "extract"
    path.write_bytes(b"x")
    reader, writer = os.pipe()
    reading, both = os.open(path, os.O_RDONLY), os.open(path, os.O_RDWR)
    folder, appending = os.open(tmp_path, os.O_RDONLY), os.open(path, os.O_WRONLY | os.O_APPEND)
    job = Job(Kind.SQL, "SELECT 1", {"t": 0})
    try:
        check_descriptors(job, [reading])
        for refused in (both, folder, appending, reader, writer):
            with pytest.raises(ValueError, match="an extract is"):
                check_descriptors(job, [refused])
        with pytest.raises(ValueError, match="not handed over"):
            check_descriptors(Job(Kind.SQL, "SELECT 1", {"t": 1}), [reading])
        with pytest.raises(ValueError, match="at most"):
            check_descriptors(job, [reading] * 65)
    finally:
        for descriptor in (reader, writer, reading, both, folder, appending):
            os.close(descriptor)


def test_every_code_of_the_runner_has_a_status() -> None:
    assert set(FROM_CODE) == set(Code)


def test_the_walls_stand_in_the_argument_list() -> None:
    arguments = walls.arguments(info=9, command=["/python/bin/python3"])
    for wall in ("user", "ipc", "pid", "net", "uts"):
        assert f"--unshare-{wall}" in arguments
    assert {"--die-with-parent", "--new-session", "--clearenv"} <= set(arguments)
    assert arguments[arguments.index("--cap-drop") + 1] == "ALL"
    assert "--share-net" not in arguments
    assert not {"--bind", "--bind-try", "--dev", "--cap-add"} & set(arguments)  # nothing enters writable


def test_nothing_but_interpreter_packages_and_runner_is_bound() -> None:
    targets = [binding.target for binding in interpreter.bindings()]
    ours = (interpreter.PYTHON, interpreter.SITE, interpreter.CODE / "sandbox/isolation/runner")
    homes = (*ours, *map(Path, ("/lib", "/lib64", "/usr/lib", "/usr/lib64")))
    for target in targets:
        assert any(target.is_relative_to(home) for home in homes)
    assert len(set(targets)) == len(targets)
    assert Path("/usr") not in targets
    assert Path("/usr/lib") not in targets


def test_a_missing_engine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter.bindings.cache_clear()
    monkeypatch.setattr(interpreter, "find_spec", lambda _name: None)
    with pytest.raises(interpreter.MissingPackage, match="duckdb"):
        interpreter.bindings()
