"""Entries that wait too long to be sealed are told of, once for each time, in the log itself."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from audit import lag, sealer
from audit.events import Event
from audit.models import Entry, Lag, OutboxRow
from audit.recorder import record
from parties.actors import SYSTEM

pytestmark = pytest.mark.django_db


def some(count: int) -> None:
    with transaction.atomic():
        for i in range(count):
            record(Event.LOGIN, actor=SYSTEM, about=f"account:{i}")


def said() -> list[tuple[str, dict]]:
    """What the watch put on record, oldest first."""
    bodies = [*Entry.objects.order_by("seq").values_list("body", flat=True)]
    bodies += OutboxRow.objects.order_by("pk").values_list("body", flat=True)
    entries = [json.loads(bytes(body)) for body in bodies]
    return [(e["act"], e["x"]) for e in entries if e["act"].startswith("log.sealing")]


def test_entries_that_wait_for_a_moment_are_nothing_to_tell():
    some(3)
    for _ in range(3):
        lag.watch()
    sealer.seal_all()
    lag.watch()
    assert said() == []


def test_too_many_waiting_entries_are_one_episode_with_a_beginning_and_an_end(settings, caplog):
    settings.AUDIT_MOST_WAITING = 5
    some(5)
    lag.watch()
    assert said() == []
    some(3)
    with caplog.at_level(logging.ERROR, "audit.lag"):
        for _ in range(3):
            lag.watch()
    [(act, x)] = said()
    assert (act, x["waiting"]) == ("log.sealing_late", 8)
    assert x["oldest_ms"] >= 0
    assert [line.levelname for line in caplog.records] == ["ERROR"]
    sealer.seal_all()
    for _ in range(3):
        lag.watch()
    assert [act for act, _x in said()] == ["log.sealing_late", "log.sealing_caught_up"]
    waits = [(e.sealed - e.written) / timedelta(milliseconds=1) for e in Entry.objects.all()]
    assert said()[1][1] == {"oldest_ms": round(max(waits))}
    some(6)
    lag.watch()
    assert [act for act, _x in said()][2:] == ["log.sealing_late"], "the next time is another episode"


def test_an_entry_that_waits_too_long_is_told_of_when_it_is_still_there_at_the_next_look(
    settings, monkeypatch
):
    settings.AUDIT_LATE_SECONDS = 0
    monkeypatch.setattr(lag, "STILL_THERE", timedelta())
    some(1)
    lag.watch()
    assert said() == [], "it may have been committed this very instant"
    lag.watch()
    assert [act for act, _x in said()] == ["log.sealing_late"]


def test_entries_that_are_sealed_between_two_looks_are_nothing_to_tell(settings, monkeypatch):
    settings.AUDIT_LATE_SECONDS = 0
    monkeypatch.setattr(lag, "STILL_THERE", timedelta())
    for _ in range(3):
        some(1)
        lag.watch()
        sealer.seal_all()
    lag.watch()
    assert said() == []
    assert Lag.objects.get().suspect is None


def test_two_looks_at_the_same_moment_are_one(settings):
    settings.AUDIT_LATE_SECONDS = 0
    some(1)
    lag.watch()
    lag.watch()
    assert said() == [], "half a second lies between the two looks that count"


@pytest.mark.django_db(transaction=True)
def test_however_many_look_an_episode_is_told_once(settings):
    settings.AUDIT_MOST_WAITING = 1
    some(3)

    def look() -> None:
        try:
            for _ in range(10):
                lag.watch()
        finally:
            connection.close()

    def all_look() -> None:
        watchers = [threading.Thread(target=look) for _ in range(4)]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()

    all_look()
    assert [act for act, _x in said()] == ["log.sealing_late"]
    sealer.seal_all()
    all_look()
    assert [act for act, _x in said()] == ["log.sealing_late", "log.sealing_caught_up"]


@pytest.mark.django_db(transaction=True)
def test_the_sealer_itself_looks(monkeypatch):
    looked, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(lag, "watch", looked.set)

    def seal() -> None:
        try:
            sealer.run(stop)
        finally:
            connection.close()

    thread = threading.Thread(target=seal)
    thread.start()
    assert looked.wait(30)
    stop.set()
    thread.join()
