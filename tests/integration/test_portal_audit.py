"""The auditor's pages: who reads the log, what is found in it, verification, export, falsifying a copy."""

from __future__ import annotations

import html
import io
import re
import subprocess
import tarfile
from base64 import b64decode, b64encode
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from audit import export
from audit.events import Event
from audit.models import Entry, Trouble
from audit.sealer import seal_all
from audit.transparency import proofs
from audit.verifier import tree
from audit.verifier.check import check, verify
from audit.verifier.known import Known
from dataspace.portal import verifying
from dataspace.portal.tampering import Forgery
from parties.roles import Role
from tests import factories
from tests.computed import submitted
from tests.published import some

pytestmark = pytest.mark.django_db


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
        assert client.post("/audit/export/", {"form": "lines"}).status_code == status


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
    with django_assert_max_num_queries(20):
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
def steps(client, **asked: object):
    """Every answer from the first to the one that needs no further step."""
    answers = [client.post("/audit/verify/", asked)]
    while not answers[-1].context["verification"].done:
        answers.append(client.post("/audit/verify/", {"state": answers[-1].context["verification"].token}))
    return answers


def verdict(client, **asked: object):
    return steps(client, **asked)[-1].context["verification"].report


def test_the_log_is_verified_step_by_step_while_the_reader_waits(client, monkeypatch):
    monkeypatch.setattr(verifying, "STEP", 7)
    head = export.head()
    for headers in ({}, {"HX-Request": "true"}):
        client.defaults |= {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()
        }
        answers = steps(client, head=head.leaf)
        read = [answer.context["verification"].reading.entries for answer in answers]
        assert read == [*range(7, head.entries, 7), head.entries]
        assert f'max="{head.entries}"' in answers[0].content.decode()
        report = answers[-1].context["verification"].report
        assert report.ok
        assert (report.entries, report.head) == (head.entries, head.leaf)
        assert "The head you noted is in it." in text_of(answers[-1])


def test_the_newest_checkpoint_is_held_against_the_entries(client, published_log):
    size = published_log.publish(3).size
    seal_all()
    report = verdict(client)
    assert report.ok
    assert (report.size, {one.algorithm for one in report.signers}) == (size, {"Ed25519", "SM2/SM3"})
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE audit_checkpoint SET root = sha256('x'), note = %s", [forged_note(published_log)]
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert verdict(client).finding.code == "signature"


def forged_note(published_log) -> bytes:
    """The published checkpoint with another root in it."""
    note = published_log.newest()
    root = b64encode(note.root)
    return note.raw.replace(root, b64encode(bytes(32)))


def test_a_head_that_the_log_does_not_contain_is_told(client):
    assert verdict(client, head="ab" * 32).finding.code == "head_unknown"
    assert client.post("/audit/verify/", {"head": "short"}).context.get("verification") is None


def test_a_reading_that_was_tampered_with_or_is_old_begins_again(client, monkeypatch):
    monkeypatch.setattr(verifying, "STEP", 7)
    token = client.post("/audit/verify/").context["verification"].token
    for state in (token[:-1] + ("A" if token[-1] != "A" else "B"), "", "nonsense"):
        assert "Begin again" in text_of(client.post("/audit/verify/", {"state": state}))
    monkeypatch.setattr(verifying, "_LIFETIME", -1)
    assert "Begin again" in text_of(client.post("/audit/verify/", {"state": token}))


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
    shown = steps(client)[-1]
    assert shown.context["verification"].report.finding.seq == 4
    assert '<a href="/audit/4/">' in shown.content.decode()
    entry = client.get("/audit/4/")
    assert entry.context["computed"] != entry.context["entry"].leaf_hex
    assert "worked out anew: another" in text_of(entry)


# --- Checkpoints and proofs -------------------------------------------------------------------------------
def test_the_strip_shows_what_each_checkpoint_signed_and_what_is_not_signed_yet(client, published_log):
    assert "Nothing is signed yet" in text_of(client.get("/audit/"))
    sizes = [published_log.publish(n).size for n in (1, 2, 3)]
    some(4)
    seal_all()
    strip = client.get("/audit/").context["strip"]
    assert [block.last + 1 for block in strip.blocks] == sizes
    assert [block.first for block in strip.blocks] == [0, *sizes[:-1]]
    assert strip.unsigned == 4
    assert listed(client, before=strip.blocks[1].last + 1)[0].seq == strip.blocks[1].last


def test_what_keeps_the_log_from_being_signed_stands_on_the_page(client):
    Trouble.objects.create(code="quorum.missing", facts={"size": 12})
    assert "The checkpoint over 12 entries waits for witnesses" in text_of(client.get("/audit/"))


def test_each_entry_comes_with_its_proof_once_it_is_signed(client, published_log, tmp_path):
    assert "No checkpoint of the log is published yet" in text_of(client.get("/audit/3/"))
    assert client.get("/audit/3/proof/").status_code == 409
    size = published_log.publish(3).size
    entry = Entry.objects.get(seq=3)
    shown = client.get("/audit/3/").context["proof"]
    tree.check_inclusion(
        3, size, bytes(entry.leaf), [b64decode(one) for one in shown.siblings], shown.checkpoint.root
    )
    assert client.get("/audit/3/proof/").content == proofs.View().tlog_proof(3)
    assert client.get("/audit/999/proof/").status_code == 404


# --- Export -----------------------------------------------------------------------------------------------
def test_an_export_is_whole_and_on_record(client, city):
    before = export.head()
    response = client.post("/audit/export/", {"form": "lines"})
    lines = b"".join(response.streaming_content).splitlines()
    assert response["Content-Disposition"] == 'attachment; filename="audit-log.jsonl"'
    assert verify(lines, expected_heads=[before.leaf]).ok
    seal_all()
    entry = Entry.objects.get(act=Event.EXPORTED)
    assert entry.actor == str(city.auditor.uid)
    assert entry.fields["x"] == {"entries": before.entries, "head": before.leaf}


def test_the_folder_and_the_own_entries_are_taken_and_verified(client, city, published_log, tmp_path):
    published_log.publish(3)
    with tarfile.open(
        fileobj=io.BytesIO(b"".join(client.post("/audit/export/", {"form": "folder"}).streaming_content))
    ) as tar:
        tar.extractall(tmp_path, filter="data")
    keys = tuple(published_log.public_keys())
    assert check(tmp_path / "audit-log", Known(keys=keys)).ok
    inspector = factories.account("inspector", city.enterprise.organization, Role.AUDITOR)
    client.force_login(inspector)
    for form in ("lines", "folder", "openings"):
        assert client.post("/audit/export/", {"form": form}).status_code == 403
    own = tmp_path / "own.jsonl"
    own.write_bytes(b"".join(client.post("/audit/export/", {"form": "own"}).streaming_content))
    report = check(own, Known(keys=keys))
    assert report.ok, report.finding
    assert report.scope == str(inspector.organization.uid)
    assert report.entries == own.read_bytes().count(b'{"entry":') > 0
    assert client.post("/audit/export/", {"form": "all"}).status_code == 400
    seal_all()
    assert Entry.objects.filter(act=Event.EXPORTED).first().fields["x"]["scope"] == report.scope


def test_an_export_is_not_taken_by_following_a_link(client):
    assert client.get("/audit/export/").status_code == 405


# --- Falsifying a copy ------------------------------------------------------------------------------------
@pytest.mark.parametrize("forgery", Forgery)
def test_a_falsified_copy_is_found_and_the_log_stays_as_it_is(client, forgery):
    before = list(export.lines())
    shown = client.post("/audit/copy/", {"seq": 5, "forgery": forgery})
    found = [finding is not None for _label, finding, _words in shown.context["defences"]]
    gets_past = {Forgery.CUT: 1, Forgery.REWRITE: 1, Forgery.RESIGN: 2}.get(forgery, 0)
    assert found == [False] * gets_past + [True] * (3 - gets_past)
    assert list(export.lines()) == before
    seal_all()
    assert list(export.lines()) == before


def test_a_log_too_long_to_be_copied_while_one_waits_is_not(client, monkeypatch):
    monkeypatch.setattr("dataspace.portal.log_reading.COPIED", 3)
    shown = client.post("/audit/copy/", {"seq": 1, "forgery": "change"})
    assert shown.context.get("defences") is None
    assert "too long to be copied" in text_of(shown)


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
    assert client.post("/audit/copy/", asked).context.get("defences") is None
