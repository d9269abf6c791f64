"""What the embedded services promise: real, private, kept, and back after any kill."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from dataspace.machine import postgres, services
from dataspace.machine.lock import AlreadyRunningError
from dataspace.machine.paths import Paths

# Starts the services, says where, and watches until told to stop.
SERVE = """
import sys
from pathlib import Path
from dataspace.machine import services
from dataspace.machine.paths import Paths
from dataspace.machine.supervisor import StopRequestedError
try:
    with services.started(Paths(Path(sys.argv[1]))) as (supervisor, known):
        print("ready", flush=True)
        supervisor.watch()
except StopRequestedError:
    pass
"""


@pytest.fixture(autouse=True)
def embedded_services_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (services.DATABASE_VARIABLE, services.BROKER_VARIABLE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def paths() -> Iterator[Paths]:
    """A data folder that every account can walk to, as in a project below /srv or /opt."""
    folder = Path(tempfile.mkdtemp(prefix="ds-"))
    folder.chmod(0o755)
    yield Paths(folder / "var")
    postgres.remove(Paths(folder / "var"))
    shutil.rmtree(folder)


@pytest.fixture
def serve() -> Iterator[Callable[[Paths], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(paths: Paths) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(paths.data)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def count_after(paths: Paths, *statements: str) -> int:
    """Runs the statements as the application's role, then counts the rows of table `kept`."""
    with psycopg.connect(postgres.url(paths), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert row is not None
        return int(row[0])


def postmaster(paths: Paths) -> int:
    return int((postgres.home(paths) / "postmaster.pid").read_text().splitlines()[0])


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (psycopg.OperationalError, OSError):
            pass
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_the_data_are_there_after_a_second_start(paths: Paths) -> None:
    with services.started(paths):
        assert count_after(paths, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1), (2)") == 2
    with services.started(paths):
        assert count_after(paths) == 2


def test_both_services_listen_on_private_unix_sockets_only(paths: Paths) -> None:
    with services.started(paths) as (_supervisor, known):
        with psycopg.connect(postgres.url(paths)) as connection:
            row = connection.execute(
                "SELECT current_setting('listen_addresses'), current_setting('data_checksums'),"
                " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
            ).fetchone()
        assert row == ("", "on", False)
        address = known.environment[services.BROKER_VARIABLE].removeprefix("redis+socket://")
        with redis.Redis(unix_socket_path=address) as broker:
            assert broker.ping()
            assert broker.config_get("port") == {"port": "0"}
        for folder in (Path(address).parent, postgres.home(paths).with_name("pg.sock")):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nobody_is_a_superuser_of_the_database_over_its_socket(paths: Paths) -> None:
    """Whoever is could read files and start programs as the database, past the blinders of the web server."""
    with services.started(paths):
        for role in ("postgres", "root", "template1"):
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(postgres.url(paths).replace("//dataspace@", f"//{role}@"))


def test_postgresql_takes_parts_of_chinese_words_for_search(paths: Paths) -> None:
    with services.started(paths), psycopg.connect(postgres.url(paths), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        row = connection.execute("SELECT cardinality(show_trgm('济南市供水量'))").fetchone()
        assert row == (7,)


@pytest.mark.parametrize("durable", [True, False])
def test_only_on_services_of_tests_may_triggers_rest(paths: Paths, durable: bool) -> None:
    with services.started(paths, durable=durable), psycopg.connect(postgres.url(paths)) as connection:
        row = connection.execute(
            "SELECT has_parameter_privilege('session_replication_role', 'SET')"
        ).fetchone()
        assert row == (not durable,)


def test_a_second_start_on_the_same_folder_is_refused(paths: Paths) -> None:
    with services.started(paths), pytest.raises(AlreadyRunningError, match="already running"):  # noqa: SIM117
        with services.started(paths):
            pass


def test_postgresql_and_valkey_come_back_after_kill_9(
    paths: Paths, serve: Callable[[Paths], subprocess.Popen[str]]
) -> None:
    serve(paths)
    count_after(paths, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    killed = postmaster(paths)
    os.kill(killed, signal.SIGKILL)
    until(lambda: postmaster(paths) != killed and count_after(paths) == 1)
    address = str(paths.valkey / "sock" / "valkey")
    with redis.Redis(unix_socket_path=address) as broker:
        first = broker.info()["process_id"]
        os.kill(first, signal.SIGKILL)
        until(
            lambda: (
                Path(address).exists() and redis.Redis(unix_socket_path=address).info()["process_id"] != first
            ),
            5,
        )


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_works(
    paths: Paths, serve: Callable[[Paths], subprocess.Popen[str]]
) -> None:
    first = serve(paths)
    count_after(paths, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    running = postmaster(paths)
    first.kill()
    first.wait()
    serve(paths)
    assert postmaster(paths) != running
    assert (
        Path(f"/proc/{running}/status").exists() is False
        or "(zombie)" in Path(f"/proc/{running}/status").read_text()
    )
    assert count_after(paths) == 1


def test_a_note_with_the_number_of_another_process_does_not_prevent_the_start(paths: Paths) -> None:
    with services.started(paths):
        count_after(paths, "CREATE TABLE kept (n int)")
        note = (postgres.home(paths) / "postmaster.pid").read_text().splitlines()
    stale = postgres.home(paths) / "postmaster.pid"
    with subprocess.Popen(["sleep", "60"], user=postgres.home(paths).stat().st_uid) as other:
        stale.write_text("\n".join([str(other.pid), *note[1:]]) + "\n")
        shutil.chown(stale, postgres.home(paths).stat().st_uid)
        with services.started(paths):
            assert count_after(paths) == 0
        assert other.poll() is None
        other.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
def test_a_closed_home_stays_closed_and_its_data_go_elsewhere(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = paths.data.with_name("system")
    monkeypatch.setattr(postgres, "SYSTEM_FOLDER", system)
    closed = Paths(paths.data.with_name("home") / "var")
    closed.data.parent.mkdir(mode=0o700)
    with services.started(closed):
        count_after(closed, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    with services.started(closed):
        assert count_after(closed) == 1
    assert stat.S_IMODE(closed.data.parent.stat().st_mode) == 0o700
    assert closed.pg.resolve().is_relative_to(system)
    postgres.remove(closed)
    assert not list(system.rglob("PG_VERSION"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account for PostgreSQL")
def test_programs_in_a_closed_home_run_from_a_copy(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    reachable = postgres.account.can_reach
    monkeypatch.setattr(postgres, "SYSTEM_FOLDER", paths.data.with_name("system"))
    monkeypatch.setattr(
        postgres.account,
        "can_reach",
        lambda folder: "site-packages" not in folder.parts and reachable(folder),
    )
    with services.started(paths):
        assert count_after(paths, "CREATE TABLE kept (n int)") == 0
        program = Path(f"/proc/{postmaster(paths)}/exe").readlink()
    assert program.is_relative_to(paths.data.with_name("system"))


def test_services_named_in_the_environment_are_used_and_none_is_started(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(services.DATABASE_VARIABLE, "postgresql://somebody@elsewhere/space")
    monkeypatch.setenv(services.BROKER_VARIABLE, "redis://elsewhere:6379/0")
    with services.started(paths) as (_supervisor, known):
        assert known.programs == ()
        assert known.environment[services.DATABASE_VARIABLE] == "postgresql://somebody@elsewhere/space"
        assert known.environment[services.BROKER_VARIABLE] == "redis://elsewhere:6379/0"
    assert not paths.pg.exists()
