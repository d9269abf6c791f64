"""What a contract demands of how often, and in which lane, it is asked: constraints as in `constraints`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.wording import say
from contracts.policy.facts import BEFORE_DATA, Action, Facts, Outcome, Satisfied, Violated, unknown
from contracts.policy.terms import Lane, PrivacyTerms


@dataclass(frozen=True, slots=True)
class Answers:
    """So many different answers; exact tables close after so many refusals that depend on data.

    Each such refusal tells a little, as does each answer; nothing else bounds what many of them tell together. The
    private lane has its budget instead.
    """

    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    max_answers: int
    max_refusals: int

    def verify(self, facts: Facts) -> Outcome:
        if facts.lane is None:
            return unknown("lane")
        if facts.lane is Lane.PRIVATE:
            return Satisfied()
        if facts.answers is None or facts.refusals is None:
            return unknown("answers")
        if facts.lane is Lane.TABLE and facts.refusals >= self.max_refusals:
            reason = say(
                "Exact tables are closed under this contract: too many of its questions were refused."
            )
            return Violated("contract.lane_closed", reason)
        if facts.answers >= self.max_answers:
            reason = say(
                "All %(answers)d different tables of the contract are used.", answers=self.max_answers
            )
            return Violated("contract.answers", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Scripts:
    """Whether a reviewed script may prepare the records that are asked: in exact tables only.

    The other lanes' promises rest on what each record is, also of a dataset that is only joined.
    """

    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    allowed: bool

    def verify(self, facts: Facts) -> Outcome:
        if facts.scripted is None:
            return unknown("scripted")
        if facts.scripted and not self.allowed:
            return Violated("contract.no_scripts", say("The contract permits no scripts."))
        if facts.scripted and facts.lane is not Lane.TABLE:
            reason = say("Records that a script prepared are asked for exact tables only.")
            return Violated("contract.script_lane", reason)
        return Satisfied()


@dataclass(frozen=True, slots=True)
class Budget:
    """The private lane spends what the contract has, and what all contracts together may spend on a dataset."""

    actions: ClassVar[frozenset[Action]] = BEFORE_DATA
    privacy: PrivacyTerms | None
    datasets: tuple[tuple[str, int], ...]  # uid and budget

    def verify(self, facts: Facts) -> Outcome:
        if facts.lane is None:
            return unknown("lane")
        if facts.lane is not Lane.PRIVATE:
            return Satisfied()
        if self.privacy is None:
            return Violated("contract.lane", say("The contract has no private lane."))
        if facts.charge is None or facts.spent is None or facts.spent_on is None:
            return unknown("charge")
        if facts.charge > self.privacy.query_budget:
            reason = say("The question costs more privacy budget than the contract allows for one.")
            return Violated("contract.query_budget", reason)
        return self._reaches(facts.charge, facts.spent, facts.spent_on, self.privacy.contract_budget)

    def _reaches(self, charge: int, spent: int, spent_on: tuple[tuple[str, int], ...], whole: int) -> Outcome:
        limits = dict(self.datasets)
        if charge and spent + charge > whole:
            return Violated("contract.budget", say("The contract's privacy budget does not reach for this."))
        if charge and any(spent + charge > limits.get(uid, 0) for uid, spent in spent_on):
            reason = say("The dataset's privacy budget, which all contracts share, does not reach for this.")
            return Violated("contract.dataset_budget", reason)
        return Satisfied()
