"""A whole data space for the browser: web server, workers, sealer and checkpointer as `dataspace up` runs them, on the test database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from dataspace.machine import leftovers, programs, valkey
from dataspace.machine.paths import PROJECT, Paths
from dataspace.machine.program import Program, spawn

PATIENCE = 60.0
_collected: set[str] = set()  # data folders of this run


@dataclass(frozen=True, slots=True)
class Space:
    """`url` has no slash at its end; `paths` holds the extracts and the programs' logs."""

    url: str
    paths: Paths
    web: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Until a page answers."""
        _wait(lambda: self.web.poll() is not None or _answers(self.url), "the web server")
        if self.web.returncode is not None:
            pytest.fail("the web server ended:\n" + (self.paths.log / "web.log").read_text()[-2000:])


@contextmanager
def running(paths: Paths) -> Iterator[Space]:
    """Web server, sealer, checkpointer and broker, started; `Space.wait` before the first visit."""
    for folder in (paths.extracts, paths.uploads, paths.tlog, paths.checkpointer):
        shutil.rmtree(folder, ignore_errors=True)
    paths.create()
    environment = _environment(paths)
    _collect_static(environment)
    port = programs.free_port(8300 + os.getpid() % 500)
    record = [p for p in programs.background(environment, paths) if p.name in {"sealer", "checkpointer"}]
    with ExitStack() as stack:
        web = stack.enter_context(_kept(programs.web(environment, paths, port), paths.log))
        for program in (valkey.program(paths), *record):
            stack.enter_context(_kept(program, paths.log))
        yield Space(f"http://{programs.HOST}:{port}", paths, web)
    leftovers.end(paths.data)


@contextmanager
def working(paths: Paths) -> Iterator[None]:
    """The two workers besides. They may still be warming up: what is asked of them waits."""
    with ExitStack() as stack:
        for program in programs.background(_environment(paths), paths):
            if program.name.startswith("worker-"):
                # One process each: a browser asks one thing after the other.
                small = replace(program, argv=(*program.argv, "--concurrency", "1"))
                stack.enter_context(_kept(small, paths.log))
        yield


def _environment(paths: Paths) -> dict[str, str]:
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dataspace.settings.dev",
        "DATABASE_URL": database.geturl(),
        "CELERY_BROKER_URL": valkey.url(paths),
        "DATASPACE_DATA_DIR": str(paths.data),
        "DATASPACE_SECRET_KEY": settings.SECRET_KEY,
        "DATASPACE_SPACE_KEY": settings.SPACE_KEY,
        "DATASPACE_KEY_ENCRYPTION_KEY": ",".join(settings.KEY_ENCRYPTION_KEYS),
        "PYTHONUNBUFFERED": "1",
    }


def _collect_static(environment: dict[str, str]) -> None:
    """As at every start; once in a test run is enough."""
    data = environment["DATASPACE_DATA_DIR"]
    if data in _collected:
        return
    done = subprocess.run(
        [sys.executable, "-m", "dataspace.machine.prepare"], env=environment, cwd=PROJECT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _collected.add(data)


@contextmanager
def _kept(program: Program, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program, until the end of the block; it also dies with this process."""
    with (log / f"{program.name}.log").open("wb") as out, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside the engine's threads; exec follows
        process = spawn(program, out)
    try:
        if program.name == "valkey":
            _wait(lambda: program.ready(process.pid), "Valkey")
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # nothing waits for a clean end: the database is emptied next
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/login/", timeout=5) as page:
            return page.status == 200
    except OSError:
        return False


def _wait(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.05)
