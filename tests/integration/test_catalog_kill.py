"""`kill -9` at any moment loses nothing and publishes nothing twice (P4).

A killed worker is played by an exception that no handler of ours may catch: the code stops where it stood, the row
keeps what was committed before, and only the lease tells.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from catalog import ingest, leases, services, tasks
from catalog.jobs import work_on
from catalog.leases import ATTEMPTS, LostClaimError, claim, due
from catalog.models import Dataset, Version
from catalog.states import VersionState
from catalog.sweep import UNTOUCHED_FOR, leftovers, sweep
from parties.actors import Actor
from tests.catalog_world import checked, describe, entries, fresh, hand_in, published, steward, stored

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """As good as SIGKILL: nothing of ours runs after it but `finally` blocks that remove temporary files."""


@pytest.fixture(autouse=True)
def sent(monkeypatch) -> list[str]:
    """Messages are noted instead of sent: what they would have nudged is done by the tests."""
    messages: list[str] = []
    monkeypatch.setattr(
        "celery.current_app.send_task", lambda _name, args, **_options: messages.append(args[0])
    )
    return messages


@pytest.fixture
def own() -> Actor:
    return steward()


@pytest.fixture
def draft(own) -> Dataset:
    return describe(own)


@pytest.fixture
def decided(own, draft) -> Version:
    version = checked(own, draft)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    return fresh(version)


def lease_runs_out(version: Version) -> None:
    Version.objects.filter(pk=version.pk).update(lease=timezone.now() - timedelta(seconds=1))


def publications(version: Version) -> int:
    return sum(entry["obj"] == version.audit_ref for entry in entries("version.published"))


def test_a_service_nudges_the_worker_once_it_is_committed(own, draft, sent) -> None:
    version = hand_in(own, draft)
    assert sent == [str(version.uid)]
    work_on(version.uid)
    services.decide_bad_rows(actor=own, version=version, on_bad_rows="publish")
    assert sent == [str(version.uid)] * 2


def test_a_broker_that_is_down_loses_nothing(own, draft, monkeypatch) -> None:
    def down(*_args, **_options):
        raise ConnectionError

    monkeypatch.setattr("celery.current_app.send_task", down)
    version = hand_in(own, draft)
    Version.objects.filter(pk=version.pk).update(state_since=timezone.now() - leases.GRACE)
    assert list(due()) == [version]


def test_the_sweep_nudges_what_waits_and_nothing_else(own, draft, sent) -> None:
    done = published(own, draft)
    waiting, working = hand_in(own, draft), hand_in(own, draft)
    assert claim(working.uid) is not None
    sent.clear()
    sweep()
    assert sent == []  # its own message is a moment old
    Version.objects.update(state_since=timezone.now() - leases.GRACE)
    sweep()
    assert sent == [str(waiting.uid)]
    lease_runs_out(working)
    sent.clear()
    sweep()
    assert set(sent) == {str(waiting.uid), str(working.uid)}
    assert str(done.uid) not in sent


@pytest.mark.parametrize(
    "place", ["catalog.checking.move", "catalog.ingest.infer_schema", "catalog.ingest.validate"]
)
def test_a_check_that_was_killed_is_taken_up_when_the_lease_ran_out(own, draft, monkeypatch, place) -> None:
    version = hand_in(own, draft)
    with monkeypatch.context() as patch:
        patch.setattr(place, _killed)
        with pytest.raises(Killed):
            work_on(version.uid)
    assert fresh(version).state == VersionState.CHECKING
    work_on(version.uid)
    assert fresh(version).state == VersionState.CHECKING  # the dead worker's lease still holds
    lease_runs_out(version)
    work_on(version.uid)
    assert (fresh(version).state, fresh(version).attempts) == (VersionState.CHECKED, 2)
    assert len(entries("version.checked")) == 1


@pytest.mark.parametrize(
    "place",
    [
        "catalog.ingest.build",
        "catalog.ingest.profile",
        "catalog.building.move",
        "catalog.building.search.index",
    ],
)
def test_a_build_that_was_killed_publishes_once(decided, monkeypatch, place) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(place, _killed)
        with pytest.raises(Killed):
            work_on(decided.uid)
    left = fresh(decided)
    assert (left.state, left.sha256, publications(decided)) == (VersionState.BUILDING, "", 0)
    lease_runs_out(decided)
    work_on(decided.uid)
    work_on(decided.uid)
    done = fresh(decided)
    assert done.state == VersionState.PUBLISHED
    assert publications(decided) == 1
    assert [path.name for path in Path(settings.EXTRACTS_DIR).glob(f"{done.sha256}*")] == [
        f"{done.sha256}.parquet"
    ]


def test_a_file_without_its_row_is_the_very_file_of_the_second_attempt(decided, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("catalog.building.holding", _killed)
        with pytest.raises(Killed):
            work_on(decided.uid)
    before = stored()[1]
    lease_runs_out(decided)
    work_on(decided.uid)
    assert fresh(decided).state == VersionState.PUBLISHED
    assert {name for name in stored()[1] if name.endswith(".parquet")} == {
        n for n in before if n.endswith(".parquet")
    }


def test_two_workers_at_once_publish_once(decided) -> None:
    start = threading.Barrier(4)

    def worker() -> None:
        start.wait()
        try:
            work_on(decided.uid)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh(decided).state == VersionState.PUBLISHED
    assert fresh(decided).attempts == 1
    assert publications(decided) == 1


def test_a_worker_that_was_given_up_can_no_longer_write(decided, monkeypatch) -> None:
    """It slept beyond its lease; another took over and published; then it wakes up."""
    build = ingest.build

    def slow(*args, **kwargs):
        extract = build(*args, **kwargs)
        if not publications(decided) and fresh(decided).attempts == 1:
            lease_runs_out(decided)
            work_on(decided.uid)
        return extract

    monkeypatch.setattr("catalog.ingest.build", slow)
    work_on(decided.uid)
    done = fresh(decided)
    assert (done.state, done.attempts, publications(decided)) == (VersionState.PUBLISHED, 2, 1)
    assert done.failure == ""


def test_progress_extends_the_lease_and_notices_its_loss(decided, monkeypatch) -> None:
    held = claim(decided.uid)
    first = fresh(decided).lease
    held("build", 0.5)
    row = fresh(decided)
    assert (row.step, row.progress) == ("build", 50)
    assert row.lease > first
    held("build", 0.9)
    assert fresh(decided).progress == 50  # at most once a second
    Version.objects.filter(pk=decided.pk).update(claim=None)
    monkeypatch.setattr("catalog.leases.WRITE_EVERY", 0)
    with pytest.raises(LostClaimError):
        held("build", 0.95)


def test_work_that_never_ends_well_fails_with_a_reason(decided, monkeypatch) -> None:
    monkeypatch.setattr("catalog.ingest.build", _broken)
    for _ in range(ATTEMPTS + 1):
        work_on(decided.uid)
    failed = fresh(decided)
    assert (failed.state, failed.failure, failed.attempts) == (
        VersionState.FAILED,
        "ingest.attempts",
        ATTEMPTS,
    )
    assert publications(decided) == 0


def test_an_error_text_with_data_in_it_is_neither_logged_nor_stored(decided, monkeypatch, caplog) -> None:
    monkeypatch.setattr("catalog.ingest.build", _broken)
    for _ in range(ATTEMPTS + 1):
        work_on(decided.uid)
    assert "E001" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "E001" not in str(Version.objects.values().get(pk=decided.pk))


def test_the_uploaded_file_goes_when_the_version_is_decided(own, decided) -> None:
    assert decided.upload_path.exists()
    work_on(decided.uid)
    assert not decided.upload_path.exists()
    assert not list(Path(settings.UPLOADS_DIR).glob(f"{decided.upload}*"))


def test_the_sweep_removes_what_nothing_needs_and_keeps_the_rest(own, draft, decided) -> None:
    kept = published(own, draft)
    uploads, extracts = Path(settings.UPLOADS_DIR), Path(settings.EXTRACTS_DIR)
    old = [uploads / "gone.csv", uploads / "gone.csv.part", extracts / f"{'0' * 64}.parquet"]
    for path in old:
        path.write_bytes(b"x")
    folder = uploads / "work-of-a-killed-worker"
    folder.mkdir()
    (folder / "copy.csv").write_bytes(b"x")
    young = uploads / "just-arriving.csv.part"
    young.write_bytes(b"x")
    long_ago = time.time() - UNTOUCHED_FOR - 60
    for path in [*old, folder, decided.upload_path, kept.extract_path]:
        os.utime(path, (long_ago, long_ago))
    left = uploads / kept.upload
    left.write_bytes(b"x")  # killed between commit and removal
    assert set(leftovers()) >= {*old, folder, left}
    sweep()
    assert not any(path.exists() for path in [*old, folder, left])
    assert all(path.exists() for path in [young, decided.upload_path, kept.extract_path])


def test_the_tasks_are_known_by_the_names_the_queue_and_the_clock_use() -> None:
    assert tasks.ingest.name == "catalog.ingest"
    assert tasks.sweep_ingests.name == "catalog.sweep"
    assert "catalog.sweep" in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert "catalog.ingest" in settings.CELERY_TASK_ROUTES


WORKER = """
import django, os, sys, uuid
django.setup()
from django.conf import settings
from django.db import connection
settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = sys.argv[1]
from pathlib import Path
settings.DATA_DIR = Path(sys.argv[2])
settings.UPLOADS_DIR, settings.EXTRACTS_DIR = settings.DATA_DIR / "uploads", settings.DATA_DIR / "extracts"
import catalog.building
def stop(*args, **kwargs):
    print("built", flush=True)
    import time
    time.sleep(60)
catalog.building.ingest.profile = stop
from catalog.jobs import work_on
work_on(uuid.UUID(sys.argv[3]))
"""


def test_a_worker_process_killed_between_file_and_row_is_continued_by_the_next(decided) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, connection.settings_dict["NAME"], str(settings.DATA_DIR), str(decided.uid)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "dataspace.settings.test"}, cwd=settings.BASE_DIR,
    )  # fmt: skip
    try:
        line = process.stdout.readline()
        assert line == "built\n", process.stderr.read()
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert fresh(decided).state == VersionState.BUILDING
    assert list(Path(settings.UPLOADS_DIR).glob("work-*"))
    lease_runs_out(decided)
    work_on(decided.uid)
    assert fresh(decided).state == VersionState.PUBLISHED
    assert publications(decided) == 1


def _killed(*_args, **_kwargs):
    raise Killed


def _broken(*_args, **_kwargs):
    raise RuntimeError("cannot read 'E001' in line 2")
