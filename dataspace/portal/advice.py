"""What to do about a problem the guard found, by its code: the reason says what is wrong, this what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

_ADVICE: dict[str, StrOrPromise] = {
    "guard.syntax": _(
        "Look at what stands just before this place: a comma, a quote or a bracket is often missing."
    ),
    "guard.character": _(
        "Type this with the plain half-width keyboard; Chinese labels go into double quotes."
    ),
    "guard.statement": _("Ask one question at a time, beginning with SELECT."),
    "guard.node": _(
        "Leave this out: one SELECT with JOIN, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT is all there is."
    ),
    "guard.nesting": _("Write it flat: no brackets within brackets."),
    "guard.too_long": _("Split it into several questions."),
    "guard.table": _("Use the datasets of the contract."),
    "guard.column": _(
        "Use the contract's columns; put the dataset's name before a column that two datasets have."
    ),
    "guard.join": _("Join on the keys the contract names."),
    "guard.unit": _("The one the data is about can only be counted and joined on."),
    "guard.role": _("Group and filter by dimensions; sum, average or count measures."),
    "guard.domain": _("Take the values from the column's declared list."),
    "guard.type": _("Texts and dates stand in single quotes, numbers do not."),
    "guard.predicate": _("Filter with column = value or column IN (values), joined by AND."),
    "guard.expression": _(
        "Select plain columns and COUNT, SUM or AVG of one column; calculate on the result."
    ),
    "guard.group_by": _("GROUP BY names every selected column that is not an aggregate, and nothing else."),
    "guard.having": _("HAVING compares a selected count with a whole number."),
    "guard.order": _("Order by what is selected."),
    "guard.limit": _("LIMIT takes one whole number."),
    "guard.label": _("Give each column its own short name with AS."),
    "guard.measure": _("Choose at least one thing to measure."),
    "guard.too_many_cells": _("Filter a dimension to fewer values, or leave one out."),
    "guard.too_many_dimensions": _("Leave a dimension out, or ask twice."),
    "guard.too_many_measures": _("Ask for the other measures in a second question."),
    "guard.form": _("Begin again from the form."),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A problem, where it stands in the text (from 1; 0 = nowhere) and what to do."""

    line: int
    column: int
    length: int
    reason: str
    code: str
    advice: StrOrPromise


def places(problems: Sequence[Mapping[str, Any]]) -> list[Place]:
    """Of the problems of a preview or of a refusal's details."""
    return [
        Place(
            line=int(problem.get("line", 0)),
            column=int(problem.get("column", 0)),
            length=len(str(problem.get("term", ""))),
            reason=str(problem["reason"]),
            code=str(problem["code"]),
            advice=_ADVICE.get(str(problem["code"]), ""),
        )
        for problem in problems
    ]
