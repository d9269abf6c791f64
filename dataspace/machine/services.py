"""The services the application stands on: those the environment names, else embedded ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dataspace.machine import keys, leftovers, lock, postgres, valkey
from dataspace.machine.paths import DATA_DIR_VARIABLE, Paths
from dataspace.machine.program import Program
from dataspace.machine.supervisor import Supervisor

DATABASE_VARIABLE = "DATABASE_URL"
BROKER_VARIABLE = "CELERY_BROKER_URL"
# Crash recovery replays at most what was written since the last checkpoint; ten minutes are far beyond it.
READY_SECONDS = 600.0


@dataclass(frozen=True)
class Services:
    """`programs`: what is embedded and must run. `environment`: what every process of ours needs to know."""

    programs: tuple[Program, ...]
    environment: dict[str, str]

    @property
    def names(self) -> list[str]:
        return [program.name for program in self.programs]


def environment(paths: Paths) -> dict[str, str]:
    """The whole environment for a process of ours on `paths`: addresses of the services, secrets, places."""
    given = dict(os.environ)
    given.pop(leftovers.SUPERVISED_VARIABLE, None)
    return {
        **given,
        **keys.ensured(paths, given),
        DATABASE_VARIABLE: given.get(DATABASE_VARIABLE) or postgres.url(paths),
        BROKER_VARIABLE: given.get(BROKER_VARIABLE) or valkey.url(paths),
        DATA_DIR_VARIABLE: str(paths.data),
        "DJANGO_SETTINGS_MODULE": given.get("DJANGO_SETTINGS_MODULE") or "dataspace.settings.dev",
        "PYTHONUNBUFFERED": "1",
    }


def planned(paths: Paths, *, durable: bool = True) -> Services:
    """Call it holding the lock of `paths`: it makes PostgreSQL's data folder where it is missing."""
    paths.create()
    known = environment(paths)
    programs = []
    if not os.environ.get(DATABASE_VARIABLE):
        programs.append(postgres.program(paths, durable=durable))
    if not os.environ.get(BROKER_VARIABLE):
        programs.append(valkey.program(paths))
    return Services(tuple(programs), known)


@contextmanager
def started(paths: Paths, *, durable: bool = True) -> Iterator[tuple[Supervisor, Services]]:
    """Holds the lock of `paths` with the embedded services running and ready; stops them at the end.

    Raises `AlreadyRunningError` if another process has started them.
    """
    with lock.held(paths):
        leftovers.end(paths.data)
        services = planned(paths, durable=durable)
        with Supervisor(paths.log) as supervisor:
            supervisor.start(*services.programs)
            supervisor.wait_ready(services.names, READY_SECONDS)
            yield supervisor, services
