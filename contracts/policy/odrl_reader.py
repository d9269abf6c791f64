"""Reading an ODRL Agreement strictly; `odrl.py` says how the document is laid out."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from audit.wording import say
from catalog.schema import ColumnType
from contracts.policy import vocabulary as words
from contracts.policy.constraint_set import ConstraintSet
from contracts.policy.cursor import Cursor, bad_value, unknown
from contracts.policy.odrl_writer import JOIN
from contracts.policy.terms import (
    Aggregate,
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

_TOP = ("@context", "@type", "profile", "uid", "assigner", "assignee", "permission", "prohibition")
_DAYS = re.compile(r"P([1-9][0-9]{0,5})D\Z")
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_Word = TypeVar("_Word", bound=StrEnum)


def read(doc: object) -> tuple[Terms, str]:
    """The terms and the uid of the agreement; raises Refused with the path of the first surprise."""
    top = Cursor(doc).fields(_TOP)
    _read_context(top["@context"])
    top["@type"].exactly(words.AGREEMENT)
    top["profile"].exactly(words.PROFILE)
    _read_prohibitions(top["prohibition"])
    (permission,) = top["permission"].items(1)
    terms = _read_permission(permission, top["assigner"].texts(), top["assignee"].text())
    return terms, top["uid"].text()


def _read_context(array: Cursor) -> None:
    context, prefixes = array.items(2)
    context.exactly(words.ODRL_CONTEXT)
    prefixes.fields(("ds",))["ds"].exactly(words.PREFIX)


def _read_prohibitions(array: Cursor) -> None:
    for item, act in zip(array.items(len(words.PROHIBITED)), words.PROHIBITED, strict=True):
        fields = item.fields(("@type", "action", "target"))
        fields["@type"].exactly("Prohibition")
        fields["action"].exactly(act)
        fields["target"].exactly(words.RAW_RECORDS)


def _read_permission(permission: Cursor, assigners: tuple[str, ...], assignee: str) -> Terms:
    fields = permission.fields(("@type", "action", "target", "constraint", "duty"))
    fields["@type"].exactly("Permission")
    fields["action"].exactly(Act.COMPUTE)
    constraints = ConstraintSet(fields["constraint"])
    anonymize, delete = fields["duty"].items(2)
    disclosure, privacy = _read_anonymize(anonymize)
    terms = Terms(
        assigners=assigners,
        assignee=assignee,
        purpose=constraints.take(Operand.PURPOSE, Operator.EQ).text(),
        scenario=constraints.take(Operand.SCENARIO, Operator.EQ).text(),
        datasets=tuple(_read_dataset(item) for item in fields["target"].items()),
        joins=tuple(_read_join(j) for j in constraints.take(Operand.JOIN, Operator.IS_ANY_OF).items()),
        disclosure=disclosure,
        max_runs=constraints.take(Operand.COUNT, Operator.LTEQ).integer(),
        valid_from=_read_time(constraints.take(Operand.DATE_TIME, Operator.GTEQ)),
        valid_until=_read_time(constraints.take(Operand.DATE_TIME, Operator.LTEQ)),
        retention_days=_read_delete(delete),
        privacy=privacy,
    )
    constraints.done()
    return terms


def _read_dataset(asset: Cursor) -> DatasetTerm:
    fields = asset.fields(("@type", "source", "refinement"))
    fields["@type"].exactly(words.COLLECTION)
    refinement = fields["refinement"]
    *said, columns = refinement.items() or refinement.items(2)  # the second says what is missing
    constraints = ConstraintSet(Cursor([c.value for c in said], refinement.path))
    dataset = DatasetTerm(
        uid=fields["source"].text(),
        name=constraints.take(Operand.TABLE, Operator.EQ).text(),
        columns=tuple(map(_read_column, _logical(columns, "or").items())),
        lane=_word_unless(Lane.TABLE, constraints, Operand.LANE),
        budget=_integer_unless(0, constraints, Operand.BUDGET, Operator.LTEQ),
    )
    constraints.done()
    return dataset


def _logical(node: Cursor, operator: str) -> Cursor:
    """The list of a logical constraint (Information Model 2.5.2): `{operator: {"@list": [...]}}`."""
    return node.fields((operator,))[operator].fields(("@list",))["@list"]


def _read_column(node: Cursor) -> ColumnTerm:
    said = ConstraintSet(_logical(node, "and"))
    domain = said.take_if_there(Operand.VALUE, Operator.IS_ANY_OF)
    aggregates = said.take_if_there(Operand.AGGREGATE, Operator.IS_ANY_OF)
    column = ColumnTerm(
        name=said.take(Operand.COLUMN, Operator.EQ).text(),
        type=_word(ColumnType, said.take(Operand.TYPE, Operator.EQ)),
        role=_word(ColumnRole, said.take(Operand.ROLE, Operator.EQ)),
        domain=() if domain is None else domain.texts(),
        aggregates=()
        if aggregates is None
        else tuple(_word(Aggregate, function) for function in aggregates.items()),
        scale=said.take(Operand.SCALE, Operator.EQ).integer(),
        level=_word_unless(Level.EVENT, said, Operand.LEVEL),
        lane=_word_unless(Lane.TABLE, said, Operand.LANE),
        low=_integer_unless(0, said, Operand.LOW, Operator.GTEQ),
        high=_integer_unless(0, said, Operand.HIGH, Operator.LTEQ),
    )
    said.done()
    return column


def _read_anonymize(duty: Cursor) -> tuple[DisclosureTerms, PrivacyTerms | None]:
    fields = duty.fields(("@type", "action", "target"))
    fields["@type"].exactly("Duty")
    fields["target"].exactly(words.RELEASES)
    action = fields["action"].items(1)[0].fields(("rdf:value", "refinement"))
    action["rdf:value"].fields(("@id",))["@id"].exactly(f"odrl:{Act.ANONYMIZE}")
    said = ConstraintSet(action["refinement"])
    defaults = asdict(DisclosureTerms())
    disclosure = DisclosureTerms(
        **{
            name: _integer_unless(defaults[name], said, *comparison)
            if name in words.LATER
            else said.take(*comparison).integer()
            for name, comparison in words.DISCLOSURE.items()
        }
    )
    privacy = _read_privacy(said)
    said.done()
    return disclosure, privacy


def _read_privacy(said: ConstraintSet) -> PrivacyTerms | None:
    """All of the private lane's limits, or none."""
    first, *others = words.PRIVACY.items()
    budget = said.take_if_there(*first[1])
    if budget is None:
        return None
    return PrivacyTerms(
        **{first[0]: budget.integer()},
        **{name: said.take(*comparison).integer() for name, comparison in others},
    )


def _read_delete(duty: Cursor) -> int:
    fields = duty.fields(("@type", "action", "target", "constraint"))
    fields["@type"].exactly("Duty")
    fields["action"].exactly(Act.DELETE)
    fields["target"].exactly(words.RELEASES)
    said = ConstraintSet(fields["constraint"])
    period = said.take(Operand.DELAY_PERIOD, Operator.EQ)
    said.done()
    found = _DAYS.match(_typed(period, words.DURATION_TYPE))
    if found is None:
        what = say("a number of days such as P30D is expected")
        raise bad_value(f"{period.path}.@value", what)
    return int(found[1])


def _read_time(value: Cursor) -> datetime:
    try:
        return datetime.strptime(_typed(value, words.DATE_TIME_TYPE), _TIME).replace(tzinfo=UTC)
    except ValueError:
        what = say("a time such as %(example)s is expected", example="2026-01-01T00:00:00.000000Z")
        raise bad_value(f"{value.path}.@value", what) from None


def _typed(value: Cursor, literal_type: str) -> str:
    fields = value.fields(("@value", "@type"))
    fields["@type"].exactly(literal_type)
    return fields["@value"].text()


def _read_join(value: Cursor) -> JoinTerm:
    found = JOIN.match(value.text())
    if found is None:
        what = say("an equality such as %(example)s is expected", example="loans.enterprise=water.enterprise")
        raise bad_value(value.path, what)
    return JoinTerm((found[1], found[2]), (found[3], found[4]))


def _word_unless(default: _Word, said: ConstraintSet, operand: Operand) -> _Word:
    cursor = said.take_if_there(operand, Operator.EQ)
    return default if cursor is None else _word(type(default), cursor)


def _integer_unless(default: int, said: ConstraintSet, operand: Operand, operator: Operator) -> int:
    cursor = said.take_if_there(operand, operator)
    return default if cursor is None else cursor.integer()


def _word(words_of: type[_Word], value: Cursor) -> _Word:
    text = value.text()
    try:
        return words_of(text)
    except ValueError:
        what = say("%(word)s is not a word of the profile", word=repr(text[:80]))
        raise unknown(value.path, what) from None
