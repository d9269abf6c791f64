"""The auditor's pages: who reads the log, what is found in it, verification, export, falsifying a copy."""

from __future__ import annotations

import html
import re
import subprocess
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from audit import export
from audit.events import Event
from audit.models import Entry
from audit.sealer import seal_all
from audit.verifier.check import verify
from dataspace.portal.tampering import Forgery
from dataspace.portal.views import audit as views
from parties.roles import Role
from tests import factories
from tests.computed import submitted

pytestmark = pytest.mark.django_db


@pytest.fixture
def city():
    return factories.city()


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


@pytest.fixture
def client(client, city, contract):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    client.force_login(city.auditor)
    seal_all()
    return client


def text_of(response) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())))


def listed(client, **query: object) -> list[Entry]:
    return [line.entry for line in client.get("/audit/", query).context["lines"]]


# --- Who --------------------------------------------------------------------------------------------------
def test_auditors_and_the_bureaus_deciders_and_administrators_read_the_log(client, city):
    bureau = city.bureau.organization
    may = [
        city.auditor,
        factories.account("a", bureau, Role.APPROVER),
        factories.account("b", bureau, Role.ADMINISTRATOR),
    ]
    may_not = [
        city.enterprise,
        city.power,
        factories.account("c", bureau, Role.MEMBER, Role.SIGNATORY, Role.REVIEWER),
    ]
    for reader, status in [*((r, 200) for r in may), *((r, 403) for r in may_not)]:
        client.force_login(reader)
        for url in ("/audit/", "/audit/1/", "/audit/copy/"):
            assert client.get(url).status_code == status, (reader.username, url)
        assert client.post("/audit/verify/").status_code == status
        assert client.post("/audit/export/").status_code == status


def test_a_visitor_is_led_to_the_log_in(client):
    client.logout()
    for url in ("/audit/", "/audit/1/", "/audit/copy/"):
        assert client.get(url)["Location"].startswith("/login/")


def test_a_refused_export_leaves_no_export_on_record(client, city):
    client.force_login(city.enterprise)
    client.post("/audit/export/")
    seal_all()
    assert not Entry.objects.filter(act=Event.EXPORTED).exists()


# --- The list ---------------------------------------------------------------------------------------------
def test_head_and_backlog_are_shown(client, city, contract):
    submitted(city.enterprise, contract)
    shown = client.get("/audit/").context["log"]
    assert shown.head == export.head()
    assert shown.backlog.waiting == 1
    assert shown.backlog.oldest is not None
    seal_all()
    shown = client.get("/audit/").context["log"]
    assert (shown.backlog.waiting, shown.backlog.oldest) == (0, None)


def test_ids_are_shown_with_the_names_behind_them(client, city, contract):
    said = text_of(client.get("/audit/"))
    assert city.enterprise.organization.name in said
    assert "Electricity" in said
    assert reverse("portal:contract", args=[contract.uid]) in client.get("/audit/").content.decode()


def test_entries_are_found_by_event_organization_account_object_and_time(client, city, contract):
    signed = listed(client, event="contract.signed")
    assert {e.act for e in signed} == {"contract.signed"}
    assert len(signed) == 3
    ours = listed(client, organization=str(city.power.organization.uid))
    assert ours
    assert {e.org for e in ours} == {str(city.power.organization.uid)}
    by_name = listed(client, actor="power")
    assert by_name == listed(client, actor=str(city.power.uid))
    assert {e.actor for e in by_name} == {str(city.power.uid)}
    about = listed(client, object=contract.audit_ref)
    assert about == listed(client, object=str(contract.uid))
    assert {e.obj for e in about} == {contract.audit_ref}
    later = timezone.localtime() + timedelta(hours=1)
    assert not listed(client, since=f"{later:%Y-%m-%dT%H:%M}")
    assert listed(client, until=f"{later:%Y-%m-%dT%H:%M}")


def test_a_filter_that_cannot_be_understood_finds_nothing_instead_of_everything(client):
    for query in ({"event": "nonsense"}, {"organization": "nonsense"}, {"since": "yesterday"}):
        assert listed(client, **query) == []


def test_pages_go_by_number_so_that_a_growing_log_does_not_shift_them(client, monkeypatch):
    monkeypatch.setattr("dataspace.portal.log_reading.PAGE", 5)
    first = client.get("/audit/").context["page"]
    assert [e.seq for e in first.entries] == list(range(first.entries[0].seq, first.entries[0].seq - 5, -1))
    second = client.get("/audit/", {"before": first.older}).context["page"]
    assert second.entries[0].seq == first.entries[-1].seq - 1
    back = client.get("/audit/", {"after": second.newer}).context["page"]
    assert [e.seq for e in back.entries] == [e.seq for e in first.entries]
    last = client.get("/audit/", {"before": 3}).context["page"]
    assert [e.seq for e in last.entries] == [2, 1, 0]
    assert last.older is None


def test_the_list_asks_the_database_a_fixed_number_of_times(client, django_assert_max_num_queries):
    client.get("/audit/")
    with django_assert_max_num_queries(16):
        client.get("/audit/")


# --- One entry --------------------------------------------------------------------------------------------
def test_an_entry_can_be_checked_by_hand_with_the_command_it_shows(client):
    for entry in Entry.objects.order_by("-seq")[:5]:
        shown = client.get(f"/audit/{entry.seq}/")
        command = shown.context["command"]
        printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
        assert printed.split()[0] == entry.leaf_hex == shown.context["computed"]
        later = Entry.objects.filter(seq=entry.seq + 1).first()
        assert shown.context["next_prev"] == (bytes(later.prev).hex() if later else "")


def test_the_bytes_on_the_page_are_those_that_were_hashed(client):
    entry = Entry.objects.order_by("-seq")[0]
    shown = client.get(f"/audit/{entry.seq}/").content.decode()
    assert html.escape(bytes(entry.body).decode(), quote=True) in shown


def test_an_entry_that_does_not_exist_is_not_found(client):
    assert client.get("/audit/999999/").status_code == 404
    assert client.get("/audit/99999999999999999999999/").status_code == 404


# --- Verification -----------------------------------------------------------------------------------------
def test_the_log_is_verified_while_the_reader_waits(client):
    head = export.head()
    for headers in ({}, {"HX-Request": "true"}):
        report = client.post("/audit/verify/", {"head": head.leaf}, headers=headers).context["report"]
        assert report.ok
        assert (report.entries, report.head) == (head.entries, head.leaf)


def test_a_head_that_the_log_does_not_contain_is_told(client):
    shown = client.post("/audit/verify/", {"head": "ab" * 32})
    assert shown.context["report"].finding.code == "head_unknown"
    assert client.post("/audit/verify/", {"head": "short"}).context.get("report") is None


def test_a_row_changed_behind_the_triggers_is_found_and_named(client):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_hash")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), %s, %s), 'UTF8') WHERE seq = 4",
            ['"out":"ok"', '"out":"no"'],
        )
        assert cursor.rowcount == 1
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    shown = client.post("/audit/verify/")
    assert shown.context["report"].finding.seq == 4
    assert '<a href="/audit/4/">' in shown.content.decode()
    entry = client.get("/audit/4/")
    assert entry.context["computed"] != entry.context["entry"].leaf_hex
    assert "worked out anew: another" in text_of(entry)


def test_a_log_too_long_to_wait_for_is_verified_from_an_export(client, monkeypatch):
    monkeypatch.setattr(views, "IN_REQUEST", 3)
    assert "python -m audit.verifier audit-log.jsonl --head" in text_of(client.get("/audit/"))
    assert client.post("/audit/verify/").context.get("report") is None
    assert client.post("/audit/copy/", {"seq": 1, "forgery": "change"}).context.get("report") is None


# --- Export -----------------------------------------------------------------------------------------------
def test_an_export_is_whole_and_on_record(client, city):
    before = export.head()
    response = client.post("/audit/export/")
    lines = b"".join(response.streaming_content).splitlines()
    assert response["Content-Disposition"] == f'attachment; filename="audit-log-{before.entries}.jsonl"'
    assert verify(lines, expected_heads=[before.leaf]).ok
    seal_all()
    entry = Entry.objects.get(act=Event.EXPORTED)
    assert entry.actor == str(city.auditor.uid)
    assert entry.fields["x"] == {"entries": before.entries, "head": before.leaf}


def test_an_export_is_not_taken_by_following_a_link(client):
    assert client.get("/audit/export/").status_code == 405


# --- Falsifying a copy ------------------------------------------------------------------------------------
@pytest.mark.parametrize("forgery", Forgery)
def test_a_falsified_copy_is_found_and_the_log_stays_as_it_is(client, forgery):
    before = list(export.lines())
    shown = client.post("/audit/copy/", {"seq": 5, "forgery": forgery})
    if forgery in (Forgery.REWRITE, Forgery.CUT):
        assert shown.context["report"].ok
        assert "does not contain the head" in shown.context["with_head"]
    else:
        assert shown.context["report"].finding.seq in (5, 6)
    assert list(export.lines()) == before
    seal_all()
    assert list(export.lines()) == before


@pytest.mark.parametrize(
    "asked",
    [
        {"seq": 10**6, "forgery": "change"},
        {"seq": -1, "forgery": "change"},
        {"seq": 1, "forgery": "burn"},
        {},
    ],
)
def test_a_forgery_that_cannot_be_done_is_not_tried(client, asked):
    assert client.post("/audit/copy/", asked).context.get("report") is None
