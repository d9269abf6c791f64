"""How a run ends: what leaves is written with its receipt, or the run says why nothing leaves.

All of it within the caller's transaction, which holds the locks of the contract and the run.
"""

from __future__ import annotations

import pyarrow as pa
from django.db.models import QuerySet
from django.utils import timezone

from audit import export
from audit.refusals import Refused
from audit.transitions import move
from audit.transparency import proofs
from contracts.decisions import Action, Facts, decide
from contracts.models import Contract
from contracts.policy.canonical import digest
from contracts.policy.terms import Lane, Terms
from parties.actors import SYSTEM
from sandbox.disclosure import arrange, shown
from sandbox.disclosure.private.words import intervals
from sandbox.formats import from_ipc, to_ipc
from sandbox.guard import AggregateQuery
from sandbox.models import Answer, Release, Run, RunReview
from sandbox.receipt import receipt
from sandbox.scripts.states import Verdict
from sandbox.spec import RunSpec
from sandbox.states import Failure, RunState


def locked_run(runs: QuerySet[Run]) -> Run | None:
    """The one run of `runs`, locked, with its contract, which is locked first; None where it has gone meanwhile."""
    found = runs.first()
    if found is None:
        return None
    contract = (
        Contract.objects.select_for_update(of=["self"])
        .select_related("enterprise", "request")
        .get(pk=found.contract_id)
    )
    run = (
        Run.objects.select_for_update(of=["self"])
        .select_related("answer", "computation__script")
        .filter(pk=found.pk, state=found.state)
        .first()
    )
    if run is not None:
        run.contract = contract
    return run


def needs_review(run: Run) -> bool:
    """Asked of prepared records, and reviewers have not released the answer in this arrangement before.

    Another arrangement of it shows what they have not seen: HAVING and LIMIT leave cells out.
    """
    if run.computation.script is None:
        return False
    seen = Run.objects.filter(answer=run.answer, computation__digest=run.computation.digest)
    return not seen.filter(state=RunState.RELEASED).exists()


def refused_in_review(run: Run) -> bool:
    """A reviewer refused this answer, whoever asked: others are not asked again."""
    return RunReview.objects.filter(run__answer=run.answer, verdict=Verdict.REFUSE).exists()


def release(run: Run) -> tuple[Release | None, Refused | None]:
    """Write the release, or end the run: the contract's refusal is returned, for the caller to record."""
    assert run.answer is not None  # reserved when the question was asked
    terms = run.contract.terms
    try:
        decide(
            run.contract,
            Facts(action=Action.RELEASE, now=timezone.now(), protected_by=terms.disclosure),
        )
    except Refused as refused:
        end_run(run, Failure.CONTRACT_HALTED)
        return None, refused
    if run.cancel_requested:
        end_run(run, Failure.REQUESTED)
        return None, None
    return _write(run, run.answer, terms), None


def end_run(run: Run, failure: Failure) -> None:
    to = RunState.CANCELLED if failure in (Failure.REQUESTED, Failure.CONTRACT_HALTED) else RunState.FAILED
    fields = {"failure": failure, "finished": timezone.now(), "claim": None, "lease": None, "due": None}
    move(run, to, actor=SYSTEM, set_fields=fields, code=str(failure))


def table_of(run: Run) -> pa.Table:
    """What would leave: the answer's protected table, arranged as this run asked."""
    assert run.answer is not None
    query = AggregateQuery.from_json(run.computation.query)
    return arrange(from_ipc(bytes(run.answer.table or b"")), query, run.contract.terms)


def _write(run: Run, answer: Answer, terms: Terms) -> Release:
    now = timezone.now()
    query, spec = AggregateQuery.from_json(run.computation.query), RunSpec.from_json(run.spec)
    table = table_of(run)
    body = to_ipc(table)
    row = Release(run=run, table=body, digest=digest(body), evidence=answer.evidence,
                  summary=_summary(answer, query, table, terms), released=now)  # fmt: skip
    row.receipt = receipt(
        release_uid=str(row.uid), run_uid=str(run.uid), spec=spec, query=query.to_json(), answer=answer.key,
        lane=answer.lane, charge=answer.charge, sql_digest=answer.sql_digest, terms=terms,
        result_digest=row.digest, released_us=int(now.timestamp() * 1_000_000), audit_head=export.head().leaf,
        checkpoint=proofs.pinned(),
    )  # fmt: skip
    fields = {"finished": now, "claim": None, "lease": None, "due": None}
    move(
        run, RunState.RELEASED, actor=SYSTEM, set_fields=fields, release=row.audit_ref, result=row.digest,
        receipt=digest(row.receipt), contract=spec.contract, answer=answer.key,
    )  # fmt: skip
    row.event_id = run.event_id  # one entry for both
    row.save()
    return row


def _summary(answer: Answer, query: AggregateQuery, table: pa.Table, terms: Terms) -> dict[str, object]:
    ends = {"intervals": intervals(query)} if answer.lane == Lane.PRIVATE else {}
    return {**(answer.summary or {}), **shown(query, table, terms), **ends, "lane": answer.lane}
