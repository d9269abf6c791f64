"""What a computation would cost and whether it would be accepted, before anything is charged. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.refusals import Refused
from catalog.models import Version
from contracts.decisions import Action, decide
from contracts.models import Contract
from contracts.permissions import check_can_compute
from contracts.policy.terms import Lane
from parties.actors import Actor
from sandbox.disclosure.private.expected import ExpectedError, expected_error
from sandbox.guard import AggregateQuery, possible_cells
from sandbox.guard.fan_out import fan_out
from sandbox.ledger import budgets, check_lane, look_up
from sandbox.reads import extracts_for, script_for
from sandbox.services.submit import Question, checked, facts_for
from sandbox.spec import ExtractRef


@dataclass(frozen=True, slots=True)
class Preview:
    """`problems` is empty where a submission would be accepted now. Each problem has code, reason and place.

    `warnings` (code and reason) do not hinder: the question is permitted but may not mean what it seems to.
    `repeated`: it was answered before, and the same answer costs nothing.
    Private lane: `charge` is what it would cost, in micro-rho; `questions_left` as many full questions more before it;
    `expected` the error of each measure by its label.
    `rows`: of the versions that would be read, rounded as in the catalog. `cells`: of the table.
    """

    problems: list[dict[str, Any]] = field(default_factory=list)
    query: AggregateQuery | None = None
    rows: int = 0
    cells: int = 0
    runs_left: int = 0
    repeated: bool = False
    lane: Lane = Lane.TABLE
    charge: int = 0
    questions_left: int | None = None
    expected: dict[str, ExpectedError] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)


def preview(*, actor: Actor, contract: Contract, question: Question) -> Preview:
    """Nothing is recorded and nothing charged: the same question may be asked while it is being typed."""
    runs_left = contract.terms.max_runs - contract.runs_used
    try:
        check_can_compute(actor, contract)
        query = checked(question, contract.terms)
        script = script_for(question.script, contract)
        extracts = extracts_for(query, contract.terms, script)
        asked = look_up(query, contract.terms, extracts)
        check_lane(asked)
        decide(contract, facts_for(Action.SUBMIT, contract, query, asked, scripted=script is not None))
    except Refused as refused:
        problems = refused.details.get("problems") or [{"code": refused.code, "reason": refused.reason}]
        return Preview(problems=[dict(problem) for problem in problems], runs_left=runs_left)
    versions = _versions(extracts)
    left = [budget.questions_left for budget in budgets(contract).values()]
    private = asked.lane is Lane.PRIVATE
    return Preview(
        query=query,
        rows=sum(version.told_rows or 0 for version in versions.values()),
        cells=possible_cells(query, contract.terms),
        runs_left=runs_left,
        repeated=asked.repeated,
        lane=asked.lane,
        charge=asked.charge,
        questions_left=min(left) if left and private else None,
        expected=expected_error(query, contract.terms) if private else {},
        warnings=fan_out(query, contract.terms, _sizes(versions)),
    )


def _versions(extracts: Sequence[ExtractRef]) -> dict[str, Version]:
    """By the table's name. What a question reads is not asked for its size: a script may have chosen it."""
    found = Version.objects.in_bulk([e.version_uid for e in extracts], field_name="uid")
    by_uid = {str(uid): version for uid, version in found.items()}
    return {e.table: by_uid[e.version_uid] for e in extracts}


def _sizes(versions: Mapping[str, Version]) -> dict[str, tuple[int, int]]:
    """Dataset → rows and units. An extract without units is about nobody: its rows stand for themselves."""
    return {
        name: (version.rows or 0, version.units or version.rows or 0) for name, version in versions.items()
    }
