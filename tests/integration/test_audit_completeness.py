"""Nothing is missing from the log: whatever was done to rows or entries behind our back, the comparison finds it."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit import comparison, reconciliation, sealer, tasks
from audit.actors import CONSOLE
from audit.events import Event
from audit.models import Entry, Reconciliation
from audit.reconciliation import reconcile
from catalog.models import Dataset
from catalog.services import Description, change_dataset
from parties.models import Organization
from parties.roles import Role
from tests import factories
from tests.worlds import busy_city

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def city() -> factories.City:
    return busy_city()


def sql(text: str) -> int:
    """As somebody at the database's console, who knows how to put its guards to sleep."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(text)
        touched = cursor.rowcount
        cursor.execute("SET session_replication_role = DEFAULT")
    return touched


def found() -> list[tuple[str, str]]:
    outcome = reconcile(actor=CONSOLE)
    assert outcome.number == len(outcome.findings) - (not outcome.whole)
    return sorted((finding.code, finding.kind) for finding in outcome.findings)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_healthy_space_has_no_findings(city, sealed):
    if sealed:
        sealer.seal_all()
    outcome = reconcile(actor=CONSOLE)
    assert outcome.ok
    assert outcome.findings == ()
    assert dict(outcome.rows) == {model.KIND: model.objects.count() for model in comparison.recorded_models()}
    assert min(dict(outcome.rows).values()) > 0


# --- Damage -----------------------------------------------------------------------------------------------
DAMAGE = {
    "a contract is put in force again": (
        "UPDATE contracts_contract SET state = 'active' WHERE state = 'suspended'", [("state", "contract")]),
    "a request is granted by hand": (
        "UPDATE contracts_accessrequest SET state = 'granted' WHERE state = 'declined'", [("state", "request")]),
    "a listed dataset is a draft again, under a later change": (
        "UPDATE catalog_dataset SET state = 'draft' WHERE name = 'electricity'", [("state", "dataset")]),
    "a version is unpublished": (
        "UPDATE catalog_version SET state = 'checked' WHERE id = (SELECT min(id) FROM catalog_version)", [("state", "version")]),
    "a decision is turned round": (
        "UPDATE contracts_decision SET outcome = '', reason = '', decided = NULL, decided_by_id = NULL WHERE outcome = 'decline'",
        [("state", "decision")]),
    "a signature is taken back": (
        "UPDATE contracts_signature SET key_id = NULL, value = NULL, signed = NULL, signed_by_id = NULL WHERE id = (SELECT min(id) FROM contracts_signature)",
        [("state", "signature")]),
    "a row is changed under an id of its own": (
        "UPDATE parties_organization SET name = 'x', event_id = gen_random_uuid() WHERE kind = 'auditor'",
        [("no_entry", "organization")]),
    "an account is put in": (
        ("INSERT INTO parties_user (event_id, uid, username, password, first_name, last_name, email, full_name, is_superuser, is_staff, is_active, date_joined) "
        "VALUES (gen_random_uuid(), gen_random_uuid(), 'ghost', 'x', '', '', '', '', true, true, true, now())"),
        [("no_entry", "account")]),
    "a run takes another run's entry": (
        "UPDATE sandbox_run SET event_id = (SELECT event_id FROM sandbox_run WHERE state = 'released') WHERE state = 'queued'",
        [("other_entry", "run")]),
    "two contracts swap their ids": (
        ("UPDATE contracts_contract c SET event_id = o.event_id FROM contracts_contract o "
        "WHERE (c.state, o.state) IN (('active', 'suspended'), ('suspended', 'active'))"),
        [("other_entry", "contract")] * 2),
    "two decisions on one request swap their ids": (
        ("UPDATE contracts_decision d SET event_id = o.event_id FROM contracts_decision o WHERE o.request_id = d.request_id "
        "AND o.id <> d.id AND d.outcome = 'grant' AND o.outcome = 'grant' AND d.request_id = (SELECT min(id) FROM contracts_accessrequest)"),
        [("other_entry", "decision")] * 2),
    "a row is set back to an earlier entry": (
        ("UPDATE contracts_contract SET state = 'active', event_id = (SELECT event_id FROM audit_entry WHERE act = 'contract.activated' "
        "AND obj = 'contract:' || contracts_contract.uid) WHERE state = 'suspended'"),
        [("older", "contract")]),
    "a run is not there": (
        "DELETE FROM sandbox_run WHERE state = 'queued'", [("no_row", "run")]),
    "a release is not there": (
        "DELETE FROM sandbox_release", [("no_row", "release")]),
    "a signing key is not there": (
        "DELETE FROM parties_signingkey WHERE organization_id = (SELECT id FROM parties_organization WHERE kind = 'auditor')",
        [("no_row", "key")]),
    "a decision is not there": (
        "DELETE FROM contracts_decision WHERE outcome = 'decline'", [("no_row", "decision")]),
    "who has not decided yet is left out": (
        "DELETE FROM contracts_decision WHERE outcome = '' AND request_id = (SELECT id FROM contracts_accessrequest WHERE state = 'declined')",
        [("no_row", "decision")]),
    "who has not signed yet is left out": (
        "DELETE FROM contracts_signature WHERE signed IS NULL AND part = 'provider'", [("no_row", "signature")]),
    "a source is not there": ("DELETE FROM catalog_source", [("no_row", "source")]),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_to_rows_is_found(city, what):
    provider = factories.actor(city.power)
    electricity = Dataset.objects.get(name="electricity")
    change_dataset(actor=provider, dataset=electricity, description=Description(title="t", description="d"))
    sealer.seal_all()
    assert found() == []
    statement, expected = DAMAGE[what]
    assert sql(statement) >= 1
    assert found() == expected


def test_an_entry_taken_out_before_it_is_sealed_is_found(city):
    sealer.seal_all()
    factories.filed_request(city.enterprise, [Dataset.objects.get(name="electricity")])
    assert (
        sql("DELETE FROM audit_outbox WHERE position(convert_to('request.filed', 'UTF8') IN body) > 0") == 1
    )
    assert set(found()) == {("no_entry", "request"), ("no_entry", "decision")}


def test_an_entry_without_its_row_is_found_even_before_it_is_sealed(city):
    assert sql("DELETE FROM catalog_source") == 1
    assert found() == [("no_row", "source")]


def test_a_changed_entry_is_found_as_a_broken_log(city):
    sealer.seal_all()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_hash")
    try:
        sql(
            "UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"out\":\"ok\"', '\"out\":\"no\"'), 'UTF8') WHERE seq = 7"
        )
        outcome = reconcile(actor=CONSOLE)
    finally:
        sql("TRUNCATE audit_entry, audit_outbox")
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE audit_entry ADD CONSTRAINT audit_entry_hash CHECK (leaf = sha256('\\x00'::bytea || body))"
            )
    assert (outcome.whole, outcome.number, outcome.ok) == (False, 0, False)
    assert [(f.code, f.ref) for f in outcome.findings] == [("broken", "entry:7")]


def test_findings_without_number_are_counted_and_the_first_are_told(city, monkeypatch, caplog):
    monkeypatch.setattr(comparison, "LISTED", 2)
    sql("UPDATE parties_user SET event_id = gen_random_uuid()")
    with caplog.at_level(logging.ERROR, "audit.reconciliation"):
        outcome = reconcile(actor=CONSOLE)
    assert (outcome.number, len(outcome.findings)) == (7, 2)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith(f"no_entry: account {outcome.findings[0].ref}: The row has no entry")
    assert said[-1] == "and more: 7 in all"


# --- What is on record ------------------------------------------------------------------------------------
def test_each_reconciliation_counts_the_entries_since_the_one_before(city):
    sealer.seal_all()
    sealed = Entry.objects.count()
    first = reconcile(actor=CONSOLE)
    assert (first.first, first.next) == (0, sealed)
    assert sum(number for _act, number in first.counts) == sealed
    assert first.counts == sorted(first.counts)
    assert first.lag_ms > 0
    assert reconcile(actor=CONSOLE).first == sealed, "also while the first one's entry waits to be sealed"
    sealer.seal_all()
    third = reconcile(actor=CONSOLE)
    assert (third.first, third.next) == (sealed, sealed + 2)
    assert third.counts == [["log.reconciled", 2]]
    sealer.seal_all()
    entry = Entry.objects.filter(act=Event.RECONCILED).order_by("-seq")[0]
    assert entry.fields["x"] == {
        "first": third.first, "next": third.next, "counts": third.counts, "rows": third.rows, "findings": 0,
        "whole": True, "lag_ms": third.lag_ms,
    }  # fmt: skip
    assert entry.obj == "log:0"
    kept = Reconciliation.objects.order_by("-at")[0]
    assert (kept.event_id, kept.next, kept.findings) == (entry.event_id, third.next, [])
    assert kept.day == timezone.localdate()


def test_findings_are_kept_for_the_page(city):
    sql("DELETE FROM catalog_source")
    reconcile(actor=CONSOLE)
    [finding] = Reconciliation.objects.get().findings
    assert finding.keys() == {"code", "kind", "ref", "words"}
    assert (finding["code"], finding["kind"]) == ("no_row", "source")
    assert finding["words"] == "There is an entry, but its row is gone."


def test_two_at_once_do_not_count_twice(city):
    """Another session holds the lock, as another reconciliation would."""
    held, done = threading.Event(), threading.Event()

    def other() -> None:
        try:
            with reconciliation._alone():
                held.set()
                done.wait()
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    try:
        with pytest.raises(reconciliation.Busy):
            reconcile(actor=CONSOLE)
        tasks.reconcile()  # another is at it: nothing to do
    finally:
        done.set()
        thread.join()
    assert not Reconciliation.objects.exists()
    assert reconcile(actor=CONSOLE).ok


def test_what_is_committed_meanwhile_is_seen_whole_by_the_next(city, monkeypatch):
    """A row and its entry that come while the comparison goes on are neither seen by halves nor told as missing."""
    original = comparison.compare

    def compare(model):
        if model.KIND == "contract":  # between the decisions and everything after them

            def act() -> None:
                try:
                    factories.filed_request(city.enterprise, [Dataset.objects.get(name="electricity")])
                    sealer.seal_all()
                finally:
                    connection.close()

            thread = threading.Thread(target=act)
            thread.start()
            thread.join()
        return original(model)

    monkeypatch.setattr(comparison, "compare", compare)
    assert reconcile(actor=CONSOLE).ok
    monkeypatch.undo()
    assert reconcile(actor=CONSOLE).ok


def test_the_clock_asks_every_hour_and_it_is_done_once_a_day(city):
    for _ in range(3):
        tasks.reconcile()
    assert Reconciliation.objects.count() == 1
    assert not reconciliation.due()
    Reconciliation.objects.update(day=timezone.localdate() - timedelta(days=1))
    assert reconciliation.due()
    tasks.reconcile()
    assert Reconciliation.objects.count() == 2
    sealer.seal_all()
    assert {e.actor for e in Entry.objects.filter(act=Event.RECONCILED)} == {"system:reconciler"}


def test_the_command_prints_what_it_found_and_ends_with_an_error(city, capsys):
    call_command("reconcile")
    assert "0 findings, the log is whole" in capsys.readouterr().out
    sql("DELETE FROM catalog_source")
    with pytest.raises(CommandError) as ended:
        call_command("reconcile")
    assert ended.value.returncode == 1
    assert "no_row  source  source:" in capsys.readouterr().out


def test_it_costs_the_same_number_of_queries_whatever_there_is(city, django_assert_max_num_queries):
    for number in range(20):
        factories.organization("enterprise", f"e{number}")
    with django_assert_max_num_queries(20 + 3 * len(comparison.recorded_models())):
        assert reconcile(actor=CONSOLE).ok


# --- The page ---------------------------------------------------------------------------------------------
def test_whoever_reads_the_whole_log_compares_and_sees_what_does_not_fit(city):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(city.auditor)
    assert "No comparison was made yet" in client.get("/audit/").content.decode()
    assert client.get("/audit/compare/").status_code == 405
    page = client.post("/audit/compare/", follow=True)
    assert "Nothing is missing" in page.content.decode()
    sql("UPDATE contracts_contract SET state = 'active' WHERE state = 'suspended'")
    page = client.post("/audit/compare/", follow=True)
    shown = page.context["reconciled"]
    assert (shown.number, shown.ok) == (1, False)
    [one] = shown.findings
    assert f'<a href="{one.thing.url}">' in page.content.decode()
    assert client.get(one.thing.url).status_code == 200
    sealer.seal_all()
    assert Entry.objects.filter(act=Event.RECONCILED).order_by("-seq")[0].actor == str(city.auditor.uid)


def test_nobody_else_compares(city):
    inspector = factories.account("inspector", city.enterprise.organization, Role.MEMBER, Role.AUDITOR)
    for user in (city.enterprise, city.power, inspector):
        client = Client()
        client.force_login(user)
        assert client.post("/audit/compare/").status_code == 403
    client = Client()
    client.force_login(inspector)
    assert b"audit/compare" not in client.get("/audit/").content
    assert not Reconciliation.objects.exists()
    assert Organization.objects.exists()
