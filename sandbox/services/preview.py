"""What a computation would cost and whether it would be accepted, before anything is charged. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from audit.refusals import Refused
from catalog.models import Version
from contracts.decisions import Action, decide
from contracts.models import Contract
from contracts.permissions import check_can_compute
from parties.actors import Actor
from sandbox.guard import AggregateQuery, possible_cells
from sandbox.guard.fan_out import fan_out
from sandbox.services.answers import check_lane, look_up
from sandbox.services.submit import Question, checked, extracts_for, facts_for
from sandbox.spec import ExtractRef


@dataclass(frozen=True, slots=True)
class Preview:
    """`problems` is empty where a submission would be accepted now. Each problem has code, reason and place.

    `warnings` (code and reason) do not hinder: the question is permitted but may not mean what it seems to.
    `repeated`: it was answered before, and the same answer costs nothing.
    `rows`: rows of the extracts that would be read (the catalog shows them to everyone). `cells`: of the table.
    """

    problems: list[dict[str, Any]] = field(default_factory=list)
    query: AggregateQuery | None = None
    rows: int = 0
    cells: int = 0
    runs_left: int = 0
    repeated: bool = False
    warnings: list[dict[str, Any]] = field(default_factory=list)


def preview(*, actor: Actor, contract: Contract, question: Question) -> Preview:
    """Nothing is recorded and nothing charged: the same question may be asked while it is being typed."""
    runs_left = contract.terms.max_runs - contract.runs_used
    try:
        check_can_compute(actor, contract)
        query = checked(question, contract.terms)
        extracts = extracts_for(query, contract.terms)
        asked = look_up(query, contract.terms, extracts)
        check_lane(asked)
        decide(contract, facts_for(Action.SUBMIT, contract, query, asked))
    except Refused as refused:
        problems = refused.details.get("problems") or [{"code": refused.code, "reason": refused.reason}]
        return Preview(problems=[dict(problem) for problem in problems], runs_left=runs_left)
    return Preview(
        query=query,
        rows=sum(e.rows for e in extracts),
        cells=possible_cells(query, contract.terms),
        runs_left=runs_left,
        repeated=asked.repeated,
        warnings=fan_out(query, contract.terms, _sizes(extracts)),
    )


def _sizes(extracts: Sequence[ExtractRef]) -> dict[str, tuple[int, int]]:
    """Dataset → rows and units. An extract without units is about nobody: its rows stand for themselves."""
    published = Version.objects.in_bulk([e.version_uid for e in extracts], field_name="uid")
    units = {str(uid): version.units for uid, version in published.items()}
    return {e.table: (e.rows, units.get(e.version_uid) or e.rows) for e in extracts}
