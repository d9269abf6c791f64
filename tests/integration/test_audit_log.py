"""P3 no change without a record; the database's own guards; the sealer under load and kill."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from audit import chain, export, sealer
from audit.events import PAYLOAD, TEXT, Event
from audit.models import Entry, OutboxRow
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from audit.verifier.check import verify
from parties.actors import SYSTEM
from parties.models import Organization

pytestmark = pytest.mark.django_db


def some(count: int) -> None:
    with transaction.atomic():
        for i in range(count):
            record(Event.LOGIN, actor=SYSTEM, about=f"account:{i}")


def test_recorded_entries_are_sealed_and_verify():
    some(25)
    assert sealer.seal_all() == 26  # and the opening entry
    report = verify(export.lines())
    assert report.ok
    assert report.entries == 26
    assert not OutboxRow.objects.exists()


def test_batches_continue_one_chain():
    for _ in range(3):
        some(2)
        sealer.seal_batch()
    assert verify(export.lines()).entries == 7


@pytest.mark.django_db(transaction=True)
def test_nothing_is_recorded_outside_a_transaction():
    with pytest.raises(RuntimeError):
        record(Event.LOGIN, actor=SYSTEM, about="account:1")


def test_an_unknown_payload_key_is_refused():
    with pytest.raises(ValueError, match="no payload key"), transaction.atomic():
        record(Event.LOGIN, actor=SYSTEM, about="account:1", secret="x")


def test_every_event_has_words_and_every_payload_belongs_to_an_event():
    assert set(TEXT) == set(Event)
    assert set(PAYLOAD) <= set(Event)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET actor = 'x' WHERE seq = 1",
        "DELETE FROM audit_entry WHERE seq = 1",
        "DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)",
        "TRUNCATE audit_entry CASCADE",
        "UPDATE audit_outbox SET body = '\\x00'",
        "DELETE FROM audit_outbox",
        "TRUNCATE audit_outbox",
        "INSERT INTO audit_entry (seq,prev,leaf,body,event_id,act,actor,org,obj,at) SELECT seq+1000,prev,leaf,body,gen_random_uuid(),act,actor,org,obj,at FROM audit_entry WHERE seq=1",
    ],
)
def test_the_database_refuses(sql):
    some(3)
    sealer.seal_all()
    some(1)
    before = export.head()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert export.head() == before
    assert OutboxRow.objects.count() == 1


@pytest.mark.parametrize("wrong", ["leaf", "prev", "gap", "fork"])
def test_the_database_refuses_a_false_link(wrong):
    some(3)
    sealer.seal_all()
    last, before = Entry.objects.order_by("-seq")[:2]
    seq, prev = last.seq + 1, bytes(last.leaf)
    if wrong == "gap":
        seq += 1
    if wrong == "fork":
        prev = bytes(before.leaf)
    body = chain.seal(b"\x07" * 32 if wrong == "prev" else prev, seq, chain.body({"a": 1}))
    leaf = b"\x01" * 32 if wrong == "leaf" else chain.leaf(body)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entry (seq,prev,leaf,body,event_id,act,actor,org,obj,at) VALUES (%s,%s,%s,%s,%s,'','','','',now())",
            [seq, prev, leaf, body, uuid.uuid4()],
        )


class Thing:
    audit_ref = "thing:1"


@use_case("thing.do", about="thing")
def _do(*, actor, thing, refuse):
    Organization.objects.create(name="made by the refused work", kind="provider")
    if refuse:
        raise Refused("thing.no", "not like this")


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_recorded_and_the_refused_work_is_gone():
    with pytest.raises(Refused):
        _do(actor=SYSTEM, thing=Thing(), refuse=True)
    sealer.seal_all()
    assert not Organization.objects.exists()
    entry = Entry.objects.get(act=Event.REFUSED)
    assert entry.fields["x"] == {"what": "thing.do", "code": "thing.no"}
    assert entry.obj == "thing:1"


@pytest.mark.django_db(transaction=True)
def test_services_are_not_nested():
    @use_case("outer", about="thing")
    def outer(*, actor, thing):
        _do(actor=actor, thing=thing, refuse=False)

    with pytest.raises(RuntimeError):
        outer(actor=SYSTEM, thing=Thing())


@pytest.mark.django_db(transaction=True)
def test_if_the_entry_cannot_be_written_the_work_is_not_done(monkeypatch):
    def broken(*_args, **_kwargs):
        raise chain.NotCanonical("disk full, say")

    @use_case("thing.do", about="thing")
    def work(*, actor, thing):
        Organization.objects.create(name="x", kind="provider")
        record(Event.LOGIN, actor=actor, about="a:1")

    monkeypatch.setattr(chain, "body", broken)
    with pytest.raises(chain.NotCanonical):
        work(actor=SYSTEM, thing=Thing())
    assert not Organization.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_lose_nothing_and_never_fork():
    """Eight writers with open transactions and rollbacks against a running sealer."""
    committed: list[int] = []

    def write(number: int) -> None:
        try:
            for i in range(20):
                try:
                    with transaction.atomic():
                        record(Event.LOGIN, actor=SYSTEM, about=f"account:{number}-{i}")
                        time.sleep(0.001 * (i % 5))
                        if i % 10 == 9:
                            raise InterruptedError  # noqa: TRY301
                    committed.append(1)
                except InterruptedError:
                    pass
        finally:
            connection.close()

    stop = threading.Event()

    def seal() -> None:
        try:
            sealer.run(stop)
        finally:
            connection.close()

    sealing = threading.Thread(target=seal)
    sealing.start()
    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    sealing.join()
    sealer.seal_all()
    report = verify(export.lines())
    assert report.ok
    assert report.entries == len(committed) + 1 == 8 * 18 + 1


@pytest.mark.django_db(transaction=True)
def test_a_second_sealer_is_kept_out():
    stop, started = threading.Event(), threading.Event()

    def seal() -> None:
        try:
            started.set()
            sealer.run(stop)
        finally:
            connection.close()

    first = threading.Thread(target=seal)
    first.start()
    started.wait()
    time.sleep(0.2)
    with pytest.raises(sealer.SealerBusy):
        sealer.run(threading.Event())
    stop.set()
    first.join()
