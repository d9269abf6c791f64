"""The processes of the application itself, as the supervisor runs them on one machine."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping

from dataspace.machine.errors import MachineError
from dataspace.machine.leftovers import SUPERVISED_VARIABLE
from dataspace.machine.paths import PROJECT, Paths
from dataspace.machine.program import Program

HOST = "127.0.0.1"
FIRST_PORT = 8000
WEB_PATIENCE_SECONDS = 6.0
WORKER_PATIENCE_SECONDS = 10.0


def free_port(wanted: int) -> int:
    """`wanted` if nothing listens there, else the next free one of the following hundred."""
    for port in range(wanted, min(wanted + 100, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise MachineError(f"No free port from {wanted} on. Choose another: PORT=9000 make demo")


def web(environment: Mapping[str, str], paths: Paths, port: int) -> Program:
    """The web server. It loads the application once and forks, so a killed worker is back in an instant."""
    options = {
        "bind": f"{HOST}:{port}",
        "worker-class": "gthread",
        "workers": "2",
        "threads": "8",
        "graceful-timeout": f"{WEB_PATIENCE_SECONDS - 2:.0f}",
        "worker-tmp-dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(paths.state),  # noqa: S108
        "access-logfile": "-",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return _python(
        "web",
        ["gunicorn", "dataspace.wsgi:application", "--preload", "--no-control-socket", *arguments],
        environment,
        paths,
        patience=WEB_PATIENCE_SECONDS,
    )


def background(environment: Mapping[str, str], paths: Paths) -> tuple[Program, ...]:
    """Sealer, checkpointer, the two workers and the scheduler."""
    cores = len(os.sched_getaffinity(0))
    schedule = str(paths.state / "celery-beat")
    return (
        _python("sealer", [str(PROJECT / "manage.py"), "seal"], environment, paths, module=False),
        _python(
            "checkpointer",
            [str(PROJECT / "manage.py"), "checkpoint"],
            environment,
            paths,
            module=False,
            blind=False,
        ),
        _worker("runs", "runs", cores, environment, paths),
        _worker("ingest", "ingest,housekeeping", 1, environment, paths),
        _python(
            "scheduler",
            [
                "celery",
                "-A",
                "dataspace",
                "beat",
                "--loglevel",
                "INFO",
                "--schedule",
                schedule,
                "--pidfile",
                "",
            ],
            environment,
            paths,
        ),
    )


def _worker(name: str, queues: str, size: int, environment: Mapping[str, str], paths: Paths) -> Program:
    """A Celery worker. Gossip, mingle and heartbeat only cost start-up time on one machine."""
    return _python(
        f"worker-{name}",
        ["celery", "-A", "dataspace", "worker", "--loglevel", "INFO", "--hostname", f"{name}@%h", "--queues",
        queues, "--pool", "prefork", "--concurrency", str(size), "--without-gossip", "--without-mingle",
        "--without-heartbeat"], environment, paths, patience=WORKER_PATIENCE_SECONDS,
    )  # fmt: skip


def _python(
    name: str,
    arguments: list[str],
    environment: Mapping[str, str],
    paths: Paths,
    *,
    module: bool = True,
    patience: float = WORKER_PATIENCE_SECONDS,
    blind: bool = True,
) -> Program:
    """`blind`: it must not see the keys of the audit log."""
    return Program(
        name=name,
        argv=(sys.executable, *(["-m"] if module else []), *arguments),
        environment={**environment, SUPERVISED_VARIABLE: str(paths.data)},
        folder=PROJECT,
        patience=patience,
        blind_to=paths.checkpointer if blind else None,
    )
