"""What the data space costs on top of the engine: submit → release, less the engine's own time.

Through the real way: the service, PostgreSQL, the broker, a Celery worker, the jail, the disclosure rules. Beside it,
in the same run, raw DuckDB answers the same question on the same extract in this process. Runs follow each other at
one a second or so, as a person asks; a spare jail is warm by then.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

RUNS = 40
PAUSE_SECONDS = 0.8
QUESTION = """SELECT district, month, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh
FROM electricity GROUP BY district, month"""
RAW = "SELECT district, month, count(DISTINCT credit_code), sum(kwh) FROM read_parquet('{path}') GROUP BY ALL"


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=RUNS)
    runs = options.parse_args().runs
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    contract = world()
    command = [sys.executable, "-m", "celery", "-A", "dataspace", "worker", "-Q", "runs", "-c", "1",
               "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]  # fmt: skip
    worker = subprocess.Popen(command, start_new_session=True)
    try:
        time.sleep(5)
        report(*measure(contract, runs))
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(30)


def world():
    """One provider's electricity, and a contract over it: made once per bench database."""
    from contracts.models import Contract
    from dataspace.demo import seed
    from dataspace.demo.accounts import create_accounts
    from dataspace.demo.city import write_city
    from parties.models import Organization

    if not Organization.objects.exists():
        create_accounts()
    from catalog.models import Dataset

    with tempfile.TemporaryDirectory() as folder:
        file = next(f for f in write_city(Path(folder)) if f.identifier == "electricity")
        if not Dataset.objects.filter(name="electricity").exists():
            seed.publish(file)
        else:  # the folder of extracts is emptied between runs of the benchmark
            dataset = Dataset.objects.get(name="electricity")
            version = seed._hand_in(seed.actor("power"), dataset, file.path, file.schema)
            from catalog import jobs, services

            services.decide_bad_rows(actor=seed.actor("power"), version=version, on_bad_rows="publish")
            jobs.work_on(version.uid)
    contract = seed._sign(seed._grant(seed._ask("enterprise", ["electricity"], "benchmark")))
    return Contract.objects.get(pk=contract.pk)


def measure(contract, runs: int):
    import duckdb

    from dataspace.demo.seed import actor
    from sandbox.models import Run
    from sandbox.services.submit import Question, submit
    from sandbox.states import TERMINAL, RunState

    acting = actor("enterprise")
    path = contract.request.items.get().dataset.current.extract_path
    raw, whole, engine = [], [], []
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    for i in range(runs + 3):
        start = time.perf_counter()
        connection.execute(RAW.format(path=path)).fetchall()
        raw_seconds = time.perf_counter() - start
        time.sleep(PAUSE_SECONDS)
        start = time.perf_counter()
        run = submit(actor=acting, contract=contract, question=Question(text=QUESTION))
        while True:
            state = Run.objects.values_list("state", flat=True).get(pk=run.pk)
            if state in TERMINAL:
                break
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        run.refresh_from_db()
        if run.state != RunState.RELEASED:
            sys.exit(f"run ended {run.state}: {run.failure}")
        if i >= 3:  # the first ones fill caches
            raw.append(raw_seconds)
            whole.append(seconds)
            engine.append(run.engine_seconds)
    return raw, whole, engine


def report(raw: list[float], whole: list[float], engine: list[float]) -> None:
    overhead = [w - e for w, e in zip(whole, engine, strict=True)]
    print(f"{len(whole)} runs of one question over 465,533 rows; milliseconds, p50 (p95)")
    for name, values in (
        ("raw DuckDB, unprotected", raw),
        ("engine inside the jail (with protection statistics)", engine),
        ("submit -> release", whole),
        ("overhead: submit -> release less engine", overhead),
    ):
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"  {name:<52} {statistics.median(values) * 1000:7.1f} ({p95 * 1000:.1f})")
    print(f"  engine / raw DuckDB          {statistics.median(engine) / statistics.median(raw):5.1f} x")
    print(f"  submit -> release / raw      {statistics.median(whole) / statistics.median(raw):5.1f} x")


if __name__ == "__main__":
    main()
