"""One Django process that brings database and static files up to date before the web server starts.

Run as `python -m dataspace.machine.prepare [--seed MARKER] [--logins FILE] [--log-keys FILE]`, with the environment of
`services.environment`. Everything is asked first and done only where needed: on most starts nothing is.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import time
from pathlib import Path

from dataspace.machine.demo_marker import DemoMarker

CONNECT_SECONDS = 30.0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seed", type=Path, help="fill an empty database with the demo; the marker notes how far"
    )
    parser.add_argument("--logins", type=Path, help="write the table of demo log-ins into this file")
    parser.add_argument("--log-keys", type=Path, help="write the public keys of the audit log into this file")
    arguments = parser.parse_args(argv)
    import django  # noqa: PLC0415 - this package imports without Django

    try:
        django.setup()
        if not _connected():
            return 1
        _migrate()
        _collect_static()
        if arguments.seed:
            _seed(DemoMarker(arguments.seed))
        if arguments.logins:
            _write_logins(arguments.logins)
        if arguments.log_keys:
            _write_log_keys(arguments.log_keys)
    except KeyboardInterrupt:
        return 130
    return 0


def _connected() -> bool:
    """Whether the database answers within `CONNECT_SECONDS`; another machine's may be just starting."""
    from django.db import OperationalError, connection  # noqa: PLC0415

    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            if time.monotonic() > deadline:
                print(f"The database does not answer. Is DATABASE_URL right?\n{error}", file=sys.stderr)
                return False
            time.sleep(0.5)
        else:
            return True


def _migrate() -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("Bringing the database up to date …", flush=True)
        call_command("migrate", interactive=False, verbosity=0)


def _collect_static() -> None:
    """Collects and compresses static files if any changed since the last time."""
    from django.conf import settings  # noqa: PLC0415
    from django.contrib.staticfiles.finders import get_finders  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    if not settings.STATIC_ROOT:
        return
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            found.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    note = Path(settings.STATIC_ROOT) / ".collected"
    if note.exists() and note.read_text() == found.hexdigest():
        return
    print("Collecting static files …", flush=True)
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    note.parent.mkdir(parents=True, exist_ok=True)  # without static files nothing made it
    note.write_text(found.hexdigest())


def _seed(marker: DemoMarker) -> None:
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    if marker.is_done or get_user_model().objects.exists():
        return
    marker.begin()
    print("Filling the demo with synthetic data …", flush=True)
    call_command("seed_demo")
    marker.finish()


def _write_logins(file: Path) -> None:
    from django.core.management import call_command  # noqa: PLC0415

    words = io.StringIO()
    call_command("demo_logins", stdout=words)
    file.write_text(words.getvalue())


def _write_log_keys(file: Path) -> None:
    """The keys are made where there are none yet. Where the log cannot be signed, the checkpointer will say why."""
    from audit.transparency import service  # noqa: PLC0415
    from audit.transparency.checkpointer import Checkpointer  # noqa: PLC0415
    from audit.transparency.troubles import WillNotSign  # noqa: PLC0415

    try:
        with service.alone():
            keys = Checkpointer().keys.all()
    except (WillNotSign, service.CheckpointerBusy) as error:
        print(f"The demo's witness knows no key of the log: {error}", file=sys.stderr)
        keys = []
    file.write_text("".join(f"{one.vkey}\n" for one in keys))


if __name__ == "__main__":
    sys.exit(main())
