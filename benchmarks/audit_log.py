"""What the record costs: transactions that insert a row and record it, against the same without the record.

Eight processes write through Django as services do (`row.save()`, `record(...)`), on a PostgreSQL that waits for the
disk at each commit. The sealer runs beside them as its own process, on the same cores. Both kinds take turns within one
run. Then: how long the outbox takes to drain, whether anything is lost where transactions stay open and roll back, and
how fast the sealer is by itself. Uses a database of its own, and drops it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import django

WRITERS = 8
ROUNDS = 5
SECONDS = 4.0
ROLLED_BACK = 0.05
OPEN_SECONDS = 0.020  # a transaction stays open for up to this long
WAITING = 50_000  # entries the sealer finds when it is measured alone
DATABASE = "bench_audit_log"
MANAGE = str(Path(__file__).resolve().parent.parent / "manage.py")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--seconds", type=float, default=SECONDS)
    chosen = options.parse_args()
    with own_database():
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        provider = make_provider()
        with writers(provider) as crew:
            with sealer():
                compare(crew, chosen.rounds, chosen.seconds)
                lose_nothing(crew, chosen.seconds)
            drain_alone()
        verify_chain()


# --- The three measurements -------------------------------------------------------------------------------
def compare(crew: list[Connection], rounds: int, seconds: float) -> None:
    """Transactions a second with and without the record, in turns; the time until all is sealed after each round."""
    tell(crew, "plain", seconds / 4)  # connections, caches
    tell(crew, "recorded", seconds / 4)
    with_record, without, drained = [], [], []
    for number in range(rounds):
        for mode in ("plain", "recorded") if number % 2 else ("recorded", "plain"):
            rate = tell(crew, mode, seconds) / seconds
            if mode == "plain":
                without.append(rate)
            else:
                with_record.append(rate)
                drained.append(until_drained())
    ratio = statistics.median(with_record) / statistics.median(without)
    ratios = [a / b for a, b in zip(with_record, without, strict=True)]
    print(
        f"{WRITERS} writers, {rounds} rounds of {seconds:g} s each way; transactions a second, median (min-max)"
    )
    for name, rates in (("insert", without), ("insert and record", with_record)):
        print(f"  {name:<44} {statistics.median(rates):7.0f} ({min(rates):.0f}-{max(rates):.0f})")
    print(f"  {'with / without':<44} {ratio:7.0%} ({min(ratios):.0%}-{max(ratios):.0%})   bar 65 %")
    print(f"  {'outbox empty after the last commit, ms':<44} {max(drained) * 1000:7.0f} at most   bar 1000")


def lose_nothing(crew: list[Connection], seconds: float) -> None:
    """Open transactions and rollbacks while the sealer seals: every committed row has its entry, no other entry is."""
    from audit import comparison
    from audit.models import Entry
    from catalog.models import Source

    before, missing = (
        Entry.objects.count(),
        comparison.compare(Source).number,
    )  # of the inserts without a record
    committed = tell(crew, "open", seconds)
    until_drained()
    sealed = Entry.objects.count() - before
    missing = comparison.compare(Source).number - missing
    print(f"transactions open for 0-{OPEN_SECONDS * 1000:g} ms, {ROLLED_BACK:.0%} rolled back")
    print(f"  {'committed, sealed':<44} {committed:7d}, {sealed}")
    print(f"  {'rows without entry, entries without row':<44} {missing:7d}   bar 0")
    if committed != sealed or missing:
        sys.exit("entries were lost")


def drain_alone() -> None:
    """The sealer by itself, on an outbox that was filled while it was away."""
    from django.db import connection

    from audit.sealer import seal_all

    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audit_outbox (event_id, body) SELECT id, convert_to(
              '{"act":"account.login","actor":"' || gen_random_uuid() || '","id":"' || id || '","obj":"account:' ||
              gen_random_uuid() || '","org":"' || md5((id::text < '8')::text) || '","out":"ok",' ||
              '"t":1795000000000000,"v":1}', 'UTF8')
            FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %s)) ids""",
            [WAITING],
        )
    start = time.perf_counter()
    sealed = seal_all()
    rate = sealed / (time.perf_counter() - start)
    print(f"the sealer alone, {WAITING} entries waiting\n  {'entries a second':<44} {rate:7.0f}")


def verify_chain() -> None:
    from audit import export
    from audit.verifier.check import verify

    report = verify(export.lines())
    print(
        f"chain of {report.entries} entries\n  {'verified':<44} {'whole' if report.ok else report.finding!s:>7}"
    )
    if not report.ok:
        sys.exit(1)


# --- Those who write --------------------------------------------------------------------------------------
def make_provider():
    from django.db import transaction

    from parties.actors import SYSTEM
    from parties.admission import admit

    with transaction.atomic():
        return admit(actor=SYSTEM, name="provider", kind="provider")


def write(orders: Connection, provider) -> None:
    """One writer: does what it is told for as long as it is told, and answers with the number of commits."""
    from django.db import transaction

    from audit.events import Event
    from audit.recorder import record
    from catalog.models import Source
    from parties.actors import Actor

    actor = Actor(uid="6f1c0000-0000-4000-8000-000000000000", organization=provider)
    chance = random.Random(os.getpid())
    number = 0
    while order := orders.recv():
        mode, seconds = order
        commits, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            back = mode == "open" and chance.random() < ROLLED_BACK
            with transaction.atomic():
                source = Source(provider=provider, name=f"{os.getpid()}-{number}", sealed_url=b"x" * 100)
                source.save(force_insert=True)
                if mode != "plain":
                    record(Event.SOURCE_REGISTERED, actor=actor, about=source)
                if mode == "open":
                    time.sleep(chance.random() * OPEN_SECONDS)
                transaction.set_rollback(back)
            commits += not back
        orders.send(commits)


@contextmanager
def writers(provider) -> Iterator[list[Connection]]:
    from django.db import connections

    connections.close_all()  # none is shared by two processes
    fork = multiprocessing.get_context("fork")
    crew, processes = [], []
    for _ in range(WRITERS):
        ours, theirs = fork.Pipe()
        process = fork.Process(target=write, args=(theirs, provider), daemon=True)
        process.start()
        crew.append(ours)
        processes.append(process)
    try:
        yield crew
        for orders in crew:
            orders.send(None)
        for process in processes:
            process.join(30)
    finally:
        for process in processes:
            process.kill()


def tell(crew: list[Connection], mode: str, seconds: float) -> int:
    for orders in crew:
        orders.send((mode, seconds))
    return sum(orders.recv() for orders in crew)


# --- What runs beside them --------------------------------------------------------------------------------
@contextmanager
def sealer() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, MANAGE, "seal"], start_new_session=True)
    try:
        time.sleep(3)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def until_drained() -> float:
    """Seconds until nothing waits to be sealed."""
    from audit.models import OutboxRow

    start = time.perf_counter()
    while OutboxRow.objects.exists():
        time.sleep(0.002)
        if time.perf_counter() - start > 60:
            sys.exit("the sealer does not keep up")
    return time.perf_counter() - start


@contextmanager
def own_database() -> Iterator[None]:
    import psycopg

    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as server:
        drop(server)
        server.execute(f"CREATE DATABASE {DATABASE}")
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{DATABASE}").geturl()
        try:
            yield
        finally:
            from django.db import connections

            connections.close_all()
            drop(server)


def drop(server) -> None:
    """The server sends its own vacuum away, which FORCE may not; whoever was just killed takes a moment to be gone."""
    import psycopg

    for _ in range(50):
        try:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        except psycopg.errors.ObjectInUse:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"{DATABASE} is still in use")


if __name__ == "__main__":
    main()
