"""P4: `kill -9` of the worker, of the sandbox, of the broker: a run or trial completes once or ends in a clear state.

Real processes: a Celery worker over a real Valkey, on the test's own database. A run is held in its middle by stopping
(SIGSTOP) the warm jail before the run is submitted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from celery import Celery
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit import export, sealer
from audit.events import Event
from audit.models import Entry
from audit.verifier.check import verify
from contracts.models import Contract
from dataspace.celery import app
from dataspace.machine import valkey
from dataspace.machine.paths import Paths
from sandbox.models import Release, Run, Trial
from sandbox.services import execute
from sandbox.services.submit import Question, submit
from sandbox.services.trials import try_terms
from sandbox.states import RunState, TrialState
from sandbox.trials import leases
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"
PATIENCE = 90.0  # seconds; a busy machine is slow to warm a jail


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.05)


class Broker:
    """A Valkey of the test's own, on a unix socket."""

    def __init__(self, folder: Path) -> None:
        paths = Paths(folder)
        paths.valkey.mkdir(parents=True)
        self.url = valkey.url(paths)
        self.program = valkey.program(paths)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.program.argv,
            env=dict(self.program.environment),
            cwd=self.program.folder,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: self.program.ready(0), "Valkey")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def broker(tmp_path, monkeypatch) -> Iterator[Broker]:
    made = Broker(tmp_path)
    monkeypatch.setenv("CELERY_BROKER_URL", made.url)  # Celery heeds it before its configuration
    made.start()
    sender = Celery("sender")
    sender.config_from_object("django.conf:settings", namespace="CELERY")
    sender.conf.broker_url = made.url
    sender.set_current()
    yield made
    app.set_current()
    sender.close()
    made.kill()


@contextmanager
def celery_worker(broker: Broker) -> Iterator[psutil.Process]:
    """A worker with one process, on the test database."""
    values = connection.settings_dict
    host = values["HOST"] or values["OPTIONS"].get("host", "")
    url = f"postgresql://{values['USER']}:{values['PASSWORD']}@/{values['NAME']}?host={host}&port={values['PORT'] or 5432}"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dataspace.settings.dev",
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": broker.url,
        "DATASPACE_DATA_DIR": str(settings.DATA_DIR),
        "DATASPACE_SECRET_KEY": settings.SECRET_KEY,
        "DATASPACE_SPACE_KEY": settings.SPACE_KEY,
        "DATASPACE_KEY_ENCRYPTION_KEY": settings.KEY_ENCRYPTION_KEYS[0],
        "DATASPACE_RELEASE_TICK": "1",
    }
    command = [sys.executable, "-m", "celery", "-A", "dataspace", "worker", "-Q", "runs,housekeeping", "-c", "1", "--loglevel", "ERROR",
               "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    worker = psutil.Process(process.pid)
    try:
        wait_until(lambda: jails(worker), "a warm jail")
        time.sleep(1.0)  # the jail has its libraries and waits
        yield worker
    finally:
        for child in [*descendants(worker), worker]:
            if child.is_running():
                with suppress(psutil.NoSuchProcess):  # it may have ended by itself
                    child.kill()
        process.wait()


def descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def jails(worker: psutil.Process) -> list[psutil.Process]:
    return [
        p
        for p in descendants(worker)
        if p.name() == "bwrap" or "sandbox.isolation.runner" in " ".join(p.cmdline())
    ]


def hold(worker: psutil.Process) -> list[psutil.Process]:
    found = jails(worker)
    for jail in found:
        jail.send_signal(signal.SIGSTOP)
    return found


@pytest.fixture
def world():
    city = factories.city()
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )
    return city, contract


def ask(world) -> Run:
    city, contract = world
    return submit(
        actor=factories.actor(city.enterprise),
        contract=Contract.objects.get(pk=contract.pk),
        question=Question(text=SQL),
    )


def state(run: Run) -> str:
    return Run.objects.values_list("state", flat=True).get(pk=run.pk)


def finished_once(run: Run) -> None:
    wait_until(lambda: state(run) == RunState.RELEASED, "the release")
    assert Release.objects.filter(run=run).count() == 1
    sealer.seal_all()
    assert Entry.objects.filter(act=Event.RUN_RELEASED, obj=run.audit_ref).count() == 1
    assert verify(export.lines()).ok


def test_a_worker_takes_runs_from_the_broker(broker, world):
    with celery_worker(broker):
        finished_once(ask(world))


def test_kill_9_of_the_worker_in_the_middle_of_a_run(broker, world):
    with celery_worker(broker) as worker:
        held = hold(worker)
        run = ask(world)
        wait_until(lambda: state(run) == RunState.RUNNING, "the run to start")
        for process in [worker, *[p for p in descendants(worker) if p not in held]]:
            process.kill()
        wait_until(
            lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in held),
            "the jail to die with it",
        )
    assert state(run) == RunState.RUNNING
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - timedelta(seconds=1))
    execute.sweep()
    with celery_worker(broker):
        finished_once(run)
    assert Run.objects.get(pk=run.pk).attempts == 2


def test_kill_9_of_the_sandbox_in_the_middle_of_a_run(broker, world):
    with celery_worker(broker) as worker:
        held = hold(worker)
        run = ask(world)
        wait_until(lambda: state(run) == RunState.RUNNING, "the run to start")
        for jail in held:
            jail.kill()
        finished_once(run)
    assert Run.objects.get(pk=run.pk).attempts == 2


def test_kill_9_of_the_broker_loses_no_run(broker, world):
    with celery_worker(broker):
        finished_once(ask(world))
        broker.kill()
        run = ask(world)  # is accepted: the row is written, the nudge is lost
        assert state(run) == RunState.QUEUED
        broker.start()
        Run.objects.filter(pk=run.pk).update(state_since=timezone.now() - timedelta(seconds=10))

        def swept() -> bool:
            execute.sweep()
            time.sleep(1)
            return state(run) == RunState.RELEASED

        wait_until(swept, "the sweep to send the run again")
        finished_once(run)


def test_a_suspension_stops_a_run_under_way(broker, world):
    from contracts.services.signing import suspend_contract

    city, contract = world
    with celery_worker(broker) as worker:
        hold(worker)
        run = ask(world)
        wait_until(lambda: state(run) == RunState.RUNNING, "the run to start")
        suspend_contract(actor=factories.actor(city.power), contract=contract, reason="核查")
        start = time.monotonic()
        wait_until(lambda: state(run) == RunState.CANCELLED, "the run to stop")
        assert time.monotonic() - start < 10
    assert not Release.objects.exists()


# --- Trials of terms ------------------------------------------------------------------------------------------
def try_out(world) -> Trial:
    city, contract = world
    dataset = contract.request.items.get().dataset
    asked = factories.filed_request(city.enterprise, [dataset])
    return try_terms(actor=factories.actor(city.power), request=asked)


def now(trial: Trial) -> Trial:
    return Trial.objects.get(pk=trial.pk)


def done_once(trial: Trial) -> None:
    wait_until(lambda: now(trial).state == TrialState.DONE, "the trial to be done")
    sealer.seal_all()
    assert Entry.objects.filter(act=Event.TRIAL_DONE, obj=trial.audit_ref).count() == 1
    assert verify(export.lines()).ok


def test_kill_9_of_the_worker_in_the_middle_of_a_trial(broker, world):
    with celery_worker(broker) as worker:
        held = hold(worker)
        trial = try_out(world)
        wait_until(lambda: now(trial).attempts == 1, "the trial to be taken")
        for process in [worker, *[p for p in descendants(worker) if p not in held]]:
            process.kill()
    assert now(trial).state == TrialState.WAITING
    past = timezone.now() - timedelta(seconds=20)
    Trial.objects.filter(pk=trial.pk).update(lease=past, asked=past)
    assert leases.sweep() == 1
    with celery_worker(broker):
        done_once(trial)
    assert now(trial).attempts == 2


def test_kill_9_of_the_sandbox_in_the_middle_of_a_trial(broker, world):
    with celery_worker(broker) as worker:
        held = hold(worker)
        trial = try_out(world)
        wait_until(lambda: now(trial).attempts == 1, "the trial to be taken")
        for jail in held:
            jail.kill()
        done_once(trial)
    assert now(trial).attempts == 2


def test_kill_9_of_the_broker_loses_no_trial(broker, world):
    with celery_worker(broker):
        broker.kill()
        trial = try_out(world)  # is accepted: the row is written, the nudge is lost
        broker.start()
        Trial.objects.filter(pk=trial.pk).update(asked=timezone.now() - timedelta(seconds=20))

        def swept() -> bool:
            leases.sweep()
            time.sleep(1)
            return now(trial).state == TrialState.DONE

        wait_until(swept, "the sweep to send the trial again")
        done_once(trial)
