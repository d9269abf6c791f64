"""A run's way from submission to release: P2 fail closed, P4 the row is the truth, P8 one clock, P10 reproducible."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from audit import export, sealer
from audit.events import Event
from audit.models import Entry
from audit.refusals import Refused
from audit.verifier.check import verify
from catalog.models import Dataset
from contracts.models import Contract
from contracts.policy.canonical import digest, matches
from contracts.policy.terms import Level
from contracts.services.signing import resume_contract, suspend_contract, terminate_contract
from contracts.states import ContractState
from sandbox import ledger
from sandbox.engines import generate
from sandbox.formats import from_ipc, rows
from sandbox.guard import AggregateQuery, bare
from sandbox.isolation.jail import NoSandbox
from sandbox.isolation.outcome import Outcome, Status
from sandbox.kept import store
from sandbox.kept.build import build
from sandbox.models import Answer, Release, Run
from sandbox.services import execute
from sandbox.services.download import download
from sandbox.services.preview import preview
from sandbox.services.reproduce import reproduce
from sandbox.services.submit import Question, cancel, submit
from sandbox.states import Failure, RunState
from tests import factories
from tests.computed import submitted

pytestmark = pytest.mark.django_db(transaction=True)

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"


@pytest.fixture
def contract(city):
    return factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders
    )


def ask(city, contract, text=SQL) -> Run:
    return submitted(city.enterprise, contract, text)


def fresh(run: Run) -> Run:
    return Run.objects.get(pk=run.pk)


def test_a_submitted_computation_is_released_protected_and_on_record(city, contract, worker):
    run = ask(city, contract)
    worker.work(str(run.uid))
    run = fresh(run)
    assert run.state == RunState.RELEASED
    table = from_ipc(bytes(run.release.table))
    assert table.column_names == ["district", "n", "kwh"]
    assert [row[0] for row in rows(table, 1)] == ["历下区", "市中区", "槐荫区"]
    assert all(count == 20 for _, count, _ in rows(table, 1))
    assert matches(bytes(run.release.table), run.release.digest)
    sealer.seal_all()
    acts = list(Entry.objects.filter(obj=run.audit_ref).order_by("seq").values_list("act", flat=True))
    assert acts == [Event.RUN_QUEUED, Event.RUN_STARTED, Event.RUN_RELEASED]
    assert verify(export.lines()).ok


def test_the_receipt_pins_contract_query_extracts_parameters_and_software(city, contract, worker):
    run = ask(city, contract)
    worker.work(str(run.uid))
    release = Release.objects.get(run=run)
    receipt = json.loads(bytes(release.receipt))
    assert receipt["contract"] == contract.digest
    assert receipt["query"]["digest"] == run.computation.digest
    assert receipt["extracts"][0]["sha256"].removeprefix("sha256:") == run.spec["extracts"][0]["sha256"]
    assert receipt["parameters"]["min_contributors"] == contract.terms.disclosure.min_contributors
    assert receipt["software"]["duckdb"]
    assert receipt["result"] == release.digest
    assert str(release.uid) == receipt["release"]


def test_the_same_question_gives_the_same_bytes(city, contract, worker):
    digests = set()
    for text in (SQL, SQL.lower().replace("as n", "AS n"), "  " + SQL.replace(" FROM", "\nFROM")):
        run = ask(city, contract, text)
        worker.work(str(run.uid))
        digests.add(Release.objects.get(run=run).digest)
    assert len(digests) == 1


def test_small_groups_do_not_leave(city, worker):
    few = factories.electricity_rows(60)
    few += [
        {**row, "credit_code": "91370109999999999X", "district": "槐荫区", "kwh": "5000000.00"}
        for row in few[:1]
    ]
    dataset = factories.published_dataset(city.power, rows=few)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    run = ask(city, contract)
    worker.work(str(run.uid))
    released = {row[0]: row for row in rows(from_ipc(bytes(Release.objects.get(run=run).table)), 1)}
    assert released["槐荫区"][2] is None, "one enterprise dominates the sum"
    assert released["历下区"][2] is not None


def test_a_refused_question_charges_nothing_and_is_on_record(city, contract):
    with pytest.raises(Refused) as refused:
        ask(city, contract, "SELECT * FROM read_csv('/etc/passwd')")
    assert refused.value.code.startswith("guard.")
    assert Contract.objects.get(pk=contract.pk).runs_used == 0
    assert not Run.objects.exists()
    sealer.seal_all()
    entry = Entry.objects.get(act=Event.REFUSED, obj=contract.audit_ref)
    assert entry.fields["x"]["what"] == "computation.submit"


def test_the_quota_ends(city):
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders, max_runs=2
    )
    ask(city, contract)
    ask(city, contract)
    with pytest.raises(Refused, match=r"contract\.quota"):
        ask(city, contract)


def test_two_submissions_at_once_do_not_overdraw_the_quota(city):
    contract = factories.signed_contract(
        city.enterprise, [factories.published_dataset(city.power)], city.deciders, max_runs=3
    )
    outcomes: list[str] = []

    def one() -> None:
        try:
            ask(city, contract)
            outcomes.append("ok")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["contract.quota"] * 3 + ["ok"] * 3
    assert Run.objects.count() == 3


def test_a_run_cancelled_while_it_waits_gives_its_charge_back(city, contract, worker):
    run = cancel(actor=factories.actor(city.enterprise), run=ask(city, contract))
    assert run.state == RunState.CANCELLED
    assert Contract.objects.get(pk=contract.pk).runs_used == 0
    worker.work(str(run.uid))
    assert fresh(run).state == RunState.CANCELLED


def test_another_organization_cannot_submit_or_cancel(city, contract):
    run = ask(city, contract)
    for user in (city.rival, city.power, city.bureau, city.auditor):
        with pytest.raises(Refused):
            submit(actor=factories.actor(user), contract=contract, question=Question(text=SQL))
        with pytest.raises(Refused):
            cancel(actor=factories.actor(user), run=run)
    assert Run.objects.count() == 1


@pytest.mark.parametrize("halt", [suspend_contract, terminate_contract])
def test_a_halted_contract_stops_submission_start_release_and_download(city, contract, worker, halt):
    early, done = ask(city, contract), ask(city, contract)
    worker.work(str(done.uid))
    claimed = execute.claim(str(early.uid))
    waiting = ask(city, contract)
    halt(actor=factories.actor(city.power), contract=contract, reason="核查")
    with pytest.raises(Refused):
        ask(city, contract)
    worker.work(str(waiting.uid))
    assert (fresh(waiting).state, fresh(waiting).failure) == (RunState.CANCELLED, Failure.CONTRACT_HALTED)
    assert execute.keep(claimed) is Failure.CONTRACT_HALTED
    execute.hold(claimed)
    assert fresh(early).state == RunState.CANCELLED
    with pytest.raises(Refused):
        download(actor=factories.actor(city.enterprise), release=fresh(done).release, format_name="csv")


def test_a_resumed_contract_goes_on(city, contract, worker):
    suspend_contract(actor=factories.actor(city.power), contract=contract, reason="核查")
    resume_contract(actor=factories.actor(city.power), contract=contract)
    run = ask(city, contract)
    worker.work(str(run.uid))
    assert fresh(run).state == RunState.RELEASED


def test_expiry_is_read_from_the_signed_document_not_from_the_row(city, contract, monkeypatch):
    """Pushing the row's date does not prolong the contract."""
    Contract.objects.filter(pk=contract.pk).update(valid_until=timezone.now() + timedelta(days=9999))
    monkeypatch.setattr(
        "contracts.decisions.timezone.now", lambda: contract.terms.valid_until + timedelta(seconds=1)
    )
    with pytest.raises(Refused, match=r"contract\.expired"):
        ask(city, contract)


def test_a_rewritten_contract_permits_nothing(city, contract):
    document = bytes(contract.document).replace(b'"P365D"', b'"P999D"')
    assert document != bytes(contract.document)
    Contract.objects.filter(pk=contract.pk).update(document=document)
    with pytest.raises(Refused, match=r"contract\.tampered"):
        ask(city, Contract.objects.get(pk=contract.pk))


def test_a_run_is_taken_once(city, contract):
    run = ask(city, contract)
    assert execute.claim(str(run.uid)) is not None
    assert execute.claim(str(run.uid)) is None


def test_a_dead_workers_run_is_taken_up_again_and_its_late_result_is_refused(city, contract, worker):
    run = ask(city, contract)
    dead = execute.claim(str(run.uid))
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - timedelta(seconds=1))
    execute.sweep()
    assert fresh(run).state == RunState.QUEUED
    worker.work(str(run.uid))
    first = Release.objects.get(run=run)
    execute.hold(dead)
    execute.hold(dead, cause="other")
    execute.end(dead, Failure.NO_SANDBOX)
    assert fresh(run).state == RunState.RELEASED
    assert Release.objects.get(run=run).digest == first.digest


def test_a_run_interrupted_again_and_again_ends_in_a_clear_state(city, contract):
    run = ask(city, contract)
    for _ in range(execute.MAX_ATTEMPTS):
        assert execute.claim(str(run.uid)) is not None
        Run.objects.filter(pk=run.pk).update(lease=timezone.now() - timedelta(seconds=1))
        execute.sweep()
    assert (fresh(run).state, fresh(run).failure) == (RunState.FAILED, Failure.INTERRUPTED)


def test_a_lost_message_costs_a_sweep_and_nothing_else(city, contract, monkeypatch):
    run = ask(city, contract)
    Run.objects.filter(pk=run.pk).update(state_since=timezone.now() - timedelta(seconds=10))
    sent: list[str] = []
    monkeypatch.setattr("sandbox.queue._send", sent.append)
    assert execute.sweep() == 1
    assert sent == [str(run.uid)]


@pytest.mark.parametrize(
    ("status", "state", "failure"),
    [
        (Status.WALL_LIMIT, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.CPU_LIMIT, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.MEMORY_LIMIT, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.OUTPUT_LIMIT, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.ENGINE_ERROR, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.BAD_ANSWER, RunState.FAILED, Failure.NOT_RELEASABLE),
        (Status.SANDBOX_LOST, RunState.QUEUED, ""),
    ],
)
def test_each_way_a_sandbox_ends_is_a_clear_state(
    city, contract, worker, monkeypatch, status, state, failure
):
    run = ask(city, contract)
    monkeypatch.setattr(worker.pool, "run", lambda *_a, **_k: Outcome(status))
    worker.work(str(run.uid))
    assert (fresh(run).state, fresh(run).failure) == (state, failure)


def test_without_a_sandbox_nothing_runs(city, contract, worker, monkeypatch):
    def none(*_args, **_kwargs):
        raise NoSandbox("bubblewrap is missing", "apt-get install bubblewrap")

    run = ask(city, contract)
    monkeypatch.setattr(worker.pool, "run", none)
    worker.work(str(run.uid))
    assert (fresh(run).state, fresh(run).failure) == (RunState.FAILED, Failure.NO_SANDBOX)


def test_a_changed_extract_is_not_computed_on(city, contract, worker, settings):
    run = ask(city, contract)
    path = settings.EXTRACTS_DIR / f"{run.spec['extracts'][0]['sha256']}.parquet"
    body = path.read_bytes()
    try:
        path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
        worker.work(str(run.uid))
    finally:
        path.write_bytes(body)
    assert (fresh(run).state, fresh(run).failure) == (RunState.FAILED, Failure.EXTRACT_CHANGED)


@pytest.mark.parametrize("error", [ValueError, AssertionError, MemoryError])
def test_an_error_of_our_own_releases_nothing_logs_no_data_and_counts(
    city, contract, worker, monkeypatch, caplog, error
):
    """It may depend on data, so that it is a refusal like any other to whoever asked."""

    def broken(*_args):
        raise error("secret value 42")

    run = ask(city, contract)
    monkeypatch.setattr("sandbox.worker.protect", broken)
    worker.work(str(run.uid))
    run = fresh(run)
    assert (run.state, run.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)
    assert not Release.objects.exists()
    [said] = [r for r in caplog.records if r.levelname == "ERROR"]
    assert f"an error of our own, counted as a refusal: {error.__name__} at test_runs.py" in said.message
    assert "secret" not in caplog.text
    assert ledger.refusals(Answer.objects.filter(runs=run), contract) == 1


def test_downloads_are_recorded_and_say_where_they_come_from(published_log, city, contract, worker):
    run = ask(city, contract)
    worker.work(str(run.uid))
    published_log.publish()
    acting = factories.actor(city.enterprise)
    files = {name: download(actor=acting, release=fresh(run).release, format_name=name) for name in
             ("csv", "xlsx", "parquet", "receipt")}  # fmt: skip
    text = files["csv"].body.decode("utf-8-sig")
    assert "历下区" in text
    assert contract.digest in text
    assert files["xlsx"].body[:2] == b"PK"
    assert files["parquet"].body[:4] == b"PAR1"
    sealer.seal_all()
    assert Entry.objects.filter(act=Event.RELEASE_DOWNLOADED).count() == 4


def test_results_can_be_downloaded_until_the_retention_ends(city, contract, worker):
    run = ask(city, contract)
    worker.work(str(run.uid))
    Release.objects.filter(run=run).update(released=timezone.now() - timedelta(days=366))
    with pytest.raises(Refused, match=r"contract\.retention"):
        download(actor=factories.actor(city.enterprise), release=fresh(run).release, format_name="csv")


def test_preview_tells_cost_and_problems_and_charges_nothing(city, contract):
    acting = factories.actor(city.enterprise)
    good = preview(actor=acting, contract=contract, question=Question(text=SQL))
    assert (good.problems, good.warnings, good.rows, good.cells, good.runs_left) == ([], [], 120, 3, 100)
    bad = preview(actor=acting, contract=contract, question=Question(text="SELECT kwh FROM electricity"))
    assert bad.problems
    assert Contract.objects.get(pk=contract.pk).runs_used == 0
    assert contract.state == ContractState.ACTIVE


def test_a_release_can_be_computed_again_or_it_is_said_why_not(city, contract, worker, settings):
    run = ask(city, contract)
    worker.work(str(run.uid))
    release = Release.objects.get(run=run)
    found = reproduce(release, worker)
    assert found.same
    assert found.differences == {}
    path = settings.EXTRACTS_DIR / f"{run.spec['extracts'][0]['sha256']}.parquet"
    body = path.read_bytes()
    try:
        path.unlink()
        assert (reproduce(release, worker).same, reproduce(release, worker).problem) == (
            False,
            "ExtractChanged",
        )
    finally:
        path.write_bytes(body)


def test_from_a_kept_table_come_the_release_and_the_receipt_of_the_plain_plan(
    city, contract, worker, settings, monkeypatch, tmp_path
):
    settings.KEPT_DIR = tmp_path / "kept"
    monkeypatch.setattr("sandbox.source.LEAST_ROWS", 1)
    made = []
    monkeypatch.setattr(store, "build", lambda *given, **said: made.append(1) or build(*given, **said))
    for text in (
        SQL,
        SQL.replace("SUM(kwh) AS kwh", "AVG(kwh) AS mean"),
    ):  # the second finds what the first kept
        run = ask(city, contract, text)
        worker.work(str(run.uid))
        release = Release.objects.get(run=run)
        with monkeypatch.context() as patch:
            patch.setattr("sandbox.worker.source_for", None)
            assert reproduce(release, worker).same, "by the plain plan"
        query = AggregateQuery.from_json(run.computation.query)
        plan = generate(bare(query, contract.terms), contract.terms)
        assert json.loads(bytes(release.receipt))["query"]["sql"] == digest(plan.encode())
    assert len(made) == 1
    assert list(settings.KEPT_DIR.glob(f"{run.spec['extracts'][0]['sha256']}-*.parquet"))


def test_a_version_in_which_units_moved_does_not_fit_a_contract_that_says_they_do_not(city, contract):
    dataset = Dataset.objects.get(name="electricity")
    assert contract.terms.dataset("electricity").column("district").level is Level.UNIT
    assert contract.terms.dataset("electricity").column("month").level is Level.EVENT
    moved = factories.electricity_rows()
    first = moved[0]
    moved.append({**first, "district": next(d for d in factories.DISTRICTS if d != first["district"])})
    factories.publish_version(dataset, city.power, schema=factories.ELECTRICITY, rows=moved)
    with pytest.raises(Refused, match=r"dataset\.no_version"):
        ask(city, contract)
