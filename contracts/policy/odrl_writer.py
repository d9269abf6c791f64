"""Writing terms as an ODRL Agreement; `odrl.py` says how the document is laid out."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from audit.wording import say
from catalog.schema import NAME
from contracts.policy import vocabulary as words
from contracts.policy.constraint_set import constraint
from contracts.policy.cursor import bad_value
from contracts.policy.terms import (
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)
from contracts.policy.vocabulary import Act, Operand, Operator

_NAME = NAME.pattern.removesuffix(r"\Z")
JOIN: Final = re.compile(rf"({_NAME})\.({_NAME})=({_NAME})\.({_NAME})\Z")  # loans.enterprise=water.enterprise


def write(terms: Terms, uid: str) -> dict[str, Any]:
    """The whole document; raises Refused `policy.bad_value`."""
    return {
        "@context": [words.ODRL_CONTEXT, {"ds": words.PREFIX}],
        "@type": words.AGREEMENT,
        "profile": words.PROFILE,
        "uid": uid,
        "assigner": list(terms.assigners),
        "assignee": terms.assignee,
        "permission": [_permission(terms)],
        "prohibition": [
            {"@type": "Prohibition", "action": act.value, "target": words.RAW_RECORDS}
            for act in words.PROHIBITED
        ],
    }


def _permission(terms: Terms) -> dict[str, Any]:
    return {
        "@type": "Permission",
        "action": Act.COMPUTE.value,
        "target": [_dataset(dataset) for dataset in terms.datasets],
        "constraint": [
            constraint(Operand.PURPOSE, Operator.EQ, terms.purpose),
            constraint(Operand.SCENARIO, Operator.EQ, terms.scenario),
            constraint(Operand.DATE_TIME, Operator.GTEQ, _time(terms.valid_from, "valid_from")),
            constraint(Operand.DATE_TIME, Operator.LTEQ, _time(terms.valid_until, "valid_until")),
            constraint(Operand.COUNT, Operator.LTEQ, terms.max_runs),
            constraint(Operand.JOIN, Operator.IS_ANY_OF, [_join(join) for join in terms.joins]),
        ],
        "duty": [_anonymize(terms.disclosure, terms.privacy), _delete(terms.retention_days)],
    }


def _dataset(dataset: DatasetTerm) -> dict[str, Any]:
    return {
        "@type": words.COLLECTION,
        "source": dataset.uid,
        "refinement": [
            constraint(Operand.TABLE, Operator.EQ, dataset.name),
            *_unless(Lane.TABLE, Operand.LANE, dataset.lane.value),
            *_unless(0, Operand.BUDGET, dataset.budget, Operator.LTEQ),
            {"or": {"@list": [_column(column) for column in dataset.columns]}},
        ],
    }


def _column(column: ColumnTerm) -> dict[str, Any]:
    said = [
        constraint(Operand.COLUMN, Operator.EQ, column.name),
        constraint(Operand.TYPE, Operator.EQ, column.type.value),
        constraint(Operand.SCALE, Operator.EQ, column.scale),
        constraint(Operand.ROLE, Operator.EQ, column.role.value),
    ]
    if column.domain or column.role is ColumnRole.DIMENSION:
        said.append(constraint(Operand.VALUE, Operator.IS_ANY_OF, list(column.domain)))
    if column.aggregates or column.role is ColumnRole.MEASURE:
        functions = [aggregate.value for aggregate in column.aggregates]
        said.append(constraint(Operand.AGGREGATE, Operator.IS_ANY_OF, functions))
    said += _unless(Level.EVENT, Operand.LEVEL, column.level.value)
    said += _unless(Lane.TABLE, Operand.LANE, column.lane.value)
    said += _unless(0, Operand.LOW, column.low, Operator.GTEQ)
    said += _unless(0, Operand.HIGH, column.high, Operator.LTEQ)
    return {"and": {"@list": said}}


def _unless(
    default: object, operand: Operand, value: object, operator: Operator = Operator.EQ
) -> list[dict[str, object]]:
    return [] if value == default else [constraint(operand, operator, value)]


def _anonymize(disclosure: DisclosureTerms, privacy: PrivacyTerms | None) -> dict[str, Any]:
    defaults = asdict(DisclosureTerms())
    refinement = []
    for name, (operand, operator) in words.DISCLOSURE.items():
        default = defaults[name] if name in words.LATER else None
        refinement += _unless(default, operand, getattr(disclosure, name), operator)
    if privacy is not None:
        for name, (operand, operator) in words.PRIVACY.items():
            refinement.append(constraint(operand, operator, getattr(privacy, name)))
    action = {"rdf:value": {"@id": f"odrl:{Act.ANONYMIZE}"}, "refinement": refinement}
    return {"@type": "Duty", "action": [action], "target": words.RELEASES}


def _delete(days: int) -> dict[str, Any]:
    period = {"@value": f"P{days}D", "@type": words.DURATION_TYPE}
    return {
        "@type": "Duty",
        "action": Act.DELETE.value,
        "target": words.RELEASES,
        "constraint": [constraint(Operand.DELAY_PERIOD, Operator.EQ, period)],
    }


def _time(moment: datetime, name: str) -> dict[str, str]:
    if moment.tzinfo is None:
        raise bad_value(f"$.permission[0].constraint ({name})", say("a time needs its time zone"))
    text = moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"@value": text, "@type": words.DATE_TIME_TYPE}


def _join(join: JoinTerm) -> str:
    text = "{}.{}={}.{}".format(*join.left, *join.right)
    if not JOIN.match(text):
        what = say("a join needs names of datasets and columns")
        raise bad_value("$.permission[0].constraint (joins)", what)
    return text
