"""An attack and what becomes of it, as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from contracts.policy.terms import Lane
from dataspace.portal.differencing import Answer, Number, Result, attacked, unprotected
from dataspace.portal.differencing_plans import Attack, Enterprise, Question, plan
from dataspace.portal.differencing_words import (
    COSTS,
    IDEAS,
    PROTECTS,
    VALUES,
    calculation,
    cell_words,
    figure,
    fill,
    in_order,
    refused,
    withheld,
    without_rules,
)
from dataspace.portal.forms.decisions import LANES
from dataspace.portal.forms.differencing import name_of
from dataspace.portal.parts import Fact

FEW = 4  # cells of an answer that are all shown; of a larger one only those of the target's sector


@dataclass(frozen=True, slots=True)
class Told:
    """One number of the answer to a question; None is withheld."""

    question: int
    cell: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Strip:
    """Where a result lies on the common scale, in percent: from `left` over `at` to `right`."""

    left: float
    at: float
    right: float


@dataclass(frozen=True, slots=True)
class Row:
    """One engine in the comparison. `strip` is None where nothing came out."""

    label: StrOrPromise
    found: str | None
    strip: Strip | None
    note: str


class Engine:
    """What one engine answers and what the attacker makes of it."""

    def __init__(self, page: DifferencingPage, result: Result, lane: Lane | None = None) -> None:
        self._page, self.result, self.lane = page, result, lane
        self.label: StrOrPromise = _("Without rules") if lane is None else LANES[lane]

    @cached_property
    def told(self) -> list[Told]:
        return [line for i, answer in enumerate(self.result.answers) for line in self._lines(i + 1, answer)]

    def _lines(self, number: int, answer: Answer) -> Iterator[Told]:
        if answer.close:
            yield Told(number, "", _("refused"))
        for cell in sorted(answer.numbers, key=in_order):
            if len(answer.numbers) <= FEW or self._page.target.sector in cell:
                value = answer.numbers[cell]
                yield Told(number, cell_words(cell), None if value is None else figure(value.value))

    @property
    def calculation(self) -> str:
        """The sum that the attacker does; "" where a number is missing or nothing is to be calculated."""
        return calculation(self.result.parts) if len(self.result.parts) > 1 else ""

    @property
    def found(self) -> str:
        return "" if self.result.found is None else figure(self.result.found.value)

    @property
    def rounded(self) -> str:
        """To the nearest whole MWh, where it is not one."""
        found = self.result.found
        return "" if found is None or found.value.denominator == 1 else figure(found.nearest)

    @property
    def reasons(self) -> list[str]:
        """Why numbers are missing; of the withheld cells those that the calculation needs."""
        said = [refused(i + 1, a.close) for i, a in enumerate(self.result.answers) if a.close]
        needed = {cell for parts in self._page.plan.readings for part in parts if (cell := part.cell)}
        for answer in self.result.answers:
            said += [withheld(cell, rules) for cell, rules in answer.rules.items() if cell in needed]
        return said

    @property
    def verdict(self) -> str:
        """Small changes may by chance be smaller than they could be: no more is said of them than they do."""
        return _("The value stays uncertain") if self.lane is Lane.PERTURBED else _("The attack fails")

    @property
    def repeats(self) -> int:
        return sum(answer.kept for answer in self.result.answers)

    @property
    def off(self) -> str:
        """By how much the attacker misses the truth."""
        found, truth = self.result.found, self._page.target.mwh
        if found is None:
            return ""
        miss = abs(found.value - truth)
        return _("Off by %(miss)s MWh (%(percent)s %%).") % {
            "miss": figure(miss), "percent": f"{float(100 * miss / truth):,.0f}",
        }  # fmt: skip

    @property
    def misses(self) -> bool:
        """Whether the range does not hold the truth."""
        low, high = _ends(self.result.found)
        return not low <= self._page.target.mwh <= high

    @property
    def ends(self) -> dict[str, str]:
        """The range in which the attacker must take the truth to lie."""
        low, high = _ends(self.result.found)
        if self.lane is not Lane.PRIVATE:
            low = max(0.0, low)  # nobody uses less than nothing
        return {"low": figure(round(low)), "high": figure(round(high))}

    @property
    def protects(self) -> str:
        return "" if self.lane is None else fill(PROTECTS[self.lane])

    @property
    def cost(self) -> str:
        return "" if self.lane is None else fill(COSTS[self.lane])


class DifferencingPage:
    def __init__(self, attack: Attack, target: Enterprise) -> None:
        self.attack, self.target = attack, target
        self.plan = plan(attack, target)

    @property
    def idea(self) -> StrOrPromise:
        return IDEAS[self.attack]

    @property
    def without_rules(self) -> str:
        return without_rules(self.attack)

    @property
    def facts(self) -> list[Fact]:
        one = self.target
        return [
            Fact(_("Target"), name_of(one)),
            Fact(_("District"), VALUES[one.district]),
            Fact(_("Sector"), _("not on record") if self.attack is Attack.CELLS else VALUES[one.sector]),
            Fact(_("Size class"), VALUES[one.size]),
            Fact(_("True value, which nobody may learn"), f"{figure(one.mwh)} MWh"),
        ]

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [
            {"number": i + 1, "sql": question.sql, "how": self._how(question)}
            for i, question in enumerate(self.plan.questions)
        ]

    def _how(self, question: Question) -> str:
        if question.times > 1:
            return _("%(times)d times, each time under another name") % {"times": question.times}
        if len(self.plan.versions) > 1:
            return _("to the version before") if question.version == 0 else _("to the version after")
        return ""

    @cached_property
    def naive(self) -> Engine:
        return Engine(self, unprotected(self.attack, self.target))

    @cached_property
    def lanes(self) -> list[Engine]:
        return [Engine(self, attacked(lane, self.attack, self.target), lane) for lane in Lane]

    @cached_property
    def comparison(self) -> list[Row]:
        """All results and the truth on one scale."""
        engines = [self.naive, *self.lanes]
        ends = [end for one in engines for end in _ends(one.result.found)] + [float(self.target.mwh), 0.0]
        least, most = min(ends), max(ends)
        margin = (most - least) * 0.02

        def place(value: float) -> float:
            return round(100 * (value - least + margin) / (most - least + 2 * margin), 2)

        truth = place(self.target.mwh)
        rows = [Row(_("Truth"), figure(self.target.mwh), Strip(truth, truth, truth), "")]
        for one in engines:
            found = one.result.found
            strip = None
            if found is not None:
                low, high = _ends(found)
                strip = Strip(place(low), place(float(found.value)), place(high))
            rows.append(Row(one.label, one.rounded or one.found or None, strip, _note(one)))
        return rows

    @property
    def truth_at(self) -> float:
        strip = self.comparison[0].strip
        assert strip is not None
        return strip.at


def _ends(found: Number | None) -> tuple[float, float]:
    if found is None:
        return 0.0, 0.0
    return float(found.value) - found.slack, float(found.value) + found.slack


def _note(one: Engine) -> str:
    if one.lane is None:
        return _("exactly")
    if one.result.found is None:
        return _("nothing to subtract from")
    return _("%(low)s to %(high)s") % one.ends
