"""Scripts that passed review and still mean harm, reviewers that are careless, workers that are killed (P1, P8, P9)."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit.models import Entry
from audit.refusals import Refused
from catalog import ingest
from catalog import sweep as catalog_sweep
from catalog.ingest.errors import IngestError
from catalog.schema import Column, ColumnKind, ColumnType, Schema
from contracts.policy import strictest
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Level
from contracts.services.signing import suspend_contract, terminate_contract
from sandbox import queue, source
from sandbox.isolation.answer import BadAnswer, read_table
from sandbox.isolation.job import Kind
from sandbox.isolation.outcome import Outcome, Status
from sandbox.isolation.runner import script as script_runner
from sandbox.isolation.runner.engine import Engine
from sandbox.isolation.runner.output import Output
from sandbox.models import Release, Script
from sandbox.scripts import preparing
from sandbox.scripts.fitting import Unfit, fit
from sandbox.scripts.reading import check_source
from sandbox.scripts.states import ScriptState
from sandbox.scripts.view import write_view
from sandbox.services.download import provenance
from sandbox.services.preview import preview
from sandbox.services.reproduce import reproduce
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import withdraw_script
from sandbox.services.submit import MAX_WAITING, Question, cancel, submit
from sandbox.states import Failure, RunState
from sandbox.worker import Worker
from tests import factories
from tests.computed import table
from tests.factories import DISTRICTS
from tests.integration.test_scripts import (
    FIRST_MONTH,
    READ,
    SAME,
    SQL,
    approve,
    asked,
    prepared,
    released,
    submitted,
)

# --- What fitting believes: no database ---------------------------------------------------------------------------
KEY = bytes.fromhex("5e" * 32)
DIMENSION, MEASURE = ColumnKind.DIMENSION, ColumnKind.MEASURE
DOMAINS = {
    "district": (ColumnType.TEXT, ("历下区", "Café", "A")),
    "floor": (ColumnType.INTEGER, ("-1", "2")),
    "share": (ColumnType.DECIMAL, ("0.50", "1.00")),
    "day": (ColumnType.DATE, ("2025-01-01", "2025-01-02")),
    "seen": (ColumnType.TIMESTAMP, ("2025-01-01 08:00:00", "2025-01-01 09:00:00")),
    "own": (ColumnType.BOOLEAN, ("true",)),
}
SCHEMA = Schema((
    Column("who", "who", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, nullable=False, unit_space="person"),
    *(
        Column(name, name, kind, DIMENSION, domain=domain, scale=2 if kind is ColumnType.DECIMAL else 0)
        for name, (kind, domain) in DOMAINS.items()
    ),
    Column("kwh", "kwh", ColumnType.DECIMAL, MEASURE, scale=2),
    Column("named", "named", ColumnType.INTEGER, MEASURE),  # names that the SQL of `fitting` has uses for
    Column("units", "units", ColumnType.INTEGER, MEASURE),
    Column("rows", "rows", ColumnType.INTEGER, MEASURE),
))  # fmt: skip
UNITS = 12


def _term() -> DatasetTerm:
    def column(c: Column) -> ColumnTerm:
        if c.kind is ColumnKind.PRIVACY_UNIT:
            return ColumnTerm(c.name, c.type, ColumnRole.UNIT)
        if c.kind is DIMENSION:
            level = Level.UNIT if c.name == "district" else Level.EVENT
            return ColumnTerm(
                c.name, c.type, ColumnRole.DIMENSION, domain=c.domain or (), scale=c.scale, level=level
            )
        return ColumnTerm(
            c.name, c.type, ColumnRole.MEASURE, aggregates=(Aggregate.SUM, Aggregate.COUNT), scale=c.scale
        )

    return DatasetTerm("urn:uuid:x", "things", tuple(column(c) for c in SCHEMA.columns))


TERM = _term()


class Bench:
    """An extract, what a script sees of it, and where what it hands over is fitted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = ["who,district,floor,share,day,seen,own,kwh,named,units,rows"]
        for n in range(UNITS):
            place = ("历下区", "Café", "A")[n % 3]
            lines += [
                f"P{n},{place},2,0.50,{day},2025-01-01 08:00:00,true,{n}.25,{n},1,1"
                for day in ("2025-01-01", "2025-01-02")
            ]
        (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
        made = ingest.build(
            ingest.open_source(folder / "rows.csv", folder=folder), SCHEMA, out_dir=folder, space_key=KEY
        )
        self.extract = os.open(made.path, os.O_RDONLY)
        self.view = self.seen("one")

    def seen(self, contract: str) -> pa.Table:
        target = self.folder / f"{contract}.view"
        write_view(self.extract, target, TERM, contract=contract, space_key=KEY, keep_going=lambda: True)
        return pq.read_table(target)

    def fit(self, emitted: pa.Table) -> pa.Table:
        made = fit(
            emitted, self.extract, TERM, contract="one", space_key=KEY, out_dir=self.folder,
            keep_going=lambda: True,
        )  # fmt: skip
        return pq.read_table(self.folder / f"{made.sha256}.parquet")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("fitting"))
    yield made
    os.close(made.extract)


def put(name: str, values: object, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """A column of the view replaced: by one value in each row, or by what a function makes of its values."""

    def change(view: pa.Table) -> pa.Table:
        old = view[name].to_pylist()
        new = values(old) if callable(values) else [values] * len(old)
        return view.set_column(view.column_names.index(name), name, pa.array(new, kind))

    return change


def cast(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    return lambda view: view.set_column(view.column_names.index(name), name, view[name].cast(kind))


REFUSED = {
    "a unit that is not there": put("who", lambda old: [old[0] + 1, *old[1:]], pa.int64()),
    "no unit in one row": put("who", lambda old: [None, *old[1:]], pa.int64()),
    "units as floats that round": put("who", lambda old: [float(v) for v in old], pa.float64()),
    "units as truths": put("who", True),
    "units as text of pseudonyms": put("who", "18446744073709551615"),
    "decomposed letters": put("district", lambda old: [v.replace("é", "e\u0301") for v in old]),
    "a trailing space": put("district", lambda old: [v + " " for v in old]),
    "another case": put("district", lambda old: [v.lower() for v in old]),
    "a trailing zero byte": put("district", lambda old: [v + "\0" for v in old]),
    "other bytes": put("district", lambda old: [b"\xff"] * len(old), pa.binary()),
    "a unit in two districts": put("district", lambda old: ["A"] * (len(old) - 1) + ["历下区"]),
    "a unit with and without a district": put("district", lambda old: [None, *old[1:]]),
    "a number outside its domain": put("floor", 3),
    "a number beyond its type": put("floor", 2**63, pa.uint64()),
    "a float that is none": put("floor", float("nan")),
    "a decimal outside its domain": put("share", Decimal("0.505"), pa.decimal128(10, 3)),
    "a decimal beyond its type": put("kwh", Decimal(10**17), pa.decimal128(38, 2)),
    "an infinite measure": put("kwh", float("inf")),
    "a measure that is no number": put("kwh", float("nan")),
    "a wide decimal": put("kwh", Decimal(1), pa.decimal256(60, 2)),
    "text for numbers": put("kwh", "1e400"),
    "a day outside its domain": put("day", "infinity"),
    "a moment outside its domain": put("seen", "2025-01-01 08:00:00.000001"),
    "a truth outside its domain": put("own", False),
    "a time of day": put("kwh", lambda old: [1] * len(old), pa.time64("us")),
    "a column twice": lambda view: view.append_column("kwh", view["kwh"]),
    "a column in another case": lambda view: view.rename_columns(
        ["KWH" if name == "kwh" else name for name in view.column_names]
    ),
    "a column in two cases": lambda view: view.append_column("KWH", view["kwh"]),
    "numbers of units": lambda view: view.append_column("_unit", view["who"]),
    "a verdict of its own": lambda view: view.append_column("_unfit", view["own"]),
    "nothing": lambda view: view.slice(0, 0),
}  # fmt: skip
TAKEN = {
    "what it was given": lambda view: view,
    "columns in another order": lambda view: view.select(sorted(view.column_names)),
    "units as text": cast("who", pa.string()),
    "large text": cast("district", pa.large_string()),
    "numbers as text": put("kwh", "1.5"),
    "more digits than are kept": put("kwh", Decimal("1.234567"), pa.decimal128(38, 6)),
    "more digits of a domain's value": put("share", Decimal("0.500000"), pa.decimal128(38, 6)),
    "a negative zero": put("kwh", -0.0),
    "the ends of a type": put("named", lambda old: [-(2**63), *[2**63 - 1] * (len(old) - 1)], pa.int64()),
    "moments as days": cast("day", pa.timestamp("us")),
    "moments with a zone": cast("seen", pa.timestamp("us", tz="UTC")),
    "a dimension left empty": put("district", None, pa.string()),
    "rows again": lambda view: pa.concat_tables([view, view]),
    "one row": lambda view: view.slice(5, 1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(bench, what):
    with pytest.raises((Unfit, IngestError)):
        bench.fit(REFUSED[what](bench.view))


@pytest.mark.parametrize("what", TAKEN)
def test_what_fits_has_the_form_and_the_domains_of_the_extract(bench, what):
    made, read = bench.fit(TAKEN[what](bench.view)), pq.read_table(f"/proc/self/fd/{bench.extract}")
    assert (made.schema.names, made.schema.types) == (read.schema.names, read.schema.types)
    units, numbers = made["who"].to_pylist(), made["_unit"].to_pylist()
    assert set(units) <= set(read["who"].to_pylist())
    assert numbers == sorted(numbers)
    assert [sorted(set(units)).index(unit) for unit in units] == numbers, "dense, by pseudonym"
    assert made["_record_key"].to_pylist() == list(range(1, made.num_rows + 1))
    for name in DOMAINS:
        declared = set(read[name].to_pylist()) | {None}
        assert set(made[name].to_pylist()) <= declared


def test_the_order_of_what_is_handed_over_tells_nothing(bench):
    turned = bench.view.take(pa.array(range(bench.view.num_rows - 1, -1, -1)))
    assert bench.fit(turned).equals(bench.fit(bench.view))


def test_a_view_has_the_contracts_columns_and_names_that_are_no_ones_elsewhere(bench):
    other, read = bench.seen("other"), pq.read_table(f"/proc/self/fd/{bench.extract}")
    assert bench.view.column_names == [column.name for column in TERM.columns]
    names = [set(seen["who"].to_pylist()) for seen in (bench.view, other, read)]
    assert [len(found) for found in names] == [UNITS] * 3
    assert not names[0] & names[1] | names[0] & names[2]
    assert bench.view["who"].to_pylist() == sorted(bench.view["who"].to_pylist())


UNSEEN = {
    "turned around": "emit(1)  # \u202e )0/1(time \u202c",
    "of no width": "emi\u200bt = emit  # emit(1)",
    "in a string": "emit('\u2066')",
    "a lone carriage return": "emit(1)  # fine\rimport os",
    "a form feed": "emit(1)\n\x0c#",
    "a line's end that is none": "emit(1)  # fine\u2028#",
    "far to the right": "emit(1)" + " " * 300 + "; 1 / 0",
}


@pytest.mark.parametrize("what", UNSEEN)
def test_a_reviewer_sees_what_is_run(what):
    with pytest.raises(Refused, match=r"script\.(unseen|syntax)"):
        check_source(UNSEEN[what])


@pytest.mark.parametrize("what", ["columns", "batches"])
def test_a_small_answer_does_not_stand_for_a_table_that_fills_the_worker(what):
    sink = pa.BufferOutputStream()
    schema = pa.schema([("", pa.bool_())] * (200_000 if what == "columns" else 1))
    with pa.ipc.new_stream(sink, schema) as stream:
        if what == "batches":
            batch = pa.record_batch([pa.array([], pa.bool_())], schema=schema)
            for _ in range(50_000):
                stream.write_batch(batch)
    with pytest.raises(BadAnswer):
        read_table(sink.getvalue().to_pybytes(), max_rows=10)


# --- What becomes of it: with a database --------------------------------------------------------------------------
TOTAL = "SELECT COUNT(*) AS n, SUM(kwh) AS kwh FROM electricity"
EXIT = "import os\nos._exit(137)  # as if something outside had killed it\nemit(1)"
ONE = READ + "emit(table.slice(0, 1))"


class NoWalls:
    """In place of a pool of jails, for attacks on what is around them: the runner's own code, in this process."""

    def run(self, job, descriptors, *, limits, keep_going) -> Outcome:
        output = Output(max_bytes=limits.output_bytes, max_rows=job.max_rows)
        given = {"source": job.text, "sql": job.text, "tables": job.tables}
        try:
            runner = script_runner.run if job.kind is Kind.SCRIPT else Engine(threads=1).run
            runner(given, descriptors, output)
        except Exception:  # noqa: BLE001  # whatever a script raises
            return Outcome(Status.ENGINE_ERROR)
        return Outcome(Status.OK, read_table(output.content(), max_rows=job.max_rows))


@pytest.fixture(scope="module")
def jailed():
    made = Worker()
    yield made
    made.close()


@pytest.fixture(scope="module")
def worker():
    made = Worker.__new__(Worker)
    made.limits, made.pool = settings.SANDBOX_LIMITS, NoWalls()
    return made


@pytest.fixture
def city(transactional_db):
    return factories.city()


@pytest.fixture
def reviewers(city):
    return [city.bureau, factories.account("second", city.bureau.organization)]


@pytest.fixture
def dataset(city):
    return factories.published_dataset(city.power)


@pytest.fixture
def permit(monkeypatch):
    """Have contracts permit scripts, and hold other limits besides."""

    def also(**limits: int) -> None:
        terms = {g: replace(t, allow_scripts=1, **limits) for g, t in strictest._DEFAULTS.items()}
        monkeypatch.setattr(strictest, "_DEFAULTS", terms)

    also()
    return also


@pytest.fixture
def contract(city, dataset, permit):
    return factories.signed_contract(city.enterprise, [dataset], city.deciders)


def approved(user, contract, reviewers, source=SAME) -> Script:
    script = submitted(user, contract, source)
    approve(script, reviewers)
    return fresh(script)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def worked(worker, script) -> Script:
    """By as many attempts as it takes."""
    for _ in range(preparing.MAX_ATTEMPTS + 1):
        worker.prepare(str(script.uid))
    return fresh(script)


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What each of these, done at the same moment, was refused with; "" where it was done."""
    said, gate = [""] * len(acts), threading.Barrier(len(acts))

    def one(place: int) -> None:
        gate.wait()
        try:
            acts[place]()
        except Refused as refused:
            said[place] = refused.code
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


# Ends
def test_a_script_that_ends_as_if_it_were_killed_has_failed_like_any_other(
    city, dataset, permit, jailed, reviewers
):
    permit(max_refusals=1)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    script = worked(jailed, approved(city.enterprise, contract, reviewers, EXIT))
    assert (script.state, script.failure) == (ScriptState.FAILED, Failure.NOT_RELEASABLE)
    with pytest.raises(Refused, match=r"contract\.lane_closed"):
        submitted(city.enterprise, contract)


def test_a_script_that_takes_its_workers_along_has_failed_like_any_other(city, contract, reviewers):
    script = approved(city.enterprise, contract, reviewers)
    for _ in range(preparing.MAX_ATTEMPTS):
        assert preparing.claim(str(script.uid)) is not None  # then the worker is killed
        Script.objects.filter(pk=script.pk).update(lease=timezone.now() - timedelta(seconds=1))
    assert preparing.claim(str(script.uid)) is None
    script = fresh(script)
    assert (script.state, script.failure) == (ScriptState.FAILED, Failure.NOT_RELEASABLE)


@pytest.mark.parametrize("source", ["emit(1 / 0)", EXIT], ids=["failed", "killed"])
def test_every_bad_end_is_told_on_a_tick(city, contract, jailed, reviewers, settings, source):
    settings.RELEASE_TICK_SECONDS = 2
    script = approved(city.enterprise, contract, reviewers, source)
    since = script.state_since
    script = worked(jailed, script)
    assert script.state == ScriptState.FAILED
    late = (script.state_since - since).total_seconds() % 2
    assert late < 0.5


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(60)\nemit(1)",
        "import os, time\nos.write(3, (60).to_bytes(4, 'big'))\ntime.sleep(60)\nemit(1)",
        "import os\nwhile True: os.write(3, b'x')\nemit(1)",
    ],
    ids=["sleeps", "answers half", "babbles"],
)
def test_a_script_does_not_hold_a_worker_beyond_its_limit(
    city, contract, jailed, reviewers, settings, source
):
    settings.SCRIPT_LIMITS = replace(settings.SCRIPT_LIMITS, wall_seconds=1.0)
    script = approved(city.enterprise, contract, reviewers, source)
    started = time.monotonic()
    jailed.prepare(str(script.uid))
    assert fresh(script).failure == Failure.NOT_RELEASABLE
    assert time.monotonic() - started < 10


def test_nothing_a_script_says_is_kept(city, contract, jailed, reviewers, caplog):
    caplog.set_level("DEBUG")
    loud = 'import sys\nword = "sec" + "ret77"\nprint(word); print(word, file=sys.stderr)\nraise ValueError(word)\nemit(1)'
    script = prepared(jailed, city, reviewers, contract, loud)
    assert script.state == ScriptState.FAILED
    assert "secret77" not in caplog.text
    for model in (Script, Entry):
        assert "secret77" not in str(list(model.objects.values()))


def test_a_script_sees_its_view_and_no_other_file(city, contract, jailed, reviewers):
    looks = READ + (
        "import os, stat\n"
        "opened = [os.stat(f'/proc/self/fd/{n}') for n in range(256) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "assert len({s.st_ino for s in opened if stat.S_ISREG(s.st_mode)}) == 1\n"
        "assert not any(stat.S_ISDIR(s.st_mode) for s in opened)\n"
        "emit(table)"
    )
    assert prepared(jailed, city, reviewers, contract, looks).state == ScriptState.READY


# What is told without a review
@pytest.mark.parametrize("source", [ONE, READ + "import pyarrow as pa\nemit(pa.concat_tables([table] * 7))"])
def test_how_many_records_a_script_made_is_told_nowhere(city, dataset, contract, worker, reviewers, source):
    """Else it could write a secret into their number."""
    script = prepared(worker, city, reviewers, contract, source)
    assert script.records.rows == dataset.current.rows
    acting, question = factories.actor(city.enterprise), Question(text=SQL, script=str(script.uid))
    assert preview(actor=acting, contract=contract, question=question).rows == dataset.current.told_rows
    run = released(asked(worker, city, contract, script), reviewers)
    (extract,) = json.loads(bytes(run.release.receipt))["extracts"]
    assert "rows" not in extract


def test_reviewers_who_saw_a_part_have_not_released_the_whole(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract)
    part = asked(worker, city, contract, script, SQL + " LIMIT 1")
    assert len(table(released(part, reviewers))) == 1
    whole = asked(worker, city, contract, script)
    assert whole.answer == part.answer
    assert whole.state == RunState.IN_REVIEW
    assert asked(worker, city, contract, script, SQL + " LIMIT 1").state == RunState.RELEASED


def test_what_one_reviewer_refused_is_not_brought_before_others(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    run = asked(worker, city, contract, script)
    review_run(actor=factories.actor(reviewers[0]), run=run, verdict="refuse", note="太细")
    again = prepared(worker, city, reviewers, contract, FIRST_MONTH + "# another text, the same records")
    for other, text in ((script, SQL), (again, SQL), (script, SQL + " LIMIT 2")):
        run = asked(worker, city, contract, other, text)
        assert (run.state, run.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)


def test_a_refusal_settles_every_run_that_waits_with_the_same_answer(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    runs = [asked(worker, city, contract, script, text) for text in (SQL, SQL, SQL + " LIMIT 2")]
    review_run(actor=factories.actor(reviewers[0]), run=runs[0], verdict="refuse", note="太细")
    for run in runs[1:]:
        review_run(actor=factories.actor(reviewers[1]), run=run, verdict="approve", note="看过")
        assert fresh(run).failure == Failure.NOT_RELEASABLE


def test_the_same_records_by_two_scripts_share_answers_and_each_receipt_names_its_own(
    city, contract, worker, reviewers
):
    first = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    second = prepared(worker, city, reviewers, contract, "# again\n" + FIRST_MONTH)
    assert first.records.sha256 == second.records.sha256, "the same records are not the same bytes"
    one = released(asked(worker, city, contract, first), reviewers)
    other = asked(worker, city, contract, second)
    assert other.state == RunState.RELEASED, "reviewers have seen this table"
    named = [json.loads(bytes(run.release.receipt))["extracts"][0]["script"] for run in (one, other)]
    assert named == [first.digest, second.digest]
    for run, digest in zip((one, other), named, strict=True):
        assert digest in [text for _label, text in provenance(run.release)]
    assert bytes(one.release.table) == bytes(other.release.table)


def test_reviewers_are_not_flooded(city, contract, worker, reviewers):
    script = prepared(worker, city, reviewers, contract)
    assert asked(worker, city, contract, script).state == RunState.IN_REVIEW
    question = Question(text=SQL, script=str(script.uid))
    for _ in range(MAX_WAITING - 1):
        submit(actor=factories.actor(city.enterprise), contract=contract, question=question)
    with pytest.raises(Refused, match=r"run\.too_many"):
        submit(actor=factories.actor(city.enterprise), contract=contract, question=question)


# Other lanes
@pytest.mark.parametrize("lane", ["perturbed", "private"])
def test_prepared_records_are_not_joined_to_numbers_of_another_lane(
    city, dataset, permit, worker, reviewers, lane
):
    """Their keys and rows are the script's: it could average a perturbation away, or let one unit move others' rows."""
    water = factories.water_dataset(city.power)
    lanes = {"water.cubic_metres": {"lane": lane, "low": 0, "high": 500}}
    contract = factories.signed_contract(city.enterprise, [dataset, water], city.deciders, lanes=lanes)
    script = prepared(worker, city, reviewers, contract)
    joined = (
        "SELECT SUM(w.cubic_metres) AS w FROM electricity e JOIN water w ON e.credit_code = w.credit_code"
    )
    with pytest.raises(Refused, match=r"contract\.(script_lane|dataset_budget)"):
        asked(worker, city, contract, script, joined)


# The ledger
def test_questions_that_were_refused_count_against_scripts_too(city, dataset, permit, worker, reviewers):
    permit(max_refusals=1)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    waiting = approved(city.enterprise, contract, reviewers)
    Script.objects.filter(pk=waiting.pk).update(lease=timezone.now() + timedelta(hours=1))
    script = worked(worker, approved(city.enterprise, contract, reviewers))
    run = asked(worker, city, contract, script)
    review_run(actor=factories.actor(reviewers[0]), run=run, verdict="refuse", note="太细")
    with pytest.raises(Refused, match=r"contract\.lane_closed"):
        submitted(city.enterprise, contract)
    Script.objects.filter(pk=waiting.pk).update(lease=None)
    assert worked(worker, waiting).failure == Failure.CONTRACT_HALTED


def test_an_answer_that_waits_for_review_is_compared_with(city, contract, worker, reviewers):
    drop = READ + (
        "import pyarrow.compute as pc\n"
        'emit(table.filter(pc.not_equal(table["credit_code"], pc.min(table["credit_code"]))))'
    )
    waiting = asked(worker, city, contract, prepared(worker, city, reviewers, contract, drop), TOTAL)
    assert waiting.state == RunState.IN_REVIEW
    plain = asked(worker, city, contract, None, TOTAL)
    assert (plain.state, plain.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)


def test_a_script_that_moves_labels_and_drops_one_unit_is_found(city, contract, worker, reviewers):
    """Differencing across cells: one district less one enterprise, under another district's name."""
    assert asked(worker, city, contract, None).state == RunState.RELEASED
    moved = READ + (
        "import pyarrow as pa, pyarrow.compute as pc\n"
        'table = table.filter(pc.not_equal(table["credit_code"], pc.min(table["credit_code"])))\n'
        f"names = {list(DISTRICTS)}\n"
        'turned = [names[(names.index(name) + 1) % 3] for name in table["district"].to_pylist()]\n'
        'emit(table.set_column(table.column_names.index("district"), "district", pa.array(turned)))'
    )
    script = prepared(worker, city, reviewers, contract, moved)
    assert script.state == ScriptState.READY, script.cause
    run = asked(worker, city, contract, script)
    assert (run.state, run.failure) == (RunState.FAILED, Failure.NOT_RELEASABLE)


# Files
def test_the_sweep_spares_what_scripts_prepared_and_removes_what_a_crash_left(
    city, contract, worker, reviewers
):
    script = prepared(worker, city, reviewers, contract, FIRST_MONTH)
    folder = Path(settings.EXTRACTS_DIR)
    kept = folder / f"{script.records.sha256}.parquet"
    gone = [folder / f"{'1' * 64}.parquet", folder / ".extract-0123.tmp"]
    for path in gone:
        path.write_bytes(b"x")
    long_ago = time.time() - catalog_sweep.UNTOUCHED_FOR - 60
    for path in (kept, *gone):
        os.utime(path, (long_ago, long_ago))
    catalog_sweep.sweep()
    assert kept.exists()
    assert not any(path.exists() for path in gone)


def test_no_view_is_left_on_the_disk(city, contract, worker, reviewers):
    for text in (SAME, "emit(1 / 0)"):
        prepared(worker, city, reviewers, contract, text)
    assert not list(Path(settings.EXTRACTS_DIR).glob(".extract-*"))


def test_many_prepared_records_give_the_same_table_from_a_kept_one_and_are_reproduced(
    city, permit, worker, reviewers, monkeypatch
):
    """More rows than a row group, in an order of the script's own; the plain plan is what `reproduce` computes."""
    rows = [row for row in factories.electricity_rows() for _ in range(1100)]
    dataset = factories.published_dataset(city.power, rows=rows)
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders)
    shuffled = READ + (
        "import numpy as np\n"
        "emit(table.take(np.random.default_rng({seed}).permutation(len(table))[: len(table) - 1000]))"
    )
    whole = READ + "import numpy as np\nemit(table.take(np.random.default_rng().permutation(len(table))))"
    scripts = [prepared(worker, city, reviewers, contract, whole + "#" * n) for n in range(2)]
    assert scripts[0].records.sha256 == scripts[1].records.sha256
    found = []
    opened = source.store.find
    monkeypatch.setattr(source.store, "find", lambda layout: found.append(opened(layout)) or found[-1])
    fewer = prepared(worker, city, reviewers, contract, shuffled.format(seed=1))
    for script in (scripts[0], fewer):
        run = asked(worker, city, contract, script, SQL.replace("district", "district, month"))
        assert run.state == RunState.IN_REVIEW, run.cause
        assert reproduce(released(run, reviewers).release, worker).same
    assert any(found), "no kept table was read"


# Two at once
def says(user, script, verdict="approve") -> Callable[[], object]:
    acting = factories.actor(user)
    return lambda: review_script(actor=acting, script=script, verdict=verdict, note="看过")


def withdraws(user, script) -> Callable[[], object]:
    acting = factories.actor(user)
    return lambda: withdraw_script(actor=acting, script=script)


def test_two_reviewers_at_once_approve_it_once(city, contract, reviewers, monkeypatch):
    sent: list[object] = []
    monkeypatch.setattr(queue, "_send", lambda uid, *_rest: sent.append(uid))
    third = factories.account("third", city.bureau.organization)
    script = submitted(city.enterprise, contract)
    said = at_once(*(says(user, script) for user in (*reviewers, third)))
    assert sorted(said) == ["", "", "review.closed"]
    assert fresh(script).state == ScriptState.APPROVED
    assert sent == [str(script.uid)]


def test_one_reviewer_at_once_with_themselves_counts_once(city, contract, reviewers):
    script = submitted(city.enterprise, contract)
    assert sorted(at_once(says(reviewers[0], script), says(reviewers[0], script))) == ["", "review.twice"]
    assert fresh(script).state == ScriptState.IN_REVIEW


@pytest.mark.parametrize("other", ["refuses", "withdraws"])
def test_the_second_approval_and_its_opposite_at_once_leave_one_end(city, contract, reviewers, other):
    script = submitted(city.enterprise, contract)
    says(reviewers[0], script)()
    third = factories.account("third", city.bureau.organization)
    against = says(third, script, "refuse") if other == "refuses" else withdraws(city.enterprise, script)
    said = at_once(says(reviewers[1], script), against)
    state = fresh(script).state
    if other == "refuses":
        assert sorted(said) == ["", "review.closed"]
        assert state in {ScriptState.APPROVED, ScriptState.REFUSED}
    else:  # an approved script can still be withdrawn
        assert state == ScriptState.WITHDRAWN
        assert said[1] == ""


def test_two_reviewers_at_once_release_a_table_once(city, contract, worker, reviewers):
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract))
    third = factories.account("third", city.bureau.organization)

    def approves(user) -> Callable[[], object]:
        acting = factories.actor(user)
        return lambda: review_run(actor=acting, run=run, verdict="approve", note="看过")

    assert sorted(at_once(*map(approves, (*reviewers, third)))) == ["", "", "review.closed"]
    assert fresh(run).state == RunState.RELEASED


def test_the_second_approval_and_a_cancellation_at_once_leave_one_end(city, contract, worker, reviewers):
    run = asked(worker, city, contract, prepared(worker, city, reviewers, contract))
    review_run(actor=factories.actor(reviewers[0]), run=run, verdict="approve", note="看过")
    second, owner = factories.actor(reviewers[1]), factories.actor(city.enterprise)
    said = at_once(
        lambda: review_run(actor=second, run=run, verdict="approve", note="看过"),
        lambda: cancel(actor=owner, run=run),
    )
    ends = {RunState.RELEASED: ["", "run.over"], RunState.CANCELLED: ["review.closed", ""]}
    assert said == ends[RunState(fresh(run).state)]
    assert Release.objects.filter(run=run).count() == said.count("run.over")


def test_a_script_withdrawn_while_it_runs_prepares_nothing(city, contract, worker, reviewers, monkeypatch):
    script = approved(city.enterprise, contract, reviewers)
    run = worker.pool.run

    def meanwhile(*given, **named) -> Outcome:
        withdraws(city.enterprise, script)()
        return run(*given, **named)

    monkeypatch.setattr(worker.pool, "run", meanwhile)
    worker.prepare(str(script.uid))
    script = fresh(script)
    assert (script.state, script.prepared) == (ScriptState.WITHDRAWN, None)


def test_a_worker_whose_lease_ran_out_finishes_nothing(city, contract, reviewers):
    script = approved(city.enterprise, contract, reviewers)
    late = preparing.claim(str(script.uid))
    Script.objects.filter(pk=script.pk).update(lease=timezone.now() - timedelta(seconds=1))
    assert preparing.claim(str(script.uid)) is not None
    assert preparing.keep(late) == Failure.INTERRUPTED
    preparing.failed(late, Failure.NOT_RELEASABLE)
    preparing.give_back(late)
    assert fresh(script).lease > timezone.now()


@pytest.mark.parametrize("when", ["in review", "approved", "ready"])
@pytest.mark.parametrize("halt", [suspend_contract, terminate_contract])
def test_a_halted_contract_halts_its_scripts(city, contract, worker, reviewers, when, halt):
    script = submitted(city.enterprise, contract)
    if when != "in review":
        approve(script, reviewers)
    if when == "ready":
        worker.prepare(str(script.uid))
    halt(actor=factories.actor(city.bureau), contract=contract, reason="核查")
    if when == "in review":
        approve(script, reviewers)
    if when == "ready":
        with pytest.raises(Refused, match=r"contract\.(suspended|terminated)"):
            asked(worker, city, contract, fresh(script))
        return
    script = worked(worker, script)
    assert (script.state, script.failure) == (ScriptState.FAILED, Failure.CONTRACT_HALTED)


def test_a_reviewers_account_that_is_closed_says_nothing_more(city, contract, reviewers):
    script = submitted(city.enterprise, contract)
    reviewers[1].is_active = False
    reviewers[1].save()
    says(reviewers[0], script)()
    with pytest.raises(Refused, match=r"role\.missing"):
        says(reviewers[1], script)()


def test_used_up_runs_are_not_prepared_for(city, dataset, permit, worker, reviewers):
    contract = factories.signed_contract(city.enterprise, [dataset], city.deciders, max_runs=1)
    script = prepared(worker, city, reviewers, contract)
    assert asked(worker, city, contract, script).state == RunState.IN_REVIEW
    with pytest.raises(Refused, match=r"contract\.quota"):
        submitted(city.enterprise, contract)
