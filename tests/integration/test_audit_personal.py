"""Personal fields: the log commits to them, a table beside it holds them, and erasing leaves the log as it is."""

from __future__ import annotations

import json
import uuid

import pytest
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client

from audit import chain, commitments, erasure, export, lint, openings, sealer
from audit.events import PERSONAL, PERSONAL_TEXT, Event
from audit.models import Entry, OutboxRow, Personal
from audit.recorder import record
from audit.refusals import Refused
from audit.verifier.check import verify
from parties.actors import SYSTEM
from parties.models import Organization, User
from parties.roles import Role
from parties.services import erase_personal
from tests import factories
from tests.api_calls import Caller

pytestmark = pytest.mark.django_db

ADDRESS = "198.51.100.23"
NAME = "zhang.san-7391"  # nobody's account
BASIS = erasure.Basis.CONSENT_WITHDRAWN


@pytest.fixture(autouse=True)
def _no_attempts_yet():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def administrator(city) -> User:
    return factories.account("admin", city.bureau.organization, Role.MEMBER, Role.ADMINISTRATOR)


def log_in(username: str, password: str = factories.PASSWORD) -> None:
    Client(REMOTE_ADDR=ADDRESS).post("/login/", {"username": username, "password": password})


def newest(act: Event) -> dict:
    """The newest entry of this kind, sealed or waiting."""
    bodies = [*Entry.objects.order_by("seq").values_list("body", flat=True)]
    bodies += OutboxRow.objects.order_by("pk").values_list("body", flat=True)
    return [fields for body in bodies if (fields := json.loads(bytes(body)))["act"] == act][-1]


def erase(who: User, **wanted) -> int:
    return erase_personal(actor=factories.actor(who), **{"fields": ["ip", "name"], "basis": BASIS, **wanted})


def everywhere(needle: bytes) -> list[str]:
    """The columns of all tables in which these bytes stand, as text or as they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN "
            "information_schema.tables t USING (table_schema, table_name) "
            "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
        )
        found = []
        for table, column, kind in cursor.fetchall():
            text = f'"{column}"' if kind == "bytea" else f"convert_to(\"{column}\"::text, 'UTF8')"
            cursor.execute(
                f'SELECT count(*) FROM "{table}" WHERE position(%s::bytea IN {text}) > 0', [needle]
            )
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


# --- Writing ----------------------------------------------------------------------------------------------
def test_log_ins_tokens_and_failures_commit_to_address_and_name(city):
    log_in("enterprise")
    log_in(NAME, "wrong")
    Client(REMOTE_ADDR=ADDRESS).post(
        "/api/token", {"username": "enterprise", "password": factories.PASSWORD}, "application/json"
    )
    Client(REMOTE_ADDR=ADDRESS).post("/api/token", {"username": NAME, "password": "x"}, "application/json")
    for act, values in (
        (Event.LOGIN, {"ip": ADDRESS}),
        (Event.TOKEN_ISSUED, {"ip": ADDRESS}),
        (Event.LOGIN_FAILED, {"ip": ADDRESS, "name": NAME}),
    ):
        entry = newest(act)
        kept = {row.field: row for row in Personal.objects.filter(event_id=entry["id"])}
        assert {field: row.value for field, row in kept.items()} == values
        assert entry["pc"].keys() == values.keys()
        for field, row in kept.items():
            assert commitments.opens(entry["pc"][field], bytes(row.salt), field, row.value)
        assert "x" not in entry
    assert everywhere(ADDRESS.encode()) == everywhere(NAME.encode()) == ["audit_personal.value"]


def test_equal_values_have_unequal_commitments(city):
    log_in(NAME, "wrong")
    first = newest(Event.LOGIN_FAILED)["pc"]
    log_in(NAME, "wrong")
    assert set(first.values()).isdisjoint(newest(Event.LOGIN_FAILED)["pc"].values())


def test_entry_and_value_are_one_transaction(city):
    with transaction.atomic():
        record(Event.LOGIN, actor=SYSTEM, about="account:1", personal={"ip": ADDRESS})
        transaction.set_rollback(True)
    assert not Personal.objects.exists()


def test_only_the_fields_of_an_event_are_taken_and_only_texts_a_database_can_hold(city):
    for event, personal, error in (
        (Event.LOGIN, {"name": "x"}, ValueError),
        (Event.SOURCE_REGISTERED, {"ip": ADDRESS}, ValueError),
        (Event.LOGIN, {"ip": "a\0b"}, chain.NotCanonical),
        (Event.LOGIN, {"ip": "\ud800"}, chain.NotCanonical),
    ):
        with pytest.raises(error), transaction.atomic():
            record(event, actor=SYSTEM, about="account:1", personal=personal)
    assert not Personal.objects.exists()


def test_every_personal_field_has_its_words():
    assert set(PERSONAL) <= set(Event)
    assert {field for fields in PERSONAL.values() for field in fields} == PERSONAL_TEXT.keys()


@pytest.mark.django_db(transaction=True)
def test_personal_data_in_the_clear_fails_the_whole_act():
    @transaction.atomic
    def act() -> None:
        Organization.objects.create(name="x", kind="provider")
        record(Event.REFUSED, actor=SYSTEM, about="-", what="13800138000", code="x")

    with pytest.raises(lint.PersonalData, match=r"x\.what looks like a mobile number") as refused:
        act()
    assert "13800138000" not in str(refused.value)
    with pytest.raises(lint.PersonalData, match="obj looks like"), transaction.atomic():
        record(Event.LOGIN, actor=SYSTEM, about="account:li@example.cn")
    assert not Organization.objects.exists()
    assert not OutboxRow.objects.exists()


def test_a_dataset_cannot_be_named_like_a_telephone(city):
    from catalog.services import Description, create_dataset

    said = Description(title="t", description="d")
    with pytest.raises(Refused) as refused:
        create_dataset(actor=factories.actor(city.power), name="tel_13800138000", description=said)
    assert refused.value.code == "dataset.invalid"


# --- The database's own guards ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_personal SET value = 'x'",
        "UPDATE audit_personal SET salt = salt",
        "DELETE FROM audit_personal",
        "DELETE FROM audit_personal WHERE field = 'ip'",
        "TRUNCATE audit_personal",
        "INSERT INTO audit_personal SELECT event_id, 'more', '\\x00', value FROM audit_personal",
    ],
)
def test_the_database_refuses(city, sql):
    log_in(NAME, "wrong")
    before = sorted(Personal.objects.values_list("field", "value"))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert sorted(Personal.objects.values_list("field", "value")) == before


def test_an_erasure_covers_the_fields_and_ids_it_names_and_no_others(city, administrator):
    log_in(NAME, "wrong")
    log_in("enterprise")
    failed = uuid.UUID(newest(Event.LOGIN_FAILED)["id"])
    erase(administrator, event_ids=[failed], fields=["ip"])
    assert sorted(Personal.objects.values_list("field", "value")) == [("ip", ADDRESS), ("name", NAME)]
    for where in (f"event_id = '{failed}'", "field = 'ip'"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM audit_personal WHERE {where}")


# --- Erasing ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sealed", [True, False])
def test_after_erasure_value_and_salt_are_nowhere_and_the_log_is_as_it_was(city, administrator, sealed):
    log_in(NAME, "wrong")
    salts = [bytes(salt) for salt in Personal.objects.values_list("salt", flat=True)]
    if sealed:
        sealer.seal_all()
    before = newest(Event.LOGIN_FAILED)
    lines = list(export.lines())[:-1]
    assert erase(administrator, event_ids=[uuid.UUID(before["id"])]) == 2
    for secret in (NAME.encode(), ADDRESS.encode(), *salts, *(salt.hex().encode() for salt in salts)):
        assert everywhere(secret) == []
    sealer.seal_all()
    after = newest(Event.LOGIN_FAILED)
    assert after["pc"] == before["pc"]
    assert list(export.lines())[: len(lines)] == lines
    assert verify(export.lines()).ok
    said = newest(Event.ERASED)
    assert said["x"] == {"ids": [before["id"]], "fields": ["ip", "name"], "basis": "consent_withdrawn"}
    assert said["actor"] == str(administrator.uid)
    assert said["_seq"] > after["_seq"]


def test_an_erasure_concerns_the_organizations_its_entries_concern(city, administrator):
    log_in("enterprise")
    erase(administrator, event_ids=[uuid.UUID(newest(Event.LOGIN)["id"])])
    assert newest(Event.ERASED)["cp"] == [str(city.enterprise.organization.uid)]


@pytest.mark.parametrize("sealed", [True, False])
def test_all_that_an_account_left_is_erased_failures_under_its_name_too(city, administrator, sealed):
    log_in("enterprise")
    log_in("Enterprise", "wrong")
    log_in("rival")
    if sealed:
        sealer.seal_all()
    assert erase(administrator, account=city.enterprise.uid) == 3
    [left] = Personal.objects.all()
    assert left.event_id == uuid.UUID(newest(Event.LOGIN)["id"])
    assert newest(Event.LOGIN)["actor"] == str(city.rival.uid)


def test_many_erasures_are_several_entries_of_bounded_length(city, administrator, monkeypatch):
    monkeypatch.setattr(erasure, "IDS_PER_ENTRY", 3)
    for _ in range(7):
        log_in("enterprise")
    assert erase(administrator, account=city.enterprise.uid, fields=["ip"]) == 7
    sealer.seal_all()
    said = [entry.fields["x"]["ids"] for entry in Entry.objects.filter(act=Event.ERASED).order_by("seq")]
    assert [len(ids) for ids in said] == [3, 3, 1]
    assert len({one for ids in said for one in ids}) == 7
    monkeypatch.undo()
    longest = chain.body({"x": {"ids": [str(uuid.uuid4()) for _ in range(erasure.IDS_PER_ENTRY)]}})
    assert len(longest) < chain.MAX_BYTES / 2


def test_nobody_erases_what_the_log_says_of_themselves(city, administrator):
    log_in("admin")
    log_in("admin", "wrong")
    own = [uuid.UUID(newest(act)["id"]) for act in (Event.LOGIN, Event.LOGIN_FAILED)]
    for wanted in ({"event_ids": own[:1]}, {"event_ids": own[1:]}, {"account": administrator.uid}):
        with pytest.raises(Refused) as refused:
            erase(administrator, **wanted)
        assert refused.value.code == "erasure.own"
    assert Personal.objects.count() == 3
    assert erase(city.bureau, account=administrator.uid) == 3


def test_only_the_bureaus_administrators_erase(city, administrator):
    log_in("enterprise")
    approver = factories.account("approver", city.bureau.organization, Role.APPROVER, Role.REVIEWER)
    for who in (city.auditor, city.enterprise, city.power, approver):
        with pytest.raises(Refused) as refused:
            erase(who, account=city.enterprise.uid)
        assert refused.value.code == "role.missing"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"basis": "because"}, "erasure.basis"),
        ({"fields": ["password"]}, "erasure.fields"),
        ({"fields": []}, "erasure.fields"),
        ({"event_ids": [uuid.UUID(int=5)]}, "erasure.nothing"),
        ({"account": uuid.UUID(int=5)}, "erasure.account"),
        ({}, "erasure.nothing"),
    ],
)
def test_what_cannot_be_erased_is_refused_and_erases_nothing(city, administrator, wanted, code):
    log_in("enterprise")
    with pytest.raises(Refused) as refused:
        erase(administrator, **wanted)
    assert refused.value.code == code
    assert Personal.objects.count() == 1


# --- Openings ---------------------------------------------------------------------------------------------
def test_openings_stand_in_the_order_of_the_log_and_open_its_commitments(city, administrator):
    log_in("enterprise")
    log_in(NAME, "wrong")
    log_in("rival")
    sealer.seal_all()
    log_in("enterprise")  # not sealed: it has no number yet
    said = [json.loads(line) for line in openings.lines(opened=True)]
    assert [(one["seq"], one["field"]) for one in said] == sorted((one["seq"], one["field"]) for one in said)
    assert len(said) == 4
    for one in said:
        assert list(one) == sorted(one) == ["field", "id", "salt", "seq", "value"]
        entry = Entry.objects.get(seq=one["seq"]).fields
        assert entry["id"] == one["id"]
        assert commitments.opens(
            entry["pc"][one["field"]], bytes.fromhex(one["salt"]), one["field"], one["value"]
        )
    withheld = [json.loads(line) for line in openings.lines(opened=False)]
    assert withheld == [
        {"field": one["field"], "id": one["id"], "seq": one["seq"], "withheld": True} for one in said
    ]
    erase(administrator, account=city.enterprise.uid)
    sealer.seal_all()
    assert [json.loads(line)["id"] for line in openings.lines(opened=True)] == [one["id"] for one in said[1:]]


def test_who_takes_openings_is_on_record_and_values_are_for_few(city, administrator):
    log_in("enterprise")
    log_in(NAME, "wrong")
    sealer.seal_all()
    inspector = factories.account("inspector", city.enterprise.organization, Role.MEMBER, Role.AUDITOR)
    approver = factories.account("approver", city.bureau.organization, Role.APPROVER)
    for who, values, listed in (
        (city.auditor, 3, 3), (administrator, 3, 3), (approver, None, 3), (inspector, None, 1), (city.power, None, None),
    ):  # fmt: skip
        for number, withheld, what in ((values, False, "opened"), (listed, True, "withheld")):
            answer = Caller(who).get("audit/openings", withheld=withheld)
            assert answer.status_code == (403 if number is None else 200), who
            if number is None:
                continue
            lines = [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]
            assert len(lines) == number
            assert all(("value" in line) != withheld for line in lines)
            said = newest(Event.EXPORTED)
            assert (said["actor"], said["x"]["openings"]) == (str(who.uid), what)
            assert said["x"].get("scope") == (said["org"] if who == inspector else None)
    client = Client()
    client.force_login(city.auditor)
    taken = client.post("/audit/export/", {"form": "openings"})
    assert len(b"".join(taken.streaming_content).splitlines()) == 3
    client.force_login(approver)
    assert client.post("/audit/export/", {"form": "openings"}).status_code == 403


# --- Pages and API ----------------------------------------------------------------------------------------
def page_of(user: User, seq: int):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client, client.get(f"/audit/{seq}/")


def states(page) -> dict[str, str]:
    return {field.name: field.state for field in page.context["personal"]}


def test_an_entry_shows_each_field_to_those_who_may_see_it(city, administrator):
    log_in("enterprise")
    sealer.seal_all()
    seq = Entry.objects.get(act=Event.LOGIN).seq
    inspector = factories.account("inspector", city.enterprise.organization, Role.MEMBER, Role.AUDITOR)
    approver = factories.account("approver", city.bureau.organization, Role.APPROVER)
    for who, state in (
        (city.auditor, "opened"), (administrator, "opened"), (approver, "withheld"), (inspector, "withheld"),
    ):  # fmt: skip
        _client, page = page_of(who, seq)
        assert states(page) == {"ip": state}
        assert (ADDRESS in page.content.decode()) == (state == "opened")
        assert ("/erase/" in page.content.decode()) == (who == administrator)


def test_an_administrator_erases_on_the_page_and_it_then_says_so(city, administrator):
    log_in(NAME, "wrong")
    sealer.seal_all()
    seq = Entry.objects.get(act=Event.LOGIN_FAILED).seq
    client, _page = page_of(administrator, seq)
    address = f"/audit/{seq}/erase/"
    assert client.post(address, {"fields": ["name"], "basis": "nonsense"}).status_code == 400
    assert client.post(address, {"basis": "authority_order"}).status_code == 400
    assert client.get(address).status_code == 405
    assert client.post(address, {"fields": ["name"], "basis": "authority_order"}).status_code == 302
    for _ in range(2):  # while the erasure waits to be sealed, and after
        shown = client.get(f"/audit/{seq}/")
        assert states(shown) == {"ip": "opened", "name": "erased"}
        assert "an authority or a law demands it" in shown.content.decode()
        assert NAME not in shown.content.decode()
        sealer.seal_all()
    client, _page = page_of(city.auditor, seq)
    assert client.post(address, {"fields": ["ip"], "basis": "authority_order"}).status_code == 403


def test_a_value_that_is_gone_without_an_entry_is_told_apart(city):
    log_in(NAME, "wrong")
    sealer.seal_all()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM audit_personal WHERE field = 'ip'")
        cursor.execute("UPDATE audit_personal SET value = 'li.si' WHERE field = 'name'")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    _client, page = page_of(city.auditor, Entry.objects.get(act=Event.LOGIN_FAILED).seq)
    assert states(page) == {"ip": "missing", "name": "wrong"}


def test_an_administrator_sees_why_their_own_fields_stay(city, administrator):
    log_in("admin")
    sealer.seal_all()
    seq = Entry.objects.get(act=Event.LOGIN).seq
    client, page = page_of(administrator, seq)
    assert "Nobody erases what the log says of themselves" in page.content.decode()
    assert (
        client.post(f"/audit/{seq}/erase/", {"fields": ["ip"], "basis": "authority_order"}).status_code == 403
    )


def test_the_api_erases_by_ids_and_by_account(city, administrator):
    log_in("enterprise")
    log_in(NAME, "wrong")
    caller = Caller(administrator)
    one = {"event_ids": [newest(Event.LOGIN_FAILED)["id"]], "fields": ["ip"], "basis": "retention_over"}
    assert caller.post("audit/erasures", one).json() == {"erased": 1}
    all_of_it = {"account": str(city.enterprise.uid), "fields": ["ip", "name"], "basis": "retention_over"}
    assert caller.post("audit/erasures", all_of_it).json() == {"erased": 1}
    assert caller.post("audit/erasures", all_of_it).status_code == 409
    for wrong in (
        {**one, "basis": "x"},
        {**one, "fields": ["x"]},
        {"fields": ["ip"]},
        {**one, "event_ids": ["x"]},
    ):
        assert caller.post("audit/erasures", wrong).status_code == 400
    for who in (city.auditor, city.enterprise):
        assert Caller(who).post("audit/erasures", one).status_code == 403
    assert Caller(None).post("audit/erasures", one).status_code == 401
