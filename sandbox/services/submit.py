"""Submit a computation: guard, decide, reserve quota, queue. Cancel it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from contracts.decisions import Action, Facts, decide
from contracts.models import Contract
from contracts.permissions import check_can_compute
from contracts.policy.canonical import digest
from contracts.policy.terms import Terms
from parties.actors import Actor
from sandbox import queue
from sandbox.guard import AggregateQuery, canonical_bytes, check_query, check_sql
from sandbox.ledger import Asked, check_lane, lock_ledger, look_up, reserve, usage
from sandbox.models import Computation, Run
from sandbox.reads import extracts_for, script_for
from sandbox.releasing import end_run
from sandbox.spec import RunSpec
from sandbox.states import TERMINAL, Failure, RunState
from sandbox.uses import uses_of

MAX_WAITING = 20  # runs of one contract that may wait, run or be reviewed at once


@dataclass(frozen=True, slots=True)
class Question:
    """SQL text, or the structured form of the same (AggregateQuery as JSON): exactly one of them.

    `script`: uid of the script whose prepared records are asked in place of the dataset's own; "" for those.
    """

    text: str = ""
    query: dict[str, Any] | None = None
    title: str = ""
    script: str = ""


def checked(question: Question, terms: Terms) -> AggregateQuery:
    """The guard's answer. Raises Refused with the term and the place in the text."""
    if question.query is not None:
        return check_query(question.query, terms)
    return check_sql(question.text, terms)


@use_case("computation.submit", about="contract")
def submit(*, actor: Actor, contract: Contract, question: Question) -> Run:
    """Check and queue a computation; charge one run to the contract, and its privacy budget where it has one.

    A question that was answered before costs nothing: the same answer is given again.

    Raises Refused: role.missing, contract.* (any term), guard.* (the text), run.too_many, dataset.no_version.
    """
    contract = (
        Contract.objects.select_for_update(of=["self"])
        .select_related("enterprise", "request")
        .get(pk=contract.pk)
    )
    check_can_compute(actor, contract)
    assert actor.user is not None
    query = checked(question, contract.terms)
    script = script_for(question.script, contract)
    extracts = extracts_for(query, contract.terms, script)
    lock_ledger()
    asked = look_up(query, contract.terms, extracts)
    check_lane(asked)
    permit = decide(contract, facts_for(Action.SUBMIT, contract, query, asked, scripted=script is not None))
    if contract.runs.exclude(state__in=TERMINAL).count() >= MAX_WAITING:
        raise Refused("run.too_many", _("Too many runs of this contract are waiting. Let some finish first."))
    spec = RunSpec(contract=permit.digest, query=digest(canonical_bytes(query)), extracts=extracts)
    computation = Computation.objects.create(
        contract=contract, author=actor.user, title=question.title[:120], text=question.text,
        query=query.to_json(), digest=spec.query, script=script,
    )  # fmt: skip
    run = Run(
        computation=computation, contract=contract, submitted_by=actor.user, spec=spec.to_json(),
        state=RunState.QUEUED, charged=not asked.repeated,
    )  # fmt: skip
    run.answer = reserve(asked, contract=contract)
    run.save()
    if run.charged:
        contract.runs_used += 1
        contract.save(update_fields=["runs_used"])
    record(
        Event.RUN_QUEUED, actor=actor, about=run, contract=contract.audit_ref, policy=spec.contract,
        query=spec.query, extracts=[f"sha256:{e.sha256}" for e in spec.extracts], attempt=0,
        answer=asked.key, lane=asked.lane.value, charge=asked.charge,
        script=script.digest if script else "",
    )  # fmt: skip
    queue.nudge(run.uid)
    return run


@use_case("run.cancel", about="run")
def cancel(*, actor: Actor, run: Run) -> Run:
    """Cancel a run: at once if it waits (the quota is given back), within a second if it is under way (it is not)."""
    contract = (
        Contract.objects.select_for_update(of=["self"]).select_related("enterprise").get(pk=run.contract_id)
    )
    run = Run.objects.select_for_update().get(pk=run.pk)
    check_can_compute(actor, contract)
    if run.state == RunState.QUEUED:
        move(
            run, RunState.CANCELLED, actor=actor, code=str(Failure.REQUESTED),
            set_fields={"failure": Failure.REQUESTED, "finished": timezone.now()},
        )  # fmt: skip
        if run.charged and run.attempts == 0:  # no data was touched
            contract.runs_used -= 1
            contract.save(update_fields=["runs_used"])
    elif run.state == RunState.IN_REVIEW:
        end_run(run, Failure.REQUESTED)
    elif run.state == RunState.RUNNING:
        run.cancel_requested = True
        run.save(update_fields=["cancel_requested"])
    else:
        raise Refused("run.over", _("This run is over; there is nothing to cancel."))
    return run


def facts_for(
    action: Action, contract: Contract, query: AggregateQuery, asked: Asked, *, scripted: bool
) -> Facts:
    """The facts of a computation. `runs_used` does not count the run in question; a repeat costs nothing at all."""
    used, joined = uses_of(query, contract.terms)
    counted = action is not Action.SUBMIT or asked.repeated
    runs_used = contract.runs_used - 1 if counted else contract.runs_used
    return Facts(
        action=action,
        now=timezone.now(),
        runs_used=runs_used,
        used=used,
        joined=joined,
        scripted=scripted,
        **usage(contract, asked),
    )
