"""What a contract demands at each step of a run, one frozen constraint per term.

`enforce` is asked at every decision (submit, start, release, download) with the facts of that moment. A
constraint answers `Satisfied` or `Violated` with a code and a reason; a fact it needs and was not told is a
violation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final, Protocol

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


class Action(StrEnum):
    SUBMIT = "submit"
    START = "start"
    RELEASE = "release"
    DOWNLOAD = "download"


_EVERY: Final = frozenset(Action)
_BEFORE_DATA: Final = frozenset({Action.SUBMIT, Action.START})


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """One use of a column by a computation.

    `role` is the part it plays: DIMENSION grouped or filtered by (`values`: the values filtered for), MEASURE
    put through `aggregate`, UNIT counted, JOIN_KEY joined on.
    """

    dataset: str
    column: str
    role: ColumnRole
    aggregate: Aggregate | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is so at the moment of a decision; None where it is not known. Times are aware.

    | action           | facts needed besides `now` and `consumer`                  |
    |------------------|------------------------------------------------------------|
    | SUBMIT, START    | `purpose`, `scenario`, `runs_used`, `used`, `joined`       |
    | RELEASE          | `protected_by`                                             |
    | DOWNLOAD         | `released_at`                                              |
    """

    action: Action
    now: datetime
    consumer: str | None = None  # uid of the organization that asks
    purpose: str | None = None
    scenario: str | None = None
    runs_used: int | None = None  # runs charged to the contract, the one in question not counted
    used: tuple[ColumnUse, ...] | None = None
    joined: tuple[JoinTerm, ...] | None = None
    protected_by: DisclosureTerms | None = None  # the parameters the release was protected with
    released_at: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.now, self.released_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("facts need aware times")


@dataclass(frozen=True, slots=True)
class Satisfied:
    pass


@dataclass(frozen=True, slots=True)
class Violated:
    """`code` is stable (`contract.expired`); `reason` may be shown to the consumer."""

    code: str
    reason: str


Outcome = Satisfied | Violated


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
            return Violated("contract.not_yet_valid", f"The contract begins on {_day(self.valid_from)}.")
        if facts.now > self.valid_until:
            return Violated("contract.expired", f"The contract ended on {_day(self.valid_until)}.")
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Assignee:
    actions: ClassVar[frozenset[Action]] = _EVERY
    assignee: str

    def verify(self, facts: Facts) -> Outcome:
        return _equal("consumer", facts.consumer, self.assignee, "The contract is another organization's.")


@dataclass(frozen=True, slots=True)
class Purpose:
    actions: ClassVar[frozenset[Action]] = _BEFORE_DATA
    purpose: str

    def verify(self, facts: Facts) -> Outcome:
        return _equal("purpose", facts.purpose, self.purpose, "The contract is for another purpose.")


@dataclass(frozen=True, slots=True)
class Scenario:
    actions: ClassVar[frozenset[Action]] = _BEFORE_DATA
    scenario: str

    def verify(self, facts: Facts) -> Outcome:
        return _equal("scenario", facts.scenario, self.scenario, "The contract is for another scenario.")


@dataclass(frozen=True, slots=True)
class Quota:
    actions: ClassVar[frozenset[Action]] = _BEFORE_DATA
    max_runs: int

    def verify(self, facts: Facts) -> Outcome:
        if facts.runs_used is None:
            return _unknown("runs_used")
        if facts.runs_used >= self.max_runs:
            return Violated("contract.quota", f"All {self.max_runs} runs of the contract are used.")
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Columns:
    """Each column only in the part, through the functions and with the values that the contract names."""

    actions: ClassVar[frozenset[Action]] = _BEFORE_DATA
    datasets: tuple[DatasetTerm, ...]

    def verify(self, facts: Facts) -> Outcome:
        if facts.used is None:
            return _unknown("used")
        return next((v for use in facts.used if (v := self._violation(use)) is not None), Satisfied())

    def _violation(self, use: ColumnUse) -> Violated | None:
        dataset = next((d for d in self.datasets if d.name == use.dataset), None)
        column = dataset.column(use.column) if dataset else None
        name = f"{use.dataset[:48]}.{use.column[:48]}"
        if column is None:
            return Violated("contract.column", f"The contract does not include the column {name}.")
        if use.role not in _PARTS[column.role]:
            return Violated("contract.column_role", f"The column {name} may not be used as {use.role}.")
        if use.aggregate not in _functions(column, use.role):
            return Violated("contract.aggregate", f"The contract does not allow this function on {name}.")
        if not set(use.values) <= set(column.domain):
            return Violated("contract.value", f"Filter {name} by the values listed in the contract only.")
        return None


_PARTS: Final[dict[ColumnRole, frozenset[ColumnRole]]] = {
    ColumnRole.UNIT: frozenset({ColumnRole.UNIT, ColumnRole.JOIN_KEY}),
    ColumnRole.DIMENSION: frozenset({ColumnRole.DIMENSION}),
    ColumnRole.MEASURE: frozenset({ColumnRole.MEASURE}),
    ColumnRole.JOIN_KEY: frozenset({ColumnRole.JOIN_KEY}),
}


def _functions(column: ColumnTerm, role: ColumnRole) -> tuple[Aggregate | None, ...]:
    if role is ColumnRole.MEASURE:
        return column.aggregates
    return (Aggregate.COUNT_UNITS,) if role is ColumnRole.UNIT else (None,)


@dataclass(frozen=True, slots=True)
class Joins:
    actions: ClassVar[frozenset[Action]] = _BEFORE_DATA
    joins: tuple[JoinTerm, ...]

    def verify(self, facts: Facts) -> Outcome:
        if facts.joined is None:
            return _unknown("joined")
        allowed = {frozenset({join.left, join.right}) for join in self.joins}
        if any(frozenset({join.left, join.right}) not in allowed for join in facts.joined):
            return Violated("contract.join", "Join datasets only on the equalities named in the contract.")
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Protection:
    """The anonymize duty: a release is protected at least as strictly as the contract says."""

    actions: ClassVar[frozenset[Action]] = frozenset({Action.RELEASE})
    disclosure: DisclosureTerms

    def verify(self, facts: Facts) -> Outcome:
        if facts.protected_by is None:
            return _unknown("protected_by")
        if not is_as_strict(facts.protected_by, self.disclosure):
            return Violated("contract.protection", "The result is protected less than the contract demands.")
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Retention:
    """The delete duty: a release can be downloaded for so many days of 24 hours."""

    actions: ClassVar[frozenset[Action]] = frozenset({Action.DOWNLOAD})
    days: int

    def verify(self, facts: Facts) -> Outcome:
        if facts.released_at is None:
            return _unknown("released_at")
        if facts.now < facts.released_at:
            return Violated("contract.not_released", "The result is not released yet.")
        if facts.now - facts.released_at > timedelta(days=self.days):
            return Violated("contract.retention", f"Results can be downloaded for {self.days} days only.")
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
        Protection(terms.disclosure),
        Retention(terms.retention_days),
    )


def enforce(terms: Terms, facts: Facts) -> list[Violated]:
    """All terms that these facts violate; permitted where the list is empty."""
    outcomes = [c.verify(facts) for c in constraints_of(terms) if facts.action in c.actions]
    return [outcome for outcome in outcomes if isinstance(outcome, Violated)]


def _equal(name: str, found: str | None, expected: str, reason: str) -> Outcome:
    if found is None:
        return _unknown(name)
    return Satisfied() if found == expected else Violated(f"contract.{name}", reason)


def _unknown(fact: str) -> Violated:
    return Violated("contract.fact_missing", f"It is not known whether the contract is kept ({fact}).")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
