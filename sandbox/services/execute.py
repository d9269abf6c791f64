"""A run's way from queued to its end, as short transactions around the work in the sandbox.

claim → (work outside any transaction, renewing the lease) → give → hold → finish | end | give_back. Each of them locks
the row and checks the claim, so that a worker presumed dead cannot write over another's result (fencing).

What becomes of a run is told on a tick, counted from when it was queued: how long the work took tells of the data.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import record_refusal
from contracts.decisions import Action, Facts, decide, is_permitted
from contracts.models import Contract
from contracts.policy.terms import Lane, Terms
from parties.actors import SYSTEM
from sandbox import queue
from sandbox.guard import AggregateQuery
from sandbox.ledger import Asked, earlier, lock_ledger, look_up
from sandbox.models import Answer, Release, Run
from sandbox.releasing import end_run, locked_run, needs_review, refused_in_review, release
from sandbox.services.submit import facts_for
from sandbox.spec import RunSpec
from sandbox.states import Failure, RunState
from sandbox.ticks import next_tick

LEASE = timedelta(seconds=15)
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker, and no other, works on until its lease runs out."""

    run: Run
    claim: uuid.UUID
    spec: RunSpec
    query: AggregateQuery
    terms: Terms
    asked: Asked
    facts: Facts  # with which it was permitted to start

    @property
    def answer(self) -> Answer:
        assert self.asked.answer is not None  # reserved when the question was asked
        return self.asked.answer


@dataclass(frozen=True, slots=True)
class Given:
    """What the disclosure rules let through of a bare question, serialized, and the digest of the SQL that made it."""

    table: bytes
    evidence: bytes
    outline: bytes | None  # table lane only
    summary: dict[str, object]
    sql_digest: str


@dataclass(frozen=True, slots=True)
class Compared:
    """An earlier answer that a new one was compared with. For reviewers.

    `closest`: contributors by which the closest pair of numbers differs; None where no pair came near.
    `linked`: both were audited together, with all others that are; `narrowest`: of what may not be known too closely
    from all of them, the least interval shown, as a share of the one demanded. None where no end was found to any.
    """

    key: str
    closest: int | None
    linked: bool = False
    narrowest: float | None = None


def claim(run_uid: str) -> Claimed | None:
    """Take a waiting run, deciding again whether it may start. None if there is nothing to take or it ended here."""
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(skip_locked=True).filter(uid=run_uid, state=RunState.QUEUED).first()
        )
        if run is None:
            return None
        contract = run.contract = _contract(run)
        query, spec = AggregateQuery.from_json(run.computation.query), RunSpec.from_json(run.spec)
        try:
            asked = look_up(query, contract.terms, spec.extracts)
            scripted = run.computation.script_id is not None
            facts = facts_for(Action.START, contract, query, asked, scripted=scripted)
            decide(contract, facts)
        except Refused as error:
            refused = error
            end_run(run, Failure.CONTRACT_HALTED)
        else:
            token, now = uuid.uuid4(), timezone.now()
            fields = {"claim": token, "lease": now + LEASE, "attempts": run.attempts + 1, "started": now}
            move(run, RunState.RUNNING, actor=SYSTEM, set_fields=fields, attempt=run.attempts + 1)
            return Claimed(run, token, spec, query, contract.terms, asked, facts)
    record_refusal("run.start", actor=SYSTEM, about=run, refused=refused)
    return None


def keep(claimed: Claimed) -> Failure | None:
    """Renew the lease. Returns why the work must stop, or None to go on: asked about once a second (P8)."""
    now = timezone.now()
    renewed = Run.objects.filter(pk=claimed.run.pk, claim=claimed.claim, state=RunState.RUNNING).update(
        lease=now + LEASE
    )
    if not renewed:
        return Failure.INTERRUPTED
    run = Run.objects.only("cancel_requested", "contract_id").get(pk=claimed.run.pk)
    if run.cancel_requested:
        return Failure.REQUESTED
    if not is_permitted(_contract(run), replace(claimed.facts, now=now)):
        return Failure.CONTRACT_HALTED
    return None


def give(claimed: Claimed, given: Given, compared: Mapping[int, Compared]) -> list[Answer]:
    """Keep the answer for everyone who asks the same. Returns [] when it is kept, by this run or another.

    `compared`: by primary key, the earlier answers that it was compared with. Where others were given meanwhile
    nothing is kept, and they are returned: compare with them and come again.
    """
    with transaction.atomic():
        lock_ledger()
        answer = Answer.objects.get(pk=claimed.answer.pk)
        if answer.given is not None or answer.refused is not None:
            return []
        missed = earlier(answer, but=compared) if answer.lane == Lane.TABLE else []
        if not missed:
            answer.table, answer.evidence, answer.outline = given.table, given.evidence, given.outline
            answer.summary, answer.sql_digest, answer.given = given.summary, given.sql_digest, timezone.now()
            answer.compared = [asdict(one) for one in compared.values()]
            answer.save(
                update_fields=["table", "evidence", "outline", "summary", "compared", "sql_digest", "given"]
            )
        return missed


def hold(claimed: Claimed, *, cause: str = "", engine_seconds: float | None = None) -> None:
    """The work is done: its end is told on the next tick. With a `cause` it will be NOT_RELEASABLE."""
    with transaction.atomic():
        run = _still_ours(claimed)
        if run is None:
            return
        run.due = next_tick(run.queued)
        run.lease, run.cause, run.engine_seconds = run.due + LEASE, cause[:60], engine_seconds
        run.save(update_fields=["due", "lease", "cause", "engine_seconds"])
        if run.due > timezone.now():
            queue.finish_later(run.uid, run.due)
            return
    finish(str(run.uid))


def finish(run_uid: str) -> Release | None:
    """Tell what became of a run whose moment has come: release, if the contract still permits it. None if not.

    What was asked of records that a script prepared waits for its reviewers first, unless they have decided on it.
    """
    with transaction.atomic():
        run = locked_run(Run.objects.filter(uid=run_uid, state=RunState.RUNNING, due__lte=timezone.now()))
        if run is None or run.due is None:
            return None
        if run.cause or run.answer is None or run.answer.given is None:
            end_run(run, Failure.NOT_RELEASABLE)
            return None
        if needs_review(run):
            if refused_in_review(run):
                end_run(run, Failure.NOT_RELEASABLE)
                return None
            fields = {"claim": None, "lease": None, "due": None}
            move(run, RunState.IN_REVIEW, actor=SYSTEM, set_fields=fields, answer=run.answer.key)
            return None
        released, refused = release(run)
    if refused is not None:
        record_refusal("run.release", actor=SYSTEM, about=run, refused=refused)
    return released


def end(claimed: Claimed, failure: Failure) -> None:
    """End the run without a release."""
    with transaction.atomic():
        run = _still_ours(claimed)
        if run is not None:
            end_run(run, failure)


def give_back(claimed: Claimed) -> None:
    """The sandbox was lost through no fault of the computation: queue again, at most MAX_ATTEMPTS times."""
    with transaction.atomic():
        run = _still_ours(claimed)
        if run is not None:
            _requeue(run, Failure.SANDBOX_LOST)


def sweep() -> int:
    """Continue what was left: requeue runs whose lease ran out, nudge runs that nobody took, tell what is due."""
    now = timezone.now()
    touched = 0
    stuck = Run.objects.filter(state=RunState.RUNNING, lease__lt=now, due=None)
    for pk in stuck.values_list("pk", flat=True):
        with transaction.atomic():
            run = (
                Run.objects.select_for_update(skip_locked=True)
                .filter(pk=pk, state=RunState.RUNNING, lease__lt=now, due=None)
                .first()
            )
            if run is not None:
                _requeue(run, Failure.INTERRUPTED)
                touched += 1
    waiting = Run.objects.filter(state=RunState.QUEUED, state_since__lt=now - timedelta(seconds=5))
    for run_uid in waiting.order_by("queued").values_list("uid", flat=True)[:200]:
        with transaction.atomic():
            queue.nudge(run_uid)
        touched += 1
    late = Run.objects.filter(state=RunState.RUNNING, due__lt=now - timedelta(seconds=1))
    for run_uid in late.values_list("uid", flat=True):
        finish(str(run_uid))
        touched += 1
    return touched


def _contract(run: Run) -> Contract:
    return Contract.objects.select_related("enterprise", "request").get(pk=run.contract_id)


def _still_ours(claimed: Claimed) -> Run | None:
    return Run.objects.select_for_update().filter(
        pk=claimed.run.pk, claim=claimed.claim, state=RunState.RUNNING
    ).first()  # fmt: skip


def _requeue(run: Run, why: Failure) -> None:
    if run.cancel_requested:
        end_run(run, Failure.REQUESTED)
    elif run.attempts >= MAX_ATTEMPTS:
        end_run(run, why)
    else:
        move(
            run,
            RunState.QUEUED,
            actor=SYSTEM,
            set_fields={"claim": None, "lease": None},
            attempt=run.attempts,
            code=str(why),
        )
        queue.nudge(run.uid)
