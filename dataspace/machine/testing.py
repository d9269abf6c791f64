"""Services of their own for tests and benchmarks. Nothing is printed after pytest's own summary."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dataspace.machine import keys, services, translations
from dataspace.machine.lock import AlreadyRunningError
from dataspace.machine.paths import PROJECT, Paths
from dataspace.machine.services import Services
from dataspace.machine.supervisor import StopRequestedError, Supervisor

MOST_AT_ONCE = 16


def run_tests(paths: Paths, arguments: list[str]) -> int:
    """Runs pytest with the arguments and returns its exit code."""
    return _run(paths, "test", ["pytest", *arguments], durable=False)


def run_benchmarks(paths: Paths, arguments: list[str]) -> int:
    """Runs `benchmarks/` with the arguments, on services as safe (and as slow) as in use."""
    return _run(paths, "bench", ["benchmarks", *arguments], durable=True)


def _run(paths: Paths, kind: str, module: list[str], *, durable: bool) -> int:
    translations.compile_changed()
    with _free_services(paths, kind, durable=durable) as (supervisor, known):
        environment = dict(known.environment)
        environment["PYTHONHASHSEED"] = "0"  # parallel test processes must see sets in the same order
        if kind == "test":
            environment["DJANGO_SETTINGS_MODULE"] = "dataspace.settings.test"
            for name in keys.MAKERS:  # the test settings name fixed ones, so that results repeat
                environment.pop(name)
        try:
            return supervisor.run([sys.executable, "-m", *module], environment, PROJECT)
        except StopRequestedError:
            return 130


@contextmanager
def _free_services(paths: Paths, kind: str, *, durable: bool) -> Iterator[tuple[Supervisor, Services]]:
    """The services of the first free folder `KIND-N`, so that several runs may go on at once.

    The folders stay: the next run need not make a new PostgreSQL.
    """
    for number in range(1, MOST_AT_ONCE + 1):
        own = Paths(paths.data / f"{kind}-{number}")
        context = services.started(own, durable=durable)
        try:
            started = context.__enter__()
        except AlreadyRunningError:
            continue
        try:
            for folder in (own.extracts, own.uploads):
                shutil.rmtree(folder)
            own.create()
            yield started
        finally:
            context.__exit__(None, None, None)
        return
    raise AlreadyRunningError(f"{MOST_AT_ONCE} runs are going on below {paths.data}; wait for one to end.")
