"""Reviewed scripts prepare records; what is asked of them passes the same rules, and two reviewers release it (P1, P9)."""

from __future__ import annotations

import json
from datetime import timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import Error, transaction
from django.utils import timezone

from audit import sealer
from audit.models import Entry
from audit.reconciliation import reconcile
from audit.refusals import Refused
from contracts.services.signing import suspend_contract
from parties.actors import SYSTEM
from sandbox.models import Answer, Run, Script
from sandbox.scripts import preparing
from sandbox.scripts.states import ScriptState
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import submit_script, withdraw_script
from sandbox.services.submit import Question, cancel, submit
from sandbox.states import Failure, RunState
from tests import factories
from tests.computed import table
from tests.factories import ELECTRICITY, electricity_rows

pytestmark = pytest.mark.django_db(transaction=True)

SQL = "SELECT district, COUNT(DISTINCT credit_code) AS n, SUM(kwh) AS kwh FROM electricity GROUP BY district"
SAME = 'emit(extracts["electricity"].to_table())'
FIRST_MONTH = """
import pyarrow.compute as pc
table = extracts["electricity"].to_table()
emit(table.filter(pc.equal(table["month"], "2025-01")))
"""
HALVED = """
import pandas as pd, pyarrow as pa
from decimal import Decimal
frame = extracts["electricity"].to_table().to_pandas()
frame["kwh"] = [value / 2 for value in frame["kwh"]]
emit(pa.Table.from_pandas(frame, preserve_index=False))
"""


@pytest.fixture
def reviewers(city):
    return [city.bureau, factories.account("second", city.bureau.organization)]


@pytest.fixture
def dataset(city):
    return factories.published_dataset(city.power)


@pytest.fixture
def contract(city, dataset):
    return factories.signed_contract(city.enterprise, [dataset], city.deciders, limits={"allow_scripts": 1})


def submitted(user, contract, source=SAME, dataset="electricity") -> Script:
    acting = factories.actor(user)
    return submit_script(actor=acting, contract=contract, dataset=dataset, source=source, title="整理")


def approve(script, reviewers) -> None:
    for user in reviewers:
        review_script(actor=factories.actor(user), script=script, verdict="approve", note="看过")


def prepared(worker, city, reviewers, contract, source=SAME) -> Script:
    script = submitted(city.enterprise, contract, source)
    approve(script, reviewers)
    worker.prepare(str(script.uid))
    return Script.objects.get(pk=script.pk)


def asked(worker, city, contract, script, text=SQL) -> Run:
    question = Question(text=text, script=str(script.uid) if script else "")
    run = submit(actor=factories.actor(city.enterprise), contract=contract, question=question)
    worker.work(str(run.uid))
    return Run.objects.get(pk=run.pk)


def released(run, reviewers) -> Run:
    for user in reviewers:
        review_run(actor=factories.actor(user), run=run, verdict="approve", note="看过")
    return Run.objects.get(pk=run.pk)


# --- The whole way --------------------------------------------------------------------------------------------
def test_what_a_script_leaves_as_it_is_gives_the_same_numbers(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract)
    assert script.state == ScriptState.READY, script.cause
    run = asked(worker, city, contract, script)
    assert run.state == RunState.IN_REVIEW
    run = released(run, reviewers)
    assert run.state == RunState.RELEASED
    plain = asked(worker, city, contract, None)
    assert plain.state == RunState.RELEASED
    assert table(run) == table(plain)


def test_a_script_changes_records_within_what_is_declared(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, HALVED)
    assert script.state == ScriptState.READY, script.cause
    halved = table(released(asked(worker, city, contract, script), reviewers))
    whole = table(asked(worker, city, contract, None))
    assert [float(row["kwh"]) for row in halved] == pytest.approx(
        [float(row["kwh"]) / 2 for row in whole], rel=0.01
    )


def test_the_prepared_records_are_an_extract_with_the_units_of_the_one_read(
    city, contract, worker, reviewers
):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    read, made = (f"{settings.EXTRACTS_DIR}/{ref.sha256}.parquet" for ref in (script.extract, script.records))
    assert pq.read_schema(made).names == [*pq.read_schema(read).names]
    assert pq.read_schema(made).types == pq.read_schema(read).types
    both = "SELECT count(*), count(DISTINCT a.credit_code) FROM read_parquet(?) a JOIN read_parquet(?) b USING (credit_code, _unit)"
    assert duckdb.execute(both, [made, read]).fetchall() == [(120, 60)]


def test_receipt_and_log_name_the_script(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    run = released(asked(worker, city, contract, script), reviewers)
    (extract,) = json.loads(bytes(run.release.receipt))["extracts"]
    assert extract["script"] == script.digest
    assert extract["sha256"] == f"sha256:{script.records.sha256}"
    sealer.seal_all()
    said = [
        (entry.act, json.loads(bytes(entry.body)).get("x", {})) for entry in Entry.objects.order_by("seq")
    ]
    queued = next(x for act, x in said if act == "run.queued")
    assert queued["script"] == script.digest
    acts = [act for act, _x in said if act.startswith(("script.", "run."))]
    assert acts == [
        "script.submitted", "script.reviewed", "script.reviewed", "script.approved", "script.prepared",
        "run.queued", "run.started", "run.held", "run.reviewed", "run.reviewed", "run.released",
    ]  # fmt: skip
    assert reconcile(actor=SYSTEM).number == 0


# --- Who may, and how often -------------------------------------------------------------------------------------
def test_a_contract_that_permits_no_scripts_takes_none(city, dataset):
    plain = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    with pytest.raises(Refused, match=r"contract\.no_scripts"):
        submitted(city.enterprise, plain)


def test_two_different_reviewers_read_a_script(city, contract, worker, reviewers):
    script = submitted(city.enterprise, contract)
    acting = factories.actor(reviewers[0])
    review_script(actor=acting, script=script, verdict="approve", note="看过")
    with pytest.raises(Refused, match=r"review\.twice"):
        review_script(actor=acting, script=script, verdict="approve", note="再看")
    worker.prepare(str(script.uid))
    assert Script.objects.get(pk=script.pk).state == ScriptState.IN_REVIEW, "one is not enough"
    for stranger in (city.enterprise, city.power, city.auditor):
        with pytest.raises(Refused, match=r"role\.missing"):
            review_script(actor=factories.actor(stranger), script=script, verdict="approve", note="看过")


def test_one_refusal_ends_it(city, contract, reviewers):
    script = submitted(city.enterprise, contract)
    review_script(actor=factories.actor(reviewers[0]), script=script, verdict="refuse", note="挑出一户")
    assert Script.objects.get(pk=script.pk).state == ScriptState.REFUSED
    with pytest.raises(Refused, match=r"review\.closed"):
        review_script(actor=factories.actor(reviewers[1]), script=script, verdict="approve", note="看过")


def test_a_result_that_one_reviewer_refuses_does_not_leave(city, contract, worker, reviewers):
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract, FIRST_MONTH))
    review_run(actor=factories.actor(reviewers[0]), run=run, verdict="refuse", note="太细")
    run = Run.objects.get(pk=run.pk)
    assert (run.state, run.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)
    assert not hasattr(run, "release")


def test_a_suspended_contract_releases_nothing_that_was_in_review(city, contract, worker, reviewers):
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract, FIRST_MONTH))
    review_run(actor=factories.actor(reviewers[0]), run=run, verdict="approve", note="看过")
    suspend_contract(actor=factories.actor(city.bureau), contract=contract, reason="核查")
    review_run(actor=factories.actor(reviewers[1]), run=run, verdict="approve", note="看过")
    run = Run.objects.get(pk=run.pk)
    assert (run.state, run.failure) == (RunState.CANCELLED, Failure.CONTRACT_HALTED)


def test_a_result_in_review_can_be_cancelled(city, contract, worker, reviewers):
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract, FIRST_MONTH))
    cancel(actor=factories.actor(city.enterprise), run=run)
    assert Run.objects.get(pk=run.pk).state == RunState.CANCELLED


def test_a_repeat_of_what_reviewers_released_needs_no_second_review(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    first = released(asked(worker, city, contract, script), reviewers)
    again = asked(worker, city, contract, script)
    assert again.state == RunState.RELEASED
    assert bytes(again.release.table) == bytes(first.release.table)


def test_scripts_and_reviews_stay_as_they_are(city, contract, reviewers):
    script = submitted(city.enterprise, contract)
    approve(script, reviewers)
    for change in (
        lambda: Script.objects.filter(pk=script.pk).update(source="emit(1)"),
        lambda: script.reviews.update(verdict="refuse"),
        lambda: script.reviews.all().delete(),
    ):
        with pytest.raises(Error), transaction.atomic():
            change()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "script.empty"), ("emit(", "script.syntax"), ("print(1)", "script.no_emit"),
        ("# x" + "y" * 40_000, "script.too_long"), ("emit(1)\0", "script.syntax"),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_a_script_is_refused_with_the_place(city, contract, source, code):
    with pytest.raises(Refused) as refused:
        submitted(city.enterprise, contract, source)
    assert refused.value.code == code


def test_a_new_version_needs_the_script_again(city, dataset, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    factories.publish_version(dataset, city.power, schema=ELECTRICITY, rows=electricity_rows(90))
    with pytest.raises(Refused, match=r"script\.stale"):
        asked(worker, city, contract, script)


def test_a_script_of_another_contract_is_not_there(city, dataset, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    other = factories.signed_contract(city.rival, [dataset], city.deciders)
    question = Question(text=SQL, script=str(script.uid))
    with pytest.raises(Refused, match=r"script\.unknown"):
        submit(actor=factories.actor(city.rival), contract=other, question=question)


# --- What a hostile script tries ----------------------------------------------------------------------------------
READ = 'table = extracts["electricity"].to_table()\n'
HOSTILE = {
    "invents units": READ + "import pyarrow as pa\n"
    'emit(table.set_column(table.column_names.index("credit_code"), "credit_code", pa.array(range(len(table)), pa.int64())))',
    "leaves units out": READ + "import pyarrow as pa\n"
    'emit(table.set_column(table.column_names.index("credit_code"), "credit_code", pa.nulls(len(table), pa.int64())))',
    "adds a value": READ + "import pyarrow as pa\n"
    'emit(table.set_column(table.column_names.index("district"), "district", pa.array(["张三"] * len(table))))',
    "moves a unit about": READ + "import pyarrow as pa\n"
    "from itertools import cycle, islice\n"
    'emit(table.set_column(table.column_names.index("district"), "district", '
    'pa.array(list(islice(cycle(["历下区", "市中区"]), len(table))))))',
    "adds a column": READ + "import pyarrow as pa\n"
    'emit(table.append_column("more", pa.array(range(len(table)))))',
    "leaves a column out": READ + 'emit(table.drop_columns(["month"]))',
    "hands over text for numbers": READ + "import pyarrow as pa\n"
    'emit(table.set_column(table.column_names.index("kwh"), "kwh", pa.array(["secret"] * len(table))))',
    "hands over lists": READ + "import pyarrow as pa\n"
    'emit(table.set_column(table.column_names.index("kwh"), "kwh", pa.array([[1]] * len(table))))',
    "hands over nothing": READ + "emit(table.slice(0, 0))",
    "hands over twice": READ + "emit(table); emit(table)",
    "fails": "emit(1 / 0)",
    "phones home": "import socket; socket.create_connection(('127.0.0.1', 80)); emit(1)",
    "writes a file": "open('/tmp/x', 'w'); emit(1)",
    "starts a process": "import subprocess; subprocess.run(['true']); emit(1)",
    "fills the memory": "x = bytearray(8 * 1024**3); emit(x)",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_script_that_does_not_fit_gives_nothing_and_one_word(city, contract, worker, reviewers, what):
    script = prepared(worker, city, reviewers, contract, HOSTILE[what])
    assert (script.state, script.failure) == (ScriptState.FAILED, Failure.NOT_RELEASABLE)
    assert script.prepared is None
    with pytest.raises(Refused, match=r"script\.not_ready"):
        asked(worker, city, contract, script)


def test_failures_of_scripts_close_the_exact_tables_as_refusals_do(city, dataset, worker, reviewers):
    contract = factories.signed_contract(
        city.enterprise, [dataset], city.deciders, limits={"allow_scripts": 1, "max_refusals": 2}
    )
    for _ in range(2):
        prepared(worker, city, reviewers, contract, "emit(1 / 0)")
    with pytest.raises(Refused, match=r"contract\.lane_closed"):
        asked(worker, city, contract, None)
    with pytest.raises(Refused, match=r"contract\.lane_closed"):
        submitted(city.enterprise, contract)


def test_a_script_that_drops_one_unit_is_found_beside_the_whole(city, contract, worker, reviewers):
    """Differencing by script: the total with and without one enterprise."""
    total = "SELECT COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity"
    assert asked(worker, city, contract, None, total).state == RunState.RELEASED
    drop = READ + (
        "import pyarrow.compute as pc\n"
        'emit(table.filter(pc.not_equal(table["credit_code"], pc.min(table["credit_code"]))))'
    )
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract, drop), total)
    assert (run.state, run.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)


def test_two_scripts_that_differ_by_one_unit_are_not_both_answered(city, contract, worker, reviewers):
    total = "SELECT COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity"
    keep = READ + (
        "import pyarrow.compute as pc\n"
        "units = sorted(set(table['credit_code'].to_pylist()))[{first}:]\n"
        "import pyarrow as pa\n"
        "emit(table.filter(pc.is_in(table['credit_code'], pa.array(units, pa.int64()))))"
    )
    states = []
    for first in (20, 21):
        script = prepared(worker, city, reviewers, contract, keep.format(first=first))
        states.append(asked(worker, city, contract, script, total).state)
    assert states == [RunState.IN_REVIEW, RunState.FAILED]


def test_a_script_that_leaves_one_units_values_only_is_held_back(city, contract, worker, reviewers):
    """k counts the others too, but the sum is one enterprise's: the dominance rules see it."""
    alone = READ + (
        "import pyarrow as pa\nfrom decimal import Decimal\n"
        'one = min(table["credit_code"].to_pylist())\n'
        'kwh = [v if u == one else Decimal(0) for u, v in zip(table["credit_code"].to_pylist(), table["kwh"].to_pylist())]\n'
        'emit(table.set_column(table.column_names.index("kwh"), "kwh", pa.array(kwh, table.schema.field("kwh").type)))'
    )
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract, alone), SQL)
    told = [row["kwh"] for row in table(released(run, reviewers))]
    assert told == [None] * len(factories.DISTRICTS)


def test_names_of_units_differ_from_contract_to_contract_and_are_not_the_pseudonyms(
    city, dataset, contract, worker, reviewers
):
    seen = READ + 'emit(table.slice(0, 1)) if min(table["credit_code"].to_pylist()) == {name} else emit(0)'
    path = f"{settings.EXTRACTS_DIR}/{dataset.current.sha256}.parquet"
    pseudonyms = pq.read_table(path)["credit_code"].to_pylist()
    script = prepared(worker, city, reviewers, contract, seen.format(name=min(pseudonyms)))
    assert script.state == ScriptState.FAILED, "the script saw the pseudonyms themselves"


# --- Workers that die ---------------------------------------------------------------------------------------------
def test_a_script_whose_worker_died_is_taken_up_again_and_a_late_one_writes_nothing(
    city, contract, worker, reviewers
):
    script = submitted(city.enterprise, contract)
    approve(script, reviewers)
    dead = preparing.claim(str(script.uid))
    assert preparing.claim(str(script.uid)) is None, "two at once"
    Script.objects.filter(pk=script.pk).update(lease=timezone.now() - timedelta(seconds=1))
    assert preparing.sweep() == 1
    worker.prepare(str(script.uid))
    made = Script.objects.get(pk=script.pk)
    assert made.state == ScriptState.READY
    preparing.failed(dead, Failure.INTERRUPTED)
    assert Script.objects.get(pk=script.pk).state == ScriptState.READY


def test_a_script_withdrawn_or_halted_before_its_run_is_not_run(city, contract, worker, reviewers):
    first, second = submitted(city.enterprise, contract), submitted(city.enterprise, contract)
    for script in (first, second):
        approve(script, reviewers)
    withdraw_script(actor=factories.actor(city.enterprise), script=first)
    suspend_contract(actor=factories.actor(city.bureau), contract=contract, reason="核查")
    for script in (first, second):
        worker.prepare(str(script.uid))
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.state == ScriptState.WITHDRAWN
    assert (second.state, second.failure) == (ScriptState.FAILED, Failure.CONTRACT_HALTED)


def test_nothing_is_told_to_the_ledger_before_a_question(city, contract, worker, reviewers):
    prepared(worker, city, reviewers, contract)
    assert not Answer.objects.exists()
