"""Every business row carries the id of the entry that made or last changed it."""

from __future__ import annotations

import importlib
import json
import uuid

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from audit import sealer
from audit.events import Event
from audit.models import Entry, OutboxRow
from audit.recorded import Recorded, events_of
from audit.recorder import record
from audit.transitions import Stateful
from catalog.models import Dataset, Source
from contracts.models import Contract, Decision, Signature
from parties.actors import SYSTEM
from parties.models import Organization, SigningKey, User
from sandbox.models import Release, Run, RunReview, Script, ScriptReview, Trial
from sandbox.services.download import download
from sandbox.states import RunState
from tests import factories
from tests.computed import released
from tests.worlds import busy_city

pytestmark = pytest.mark.django_db
RECORDED = [model for model in apps.get_models() if issubclass(model, Recorded)]


def said(event_id: uuid.UUID) -> dict:
    """The entry of this id, sealed or waiting."""
    entry = Entry.objects.filter(event_id=event_id).first()
    if entry is not None:
        return entry.fields
    return json.loads(bytes(OutboxRow.objects.get(event_id=event_id).body))


@pytest.fixture
def world() -> factories.City:
    return busy_city()


def test_all_rows_of_a_space_are_looked_at():
    assert {model.__name__ for model in RECORDED} == {
        "Dataset", "Version", "AccessRequest", "Contract", "Run", "Organization", "User", "Source", "SigningKey",
        "Decision", "Signature", "Release", "Trial", "Script", "ScriptReview", "RunReview",
    }  # fmt: skip


@pytest.mark.parametrize("model", RECORDED, ids=lambda model: model.__name__)
def test_each_row_carries_the_id_of_the_entry_that_made_or_last_changed_it(world, model):
    rows = list(model.objects.all())
    assert rows
    for row in rows:
        entry = said(row.event_id)
        assert entry["act"] in events_of(model)
        kind, _path = model.audit_about()
        assert entry["obj"].startswith(f"{kind}:")
        if isinstance(row, Stateful):
            assert entry["act"] in row.audit_events()[row.state]
            assert entry["obj"] == row.audit_ref


def test_a_part_carries_the_entry_about_the_whole(world):
    for decision in Decision.objects.exclude(outcome=""):
        entry = said(decision.event_id)
        assert (entry["obj"], entry["org"]) == (decision.audit_ref, str(decision.organization.uid))
        assert decision.audit_ref == decision.request.audit_ref
    for signature in Signature.objects.exclude(signed=None):
        assert said(signature.event_id)["org"] == str(signature.organization.uid)
    for key in SigningKey.objects.all():
        assert said(key.event_id)["x"]["key"] == str(key.uid)
    for release in Release.objects.all():
        assert release.event_id == release.run.event_id


def test_what_does_not_change_a_row_has_an_id_of_its_own(world):
    release = Release.objects.get()
    before = release.event_id
    download(actor=factories.actor(world.enterprise), release=release, format_name="csv")
    assert Release.objects.get().event_id == before
    entry = json.loads(bytes(OutboxRow.objects.order_by("-pk")[0].body))
    assert (entry["act"], entry["obj"]) == ("release.downloaded", f"release:{release.uid}")
    assert entry["id"] != str(before)


@pytest.mark.parametrize("sealed", [False, True])
def test_two_entries_never_share_an_id(world, sealed):
    """A change that was given no id of its own fails, whether the row's entry is sealed or still waits."""
    if sealed:
        sealer.seal_all()
    for dataset in (Dataset.objects.first(), Dataset.objects.only("pk").first()):
        with pytest.raises(IntegrityError), transaction.atomic():
            record(Event.DATASET_CHANGED, actor=SYSTEM, about=dataset, fields=["title"])
        with transaction.atomic():
            dataset.new_event()
            record(Event.DATASET_CHANGED, actor=SYSTEM, about=dataset, fields=["title"])
            with pytest.raises(IntegrityError):
                record(Event.DATASET_CHANGED, actor=SYSTEM, about=dataset, fields=["title"])
            dataset.save()
    sealer.seal_all()


def test_making_a_row_costs_its_own_insert_and_one_call(world, django_assert_num_queries):
    provider = Organization.objects.get(pk=world.power.organization_id)
    with transaction.atomic(), django_assert_num_queries(2):
        source = Source.objects.create(provider=provider, name="more", sealed_url=b"x")
        record(Event.SOURCE_REGISTERED, actor=SYSTEM, about=source)


def test_an_administrator_made_at_the_console_is_on_record(world):
    call_command("createsuperuser", username="root", email="", interactive=False, verbosity=0)
    assert said(User.objects.get(username="root").event_id)["act"] == "account.created"


@pytest.mark.parametrize("sealed", [False, True])
def test_rows_from_before_take_their_ids_from_the_log(world, sealed):
    """The migrations' own SQL, over rows whose ids were lost."""
    if sealed:
        sealer.seal_all()
    later = {Trial, Script, ScriptReview, RunReview}  # came with ids
    older = [model for model in RECORDED if model not in later]
    before = {model: dict(model.objects.values_list("pk", "event_id")) for model in older}
    before[Run] = dict(Run.objects.exclude(state=RunState.IN_REVIEW).values_list("pk", "event_id"))
    for model in older:
        model.objects.update(event_id=uuid.UUID(int=1))
    with connection.cursor() as cursor:
        for room in ("parties", "catalog", "contracts", "sandbox"):
            cursor.execute(importlib.import_module(f"{room}.migrations.0002_event_id").BACKFILL)
    if not sealed:
        before.pop(SigningKey)  # found by what the entry holds, which only sealed entries are searched for
    for model, ids in before.items():
        assert dict(model.objects.filter(pk__in=ids).values_list("pk", "event_id")) == ids, model


def test_a_run_to_its_end_and_its_release_have_one_entry(world):
    from sandbox.worker import Worker

    worker = Worker()
    try:
        run = released(worker, world.enterprise, Contract.objects.filter(state="active").get())
    finally:
        worker.close()
    assert said(run.event_id)["x"]["release"] == f"release:{run.release.uid}"
    assert run.release.event_id == run.event_id
