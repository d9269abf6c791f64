"""What a contract demands at each step of a run, one frozen constraint per term.

`enforce` is asked at every decision (submit, start, release, download) with the facts of that moment. A
constraint answers `Satisfied` or `Violated` with a code and a reason; a fact it needs and was not told is a
violation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Protocol

from audit.wording import say, template
from contracts.policy.asking import Answers, Budget, Scripts
from contracts.policy.facts import (
    BEFORE_DATA,
    Action,
    ColumnUse,
    Facts,
    Outcome,
    Satisfied,
    Violated,
    unknown,
)
from contracts.policy.strictest import is_as_strict
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Terms,
)

_EVERY: Final = frozenset(Action)


class Constraint(Protocol):
    @property
    def actions(self) -> frozenset[Action]:
        """Where this is asked."""

    def verify(self, facts: Facts) -> Outcome:
        """Whether the term is kept."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """ODRL dateTime gteq, lteq: both ends belong to the window."""

    actions: ClassVar[frozenset[Action]] = _EVERY
    valid_from: datetime
    valid_until: datetime

    def verify(self, facts: Facts) -> Outcome:
        if facts.now < self.valid_from:
            reason = say("The contract begins on %(time)s.", time=_day(self.valid_from))
            return Violated("contract.not_yet_valid", reason)
        if facts.now > self.valid_until:
            reason = say("The contract ended on %(time)s.", time=_day(self.valid_until))
            return Violated("contract.expired", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Assignee:
    actions: ClassVar[frozenset[Action]] = _EVERY
    assignee: str

    def verify(self, facts: Facts) -> Outcome:
        reason = template("The contract is another organization's.")
        return _equal("consumer", facts.consumer, self.assignee, reason)


@dataclass(frozen=True, slots=True)
class Purpose:
    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    purpose: str

    def verify(self, facts: Facts) -> Outcome:
        reason = template("The contract is for another purpose.")
        return _equal("purpose", facts.purpose, self.purpose, reason)


@dataclass(frozen=True, slots=True)
class Scenario:
    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    scenario: str

    def verify(self, facts: Facts) -> Outcome:
        reason = template("The contract is for another scenario.")
        return _equal("scenario", facts.scenario, self.scenario, reason)


@dataclass(frozen=True, slots=True)
class Quota:
    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    max_runs: int

    def verify(self, facts: Facts) -> Outcome:
        if facts.runs_used is None:
            return unknown("runs_used")
        if facts.runs_used >= self.max_runs:
            reason = say("All %(runs)d runs of the contract are used.", runs=self.max_runs)
            return Violated("contract.quota", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Columns:
    """Each column only in the part, through the functions and with the values that the contract names."""

    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    datasets: tuple[DatasetTerm, ...]

    def verify(self, facts: Facts) -> Outcome:
        if facts.used is None:
            return unknown("used")
        return next((v for use in facts.used if (v := self._violation(use)) is not None), Satisfied())

    def _violation(self, use: ColumnUse) -> Violated | None:
        dataset = next((d for d in self.datasets if d.name == use.dataset), None)
        column = dataset.column(use.column) if dataset else None
        name = f"{use.dataset[:48]}.{use.column[:48]}"
        if column is None:
            reason = say("The contract does not include the column %(column)s.", column=name)
            return Violated("contract.column", reason)
        if use.role not in _PARTS[column.role]:
            return Violated("contract.column_role", say(_NOT_IN_THIS_PART[use.role], column=name))
        if use.aggregate not in _functions(column, use.role):
            reason = say("The contract does not allow this function on %(column)s.", column=name)
            return Violated("contract.aggregate", reason)
        if not set(use.values) <= set(column.domain):
            reason = say("Filter %(column)s by the values listed in the contract only.", column=name)
            return Violated("contract.value", reason)
        return None


_PARTS: Final[dict[ColumnRole, frozenset[ColumnRole]]] = {
    ColumnRole.UNIT: frozenset({ColumnRole.UNIT, ColumnRole.JOIN_KEY}),
    ColumnRole.DIMENSION: frozenset({ColumnRole.DIMENSION}),
    ColumnRole.MEASURE: frozenset({ColumnRole.MEASURE}),
    ColumnRole.JOIN_KEY: frozenset({ColumnRole.JOIN_KEY}),
}
_NOT_IN_THIS_PART: Final[dict[ColumnRole, str]] = {
    ColumnRole.UNIT: template("The column %(column)s may not be counted as the privacy unit."),
    ColumnRole.DIMENSION: template("The column %(column)s may not be grouped or filtered by."),
    ColumnRole.MEASURE: template("The column %(column)s may not be used as a measure."),
    ColumnRole.JOIN_KEY: template("The column %(column)s may not be joined on."),
}


def _functions(column: ColumnTerm, role: ColumnRole) -> tuple[Aggregate | None, ...]:
    if role is ColumnRole.MEASURE:
        return column.aggregates
    return (Aggregate.COUNT_UNITS,) if role is ColumnRole.UNIT else (None,)


@dataclass(frozen=True, slots=True)
class Joins:
    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    joins: tuple[JoinTerm, ...]

    def verify(self, facts: Facts) -> Outcome:
        if facts.joined is None:
            return unknown("joined")
        allowed = {frozenset({join.left, join.right}) for join in self.joins}
        if any(frozenset({join.left, join.right}) not in allowed for join in facts.joined):
            reason = say("Join datasets only on the equalities named in the contract.")
            return Violated("contract.join", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Protection:
    """The anonymize duty: a release is protected at least as strictly as the contract says."""

    actions: ClassVar[frozenset[Action]] = frozenset({Action.RELEASE})
    disclosure: DisclosureTerms

    def verify(self, facts: Facts) -> Outcome:
        if facts.protected_by is None:
            return unknown("protected_by")
        if not is_as_strict(facts.protected_by, self.disclosure):
            reason = say("The result is protected less than the contract demands.")
            return Violated("contract.protection", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Retention:
    """The delete duty: a release can be downloaded for so many days of 24 hours."""

    actions: ClassVar[frozenset[Action]] = frozenset({Action.DOWNLOAD})
    days: int

    def verify(self, facts: Facts) -> Outcome:
        if facts.released_at is None:
            return unknown("released_at")
        if facts.now < facts.released_at:
            return Violated("contract.not_released", say("The result is not released yet."))
        if facts.now - facts.released_at > timedelta(days=self.days):
            reason = say("Results can be downloaded for %(days)d days only.", days=self.days)
            return Violated("contract.retention", reason)
        return Satisfied()


def constraints_of(terms: Terms) -> tuple[Constraint, ...]:
    """Every constraint the terms place on their use. Who signed (`assigners`) is not a matter of use."""
    return (
        TimeWindow(terms.valid_from, terms.valid_until),
        Assignee(terms.assignee),
        Purpose(terms.purpose),
        Scenario(terms.scenario),
        Quota(terms.max_runs),
        Columns(terms.datasets),
        Joins(terms.joins),
        Answers(terms.disclosure.max_releases, terms.disclosure.max_refusals),
        Budget(terms.privacy, tuple((d.uid, d.budget) for d in terms.datasets)),
        Scripts(bool(terms.disclosure.allow_scripts)),
        Protection(terms.disclosure),
        Retention(terms.retention_days),
    )


def enforce(terms: Terms, facts: Facts) -> list[Violated]:
    """All terms that these facts violate; permitted where the list is empty."""
    outcomes = [c.verify(facts) for c in constraints_of(terms) if facts.action in c.actions]
    return [outcome for outcome in outcomes if isinstance(outcome, Violated)]


def _equal(name: str, found: str | None, expected: str, reason: str) -> Outcome:
    if found is None:
        return unknown(name)
    return Satisfied() if found == expected else Violated(f"contract.{name}", say(reason))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
