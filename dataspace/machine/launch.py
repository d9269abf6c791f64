"""`dataspace up` and `dataspace demo`: everything on this machine, below one supervisor, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import sys
import time
import urllib.error
import urllib.request

from dataspace.machine import lock, postgres, programs, services, translations
from dataspace.machine.demo_marker import DemoMarker
from dataspace.machine.demo_witness import DemoWitness
from dataspace.machine.errors import MachineError
from dataspace.machine.paths import PROJECT, Paths
from dataspace.machine.services import BROKER_VARIABLE, DATABASE_VARIABLE
from dataspace.machine.supervisor import StopRequestedError, Supervisor

ANSWER_SECONDS = 90.0
POLICY_VARIABLE = "DATASPACE_AUDIT_POLICY"


def up(paths: Paths, *, demo: bool = False) -> int:
    """Starts all, says where, and stays until it is told to stop. Returns the exit code."""
    began = time.monotonic()
    marker = DemoMarker(paths.state / "demo")
    if demo and marker.was_cut_short and not os.environ.get(DATABASE_VARIABLE):
        print("The last seeding was cut short; starting over.")
        reset(paths)
    try:
        with services.started(paths) as (supervisor, known):
            witness = DemoWitness.appointed(paths) if demo and not os.environ.get(POLICY_VARIABLE) else None
            logins = _prepare(supervisor, known.environment, paths, marker if demo else None, witness)
            port = _start_application(supervisor, known.environment, paths)
            if witness:
                supervisor.start(witness.program(known.environment))
            print(f"\nready after {time.monotonic() - began:.1f} s: http://{programs.HOST}:{port}/")
            print(f"{logins}\nLogs: {paths.log}    Stop: Ctrl-C", flush=True)
            supervisor.watch()
    except StopRequestedError:
        print("\nStopped. The data are kept.")
    return 0


def reset(paths: Paths) -> None:
    """Deletes the data of this folder's embedded services, the extracts, the uploads, the keys and the published log.

    Raises `MachineError` while they run, if a database of somebody else is set, or if the folder was never
    ours.
    """
    for variable in (DATABASE_VARIABLE, BROKER_VARIABLE):
        if os.environ.get(variable):
            raise MachineError(
                f"{variable} is set: dataspace deletes only what it started itself.\nunset {variable}"
            )
    if not paths.lock.exists():
        return
    with lock.held(paths):
        postgres.remove(paths)
        for folder in (
            paths.valkey, paths.extracts, paths.uploads, paths.static, paths.state,
            paths.tlog, paths.checkpointer, paths.witness,
        ):  # fmt: skip
            shutil.rmtree(folder, ignore_errors=True)
        paths.keys.unlink(missing_ok=True)


def _prepare(
    supervisor: Supervisor,
    environment: dict[str, str],
    paths: Paths,
    marker: DemoMarker | None,
    witness: DemoWitness | None,
) -> str:
    """Database, static files and translations up to date; returns the demo's table of log-ins."""
    translations.compile_changed()
    logins = paths.state / "logins"
    demo = ["--seed", str(marker.file), "--logins", str(logins)] if marker else []
    demo += ["--log-keys", str(witness.log_keys)] if witness else []
    code = supervisor.run([sys.executable, "-m", "dataspace.machine.prepare", *demo], environment, PROJECT)
    if code != 0:
        raise MachineError("The database could not be prepared; the reason stands above.")
    return f"\n{logins.read_text()}" if marker else ""


def _start_application(supervisor: Supervisor, environment: dict[str, str], paths: Paths) -> int:
    """Starts the web server and, once it answers, the rest (they compete for cores). Returns the port."""
    wanted = int(os.environ.get("PORT") or programs.FIRST_PORT)
    port = programs.free_port(wanted)
    if port != wanted:
        print(f"Port {wanted} is taken; using {port}.")
    supervisor.start(programs.web(environment, paths, port))
    if not supervisor.wait_until(lambda: _answers(port), ANSWER_SECONDS):
        raise MachineError(f"The web server does not answer on port {port}:\n{supervisor.tail('web')}")
    supervisor.start(*programs.background(environment, paths))
    return port


def _answers(port: int) -> bool:
    """Whether the first page comes with status 200 (redirects followed)."""
    try:
        with urllib.request.urlopen(f"http://{programs.HOST}:{port}/", timeout=10) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
