"""A run's way from queued to its end, as short transactions around the work in the sandbox.

claim → (work outside any transaction, renewing the lease) → release | end | give_back. Each of them locks the row and
checks the claim, so that a worker presumed dead cannot write over another's result (fencing).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit import export
from audit.refusals import Refused
from audit.transitions import move
from audit.transparency import proofs
from audit.use_case import record_refusal
from contracts.decisions import Action, Facts, decide, is_permitted
from contracts.models import Contract
from contracts.policy.canonical import digest
from contracts.policy.terms import Terms
from parties.actors import SYSTEM
from sandbox import queue
from sandbox.guard import AggregateQuery
from sandbox.models import Release, Run
from sandbox.receipt import receipt
from sandbox.services.submit import facts_for
from sandbox.spec import RunSpec
from sandbox.states import Failure, RunState

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


@dataclass(frozen=True, slots=True)
class Result:
    """What the disclosure rules let through, serialized, and the digest of the SQL that made it."""

    table: bytes
    evidence: bytes
    summary: dict[str, object]
    sql_digest: str
    engine_seconds: float


def claim(run_uid: str) -> Claimed | None:
    """Take a waiting run, deciding again whether it may start. None if there is nothing to take or it ended here."""
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(skip_locked=True).filter(uid=run_uid, state=RunState.QUEUED).first()
        )
        if run is None:
            return None
        contract = run.contract = _contract(run)
        query = AggregateQuery.from_json(run.computation.query)
        refused = _refusal(contract, facts_for(Action.START, contract, query))
        if refused is None:
            token = uuid.uuid4()
            now = timezone.now()
            fields = {"claim": token, "lease": now + LEASE, "attempts": run.attempts + 1, "started": now}
            move(run, RunState.RUNNING, actor=SYSTEM, set_fields=fields, attempt=run.attempts + 1)
            return Claimed(run, token, RunSpec.from_json(run.spec), query, contract.terms)
        _end(run, Failure.CONTRACT_HALTED)
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
    contract = _contract(run)
    if not is_permitted(contract, facts_for(Action.START, contract, claimed.query)):
        return Failure.CONTRACT_HALTED
    return None


def release(claimed: Claimed, result: Result) -> Release | None:
    """Release a protected table, if the contract still permits it. None if it does not or the claim was lost."""
    with transaction.atomic():
        contract = (
            Contract.objects.select_for_update(of=["self"])
            .select_related("enterprise", "request")
            .get(pk=claimed.run.contract_id)
        )
        run = _still_ours(claimed)
        if run is None:
            return None
        run.contract = contract
        facts = Facts(action=Action.RELEASE, now=timezone.now(), protected_by=claimed.terms.disclosure)
        refused = _refusal(contract, facts)
        if refused is None and not run.cancel_requested:
            return _write(run, claimed, result)
        _end(run, Failure.REQUESTED if refused is None else Failure.CONTRACT_HALTED)
    if refused is not None:
        record_refusal("run.release", actor=SYSTEM, about=run, refused=refused)
    return None


def end(claimed: Claimed, failure: Failure) -> None:
    """End the run without a release."""
    with transaction.atomic():
        run = _still_ours(claimed)
        if run is not None:
            _end(run, failure)


def give_back(claimed: Claimed) -> None:
    """The sandbox was lost through no fault of the computation: queue again, at most MAX_ATTEMPTS times."""
    with transaction.atomic():
        run = _still_ours(claimed)
        if run is not None:
            _requeue(run, Failure.SANDBOX_LOST)


def sweep() -> int:
    """Continue what was left: requeue runs whose lease ran out, nudge runs that nobody took. Returns how many."""
    now = timezone.now()
    touched = 0
    stuck = Run.objects.filter(state=RunState.RUNNING, lease__lt=now)
    waiting = Run.objects.filter(state=RunState.QUEUED, state_since__lt=now - timedelta(seconds=5))
    for pk in stuck.values_list("pk", flat=True):
        with transaction.atomic():
            run = (
                Run.objects.select_for_update(skip_locked=True)
                .filter(pk=pk, state=RunState.RUNNING, lease__lt=now)
                .first()
            )
            if run is not None:
                _requeue(run, Failure.INTERRUPTED)
                touched += 1
    for run_uid in waiting.order_by("queued").values_list("uid", flat=True)[:200]:
        with transaction.atomic():
            queue.nudge(run_uid)
        touched += 1
    return touched


def _write(run: Run, claimed: Claimed, result: Result) -> Release:
    now = timezone.now()
    row = Release(run=run, table=result.table, digest=digest(result.table), evidence=result.evidence,
                  summary=result.summary, released=now)  # fmt: skip
    row.receipt = receipt(
        release_uid=str(row.uid), run_uid=str(run.uid), spec=claimed.spec, query=claimed.query.to_json(),
        sql_digest=result.sql_digest, disclosure=claimed.terms.disclosure, result_digest=row.digest,
        released_us=int(now.timestamp() * 1_000_000), audit_head=export.head().leaf,
        checkpoint=proofs.pinned(),
    )  # fmt: skip
    fields = {"finished": now, "engine_seconds": result.engine_seconds, "claim": None, "lease": None}
    move(
        run, RunState.RELEASED, actor=SYSTEM, set_fields=fields, release=row.audit_ref, result=row.digest,
        receipt=digest(row.receipt), contract=claimed.spec.contract,
    )  # fmt: skip
    row.event_id = run.event_id  # one entry for both
    row.save()
    return row


def _contract(run: Run) -> Contract:
    return Contract.objects.select_related("enterprise", "request").get(pk=run.contract_id)


def _refusal(contract: Contract, facts: Facts) -> Refused | None:
    try:
        decide(contract, facts)
    except Refused as refused:
        return refused
    return None


def _still_ours(claimed: Claimed) -> Run | None:
    return Run.objects.select_for_update().filter(
        pk=claimed.run.pk, claim=claimed.claim, state=RunState.RUNNING
    ).first()  # fmt: skip


def _end(run: Run, failure: Failure) -> None:
    to = RunState.CANCELLED if failure in (Failure.REQUESTED, Failure.CONTRACT_HALTED) else RunState.FAILED
    fields = {"failure": failure, "finished": timezone.now(), "claim": None, "lease": None}
    move(run, to, actor=SYSTEM, set_fields=fields, code=str(failure))


def _requeue(run: Run, why: Failure) -> None:
    if run.cancel_requested:
        _end(run, Failure.REQUESTED)
    elif run.attempts >= MAX_ATTEMPTS:
        _end(run, why)
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
