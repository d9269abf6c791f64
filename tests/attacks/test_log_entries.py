"""A hostile application role at `audit_emit`: it cannot stop the sealer, spoil the log, or write in another's name."""

from __future__ import annotations

import json
import unicodedata
import uuid
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from audit import chain, comparison, erasure, export, sealer
from audit.events import Event
from audit.models import Entry, OutboxRow, Personal, Trouble
from audit.recorder import record
from audit.transparency import keys, proofs
from audit.verifier.check import Known, check, verify
from parties.actors import SYSTEM
from parties.roles import Role
from tests import factories
from tests.log_world import ed25519
from tests.published import some

pytestmark = pytest.mark.django_db


def body(**change: Any) -> dict[str, Any]:
    told = {
        "act": "account.login", "actor": "system:worker", "id": str(uuid.uuid4()), "obj": "account:1", "org": "", "out": "ok",
        "t": 1_790_000_000_000_000, "v": 1,
    }  # fmt: skip
    return {name: value for name, value in (told | change).items() if value is not None}


def plain(told: dict[str, Any]) -> bytes:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def emit(raw: bytes, event_id: str | None = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_emit(%s, %s)", [event_id or str(uuid.uuid4()), raw])


def emit_as_it_says(raw: bytes) -> None:
    emit(raw, json.loads(raw)["id"])


def works_on() -> None:
    """What is honest is sealed, and a verifier takes all of it."""
    before = Entry.objects.count()
    some(3)
    sealer.seal_all()
    assert Entry.objects.count() >= before + 3
    report = verify(export.lines())
    assert report.ok, report.finding


# --- What the sealer leaves where it is ---------------------------------------------------------------------
NO_BODIES = {
    "nothing": b"", "no JSON": b"x", "half of it": b'{"act":"x"', "not UTF-8": b'{"act":"\xff"}', "a list": b"[]", "a text": b'"x"',
    "an empty object": b"{}", "no act first": b'{"a":1}', "a zero": b'{"act":"\\u0000"}', "a raw zero": b'{"act":"\0"}',
    "a bomb of brackets": b'{"act":"x","x":' + b"[" * 100_000,
}  # fmt: skip


def refused(raw: bytes) -> Trouble:
    """It stays where it is, and is told."""
    assert [bytes(row.body) for row in OutboxRow.objects.all()] == [raw]
    return Trouble.objects.get(code="sealing.refused")


@pytest.mark.parametrize("what", NO_BODIES)
def test_what_is_no_json_is_not_sealed_and_holds_up_nobody(what):
    some(2)
    emit(NO_BODIES[what])
    works_on()
    assert refused(NO_BODIES[what]).facts["number"] == 1
    assert not any(comparison.compare(model).number for model in comparison.recorded_models())
    administrator = factories.account("a", factories.organization("bureau", "o"), Role.ADMINISTRATOR)
    with transaction.atomic():
        record(
            Event.LOGIN, actor=factories.actor(administrator), about="account:x", personal={"ip": "192.0.2.1"}
        )
    with transaction.atomic():
        assert (
            erasure.erase(actor=SYSTEM, account=str(administrator.uid), fields=["ip"], basis="retention_over")
            == 1
        )


@pytest.mark.parametrize(
    "change",
    [{"_prev": "0" * 64}, {"_seq": 7}, {"act": "log.init"}, {"id": str(uuid.UUID(int=1))}, {"id": None}, {"actor": None},
     {"out": None}, {"t": None}, {"org": None}, {"v": None}, {"obj": None}, {"act": 7}],
    ids=str,
)  # fmt: skip
def test_a_body_that_lies_about_its_place_or_its_id_is_not_sealed(change):
    raw = plain(body(**change))
    emit(raw)
    works_on()
    refused(raw)


def test_an_event_id_is_used_once_whoever_writes():
    told = body()
    emit_as_it_says(plain(told))
    with pytest.raises(DatabaseError):
        emit_as_it_says(plain(told))
    sealer.seal_all()
    emit_as_it_says(plain(told))
    works_on()
    refused(plain(told))
    assert Entry.objects.filter(event_id=told["id"]).count() == 1


@pytest.mark.parametrize("ids", [[str(uuid.UUID(int=7))], ["x"], "x", [None], [str(uuid.uuid4())] * 3])
def test_an_erasure_of_what_is_not_there_is_not_sealed(ids):
    raw = plain(body(act="log.erased", x={"ids": ids, "fields": ["ip"], "basis": "x"}))
    emit_as_it_says(raw)
    works_on()
    refused(raw)


POISON: dict[str, bytes] = {
    "70 KB": plain(body(x={"a": "x" * 70_000})),
    "blanks": plain(body()).replace(b'":"', b'": "').replace(b'"act": "', b'"act":"'),
    "keys not in order": plain(body())[:-1] + b',"cp":["a"]}',
    "a key twice": plain(body()).replace(b'"v":1', b'"v":1,"v":1'),
    "a fraction": plain(body()).replace(b'"v":1', b'"v":1.0'),
    "an escaped letter": plain(body()).replace(b"account:1", b"\\u0061ccount:1"),
    "another form of a letter": plain(body(x={"a": unicodedata.normalize("NFD", "é")})),
    "a number beyond all": plain(body(t=2**53)),
    "a negative time": plain(body(t=-1)),
    "an act as long as a book": plain(body(act="a" * 1000)),
    "an actor as long as a book": plain(body(actor="a" * 1000)),
    "an object as long as a book": plain(body(obj="account:" + "a" * 199)),
    "an organization as long as a book": plain(body(org="o" * 99)),
    "two organizations in one": plain(body(cp=["org-a,org-b"])),
    "an unknown field": plain(body(extra=1)),
    "no outcome of ours": plain(body(out="maybe")),
    "another version": plain(body(v=2)),
    "no commitment": plain(body(pc={"ip": "192.0.2.1"})),
    "erases nothing": plain(body(act="log.erased", x={"ids": [], "fields": [], "basis": ""})),
    "erases in no words": plain(body(act="log.erased")),
}  # fmt: skip


@pytest.mark.parametrize("what", POISON)
def test_what_a_verifier_would_not_take_is_not_sealed_and_holds_up_nobody(what):
    sealer.seal_all()
    some(2)
    emit_as_it_says(POISON[what])
    works_on()
    assert [bytes(row.body) for row in OutboxRow.objects.all()] == [POISON[what]]
    trouble = Trouble.objects.get()
    assert trouble.code == "sealing.refused"
    assert trouble.facts["id"] == json.loads(POISON[what])["id"]


def test_more_poison_than_a_batch_takes_does_not_starve_the_rest(monkeypatch):
    monkeypatch.setattr(sealer, "BATCH", 5)
    for _ in range(23):
        emit_as_it_says(plain(body(v=2)))
    some(4)
    refused = sealer.Refused()
    sealed = [sealer.seal_batch(5, refused) for _ in range(8)]
    assert sum(sealed) == 5  # and the opening entry
    assert len(refused.reasons) == 23
    assert Trouble.objects.get().facts["number"] == 23
    assert verify(export.lines()).ok


def test_poison_in_the_outbox_does_not_stop_what_else_reads_there():
    city = factories.city()
    with transaction.atomic():
        record(
            Event.LOGIN,
            actor=factories.actor(city.enterprise),
            about="account:1",
            personal={"ip": "192.0.2.7"},
        )
    emit_as_it_says(plain(body(act="log.erased")))
    emit_as_it_says(plain(body(x={"a": "x" * 70_000})))
    with transaction.atomic():
        assert (
            erasure.erase(
                actor=SYSTEM, account=str(city.enterprise.uid), fields=["ip"], basis="retention_over"
            )
            == 1
        )
    works_on()


# --- What it can write ---------------------------------------------------------------------------------------
def test_a_value_leaves_only_with_an_erasure_that_says_so_at_the_top():
    """Not with an entry of another kind that only holds the words of one."""
    with transaction.atomic():
        event_id = record(Event.LOGIN, actor=SYSTEM, about="account:1", personal={"ip": "192.0.2.7"})
    hidden = {"act": "log.erased", "ids": [str(event_id)], "fields": ["ip"], "basis": "x"}
    emit_as_it_says(plain(body(act="refused", x=hidden)))
    with pytest.raises(DatabaseError), transaction.atomic():
        Personal.objects.filter(event_id=event_id).delete()
    assert Personal.objects.filter(event_id=event_id).exists()


@pytest.mark.parametrize("signed", [None, "", "— audit.test/log AAAAAAAAAAAA\n", "x"])
def test_entries_about_keys_from_the_outside_neither_stop_nor_change_the_signing(
    published_log, tmp_path, signed
):
    first = published_log.publish(3)
    ours = published_log.public_keys()
    thief = ed25519(settings.AUDIT_ORIGIN, "thief").vkey
    for act, vkey in (("log.key_added", thief), ("log.key_retired", ours[0].vkey), ("log.key_retired", ours[1].vkey),
                      ("log.key_added", ours[0].vkey), ("log.key_added", "x"), ("log.key_retired", "x")):  # fmt: skip
        x = {"vkey": vkey} | ({} if signed is None else {"signed": signed})
        emit_as_it_says(plain(body(act=act, x=x)))
    published = published_log.publish(3)
    assert published.size > first.size
    assert set(published.note.signers(ours)) == set(ours)
    with (tmp_path / "log").open("wb") as file:
        export.write(file)
    export.folder(tmp_path / "folder")
    for path in (tmp_path / "log", tmp_path / "folder"):
        for key in ours:
            report = check(path, Known(keys=(key,)))
            assert report.ok, report.finding
            assert thief not in [signer.vkey for signer in report.signers]
    assert len(proofs.View().handovers()) == 2


def test_a_forged_retirement_does_not_stand_in_the_way_of_the_true_one(published_log, tmp_path):
    """Written first by somebody else, it must not keep the operator from ending a key for good."""
    published_log.publish(3)
    folder = published_log.checkpointer.keys
    old = next(one for one in folder.all() if one.kind == "ed25519")
    emit_as_it_says(plain(body(act="log.key_retired", x={"vkey": old.vkey})))
    published_log.publish(1)
    new = keys.add_key(folder, "ed25519", actor=keys.CHECKPOINTER)
    published_log.publish(1)
    keys.retire_key(folder, old.id, published_log.newest().size, actor=keys.CHECKPOINTER)
    published_log.publish(1)
    published_log.publish(1)
    said = [e.fields["x"].get("signed") for e in Entry.objects.filter(act="log.key_retired").order_by("seq")]
    assert said[0] is None
    assert said[1]
    with (tmp_path / "log").open("wb") as file:
        export.write(file)
    report = check(tmp_path / "log", Known(keys=(old.key,)))
    assert report.ok, report.finding
    assert new.vkey in [signer.vkey for signer in report.signers]
    assert old.vkey not in [signer.vkey for signer in report.signers]


def test_a_body_as_the_recorder_makes_it_is_taken():
    emit_as_it_says(chain.body(body(x={"note": "a\n\u0301 你好"})))
    works_on()
    assert not OutboxRow.objects.exists()
