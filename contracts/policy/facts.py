"""What is known at the moment of a decision, and what a constraint answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from audit.wording import say
from contracts.policy.terms import Aggregate, ColumnRole, DisclosureTerms, JoinTerm, Lane


class Action(StrEnum):
    SUBMIT = "submit"
    START = "start"
    RELEASE = "release"
    DOWNLOAD = "download"


BEFORE_DATA: Final = frozenset({Action.SUBMIT, Action.START})


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
    | SUBMIT, START    | `purpose`, `scenario`, `runs_used`, `used`, `joined`,      |
    |                  | `lane`, what that lane has used up, and `scripted`         |
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
    lane: Lane | None = None
    answers: int | None = (
        None  # different answers of the contract's table lane, the one in question not counted
    )
    refusals: int | None = None  # refusals of that lane that depended on data
    charge: int | None = None  # micro-rho the question would cost now; 0 where it was paid for before
    spent: int | None = None  # micro-rho of the contract before that charge
    spent_on: tuple[tuple[str, int], ...] | None = (
        None  # the same of each dataset it reads, by uid, over all contracts
    )
    scripted: bool | None = None  # whether a script prepared what is asked
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


def unknown(fact: str) -> Violated:
    """A fact that a constraint needs and was not told is a violation."""
    reason = say("It is not known whether the contract is kept (%(fact)s).", fact=fact)
    return Violated("contract.fact_missing", reason)
