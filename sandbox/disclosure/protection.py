"""How closely a cell that breaks a rule may be known: protection levels. Pure.

Source: Hundepool et al., Statistical Disclosure Control (2012), chapter 4: the upper protection level is what has
to be added to a sum before it breaks the rule no longer, and the lower level is set to the same. Sliding protection
(an interval as wide as demanded, wherever the true value lies in it): Fischetti and Salazar-González (2001).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm

from contracts.policy.terms import DisclosureTerms
from sandbox.disclosure.contributors import too_few
from sandbox.disclosure.dominance import dominated
from sandbox.disclosure.grid import Contribution, Grid
from sandbox.disclosure.intervals import Demand, Interval, Unknown

LEAST_PERCENT = 1  # of a sum: where a rule is just broken, or asks for 0 %, the sum is still not told


@dataclass(frozen=True, slots=True)
class Squeeze:
    """How closely a cell can be known (None: no limit found) and how wide that must be, in the measure's unit."""

    low: float | None
    high: float | None
    demanded: float


class Levels:
    """What is unknown and what is demanded in the cells of one grid: of their sums, or of their counts.

    Counts are of contributors. A count of rows is protected with it: each cell has as many rows or more, so
    that rows have more room, and neither may be known more closely than the threshold itself says.
    """

    def __init__(self, grid: Grid, limits: DisclosureTerms, *, summed: bool) -> None:
        self._limits, self._summed = limits, summed
        cells = grid.cells.values()
        numbers = [n for c in cells for n in (c.total, c.absolute, *c.largest)] if summed else []
        self._unit = lcm(*(Fraction(number).denominator for number in numbers))  # smallest units in one
        absolutes = [Fraction(c.absolute) for c in cells]
        self._everything = sum(absolutes, Fraction(0))
        self._smallest = min((a for a in absolutes if a), default=Fraction(1))

    def unknown(self, cell: Contribution) -> Unknown:
        """A cell's value and what everybody knows of it.

        A count is not negative; nor is a sum where no contribution is, and whoever knows what is measured may
        know that. A sum of both signs is at most as large, either way, as all contributions of the table.
        """
        if not self._summed:
            return Unknown(cell.units)
        value, most = int(cell.total * self._unit), int(self._everything * self._unit)
        return Unknown(value) if cell.total == cell.absolute else Unknown(value, -most, most)

    def demand(self, cell: Contribution) -> Demand:
        """How wide the interval around a cell that breaks a rule must be.

        Counts: k wide, so that totals tell no more than the threshold itself does. Sums that a large contributor
        dominates: their protection level on both sides, but no further than what everybody knows reaches. Other
        sums of too few: as wide as that, wherever the sum lies; a total that is safe itself may bound it.
        """
        if not self._summed:
            return Demand(width=self._limits.min_contributors)
        level = ceil(self._level(cell) * self._unit)
        if not dominated([(cell,)], self._limits):
            return Demand(width=2 * level)
        known = self.unknown(cell)
        below = level if known.low is None else min(level, known.value - known.low)
        above = level if known.high is None else min(level, known.high - known.value)
        return Demand(below, above)

    def smallest_units(self, demanded: float) -> int:
        """A `Squeeze.demanded`, as the demand it was made of."""
        return round(Fraction(demanded) * self._unit)

    def squeeze(self, interval: Interval, demand: Demand) -> Squeeze:
        low, high = (None if n is None else float(n / self._unit) for n in (interval.low, interval.high))
        return Squeeze(low, high, float(Fraction(demand.least, self._unit)))

    def _level(self, cell: Contribution) -> Fraction:
        """The highest protection level of the rules on sums that the cell breaks."""
        limits, absolute = self._limits, Fraction(cell.absolute)
        percent = Fraction(max(limits.p_percent, LEAST_PERCENT), 100)
        if not absolute:  # zeros have no size of their own: as the smallest sum beside them
            return percent * self._smallest
        largest = [Fraction(size) for size in cell.largest]
        first = largest[0] if largest else Fraction(0)
        return max(
            # Too few contributors: as the p % rule for one who contributes everything.
            percent * absolute if too_few([(cell,)], limits) else Fraction(0),
            # p % rule: p % of the largest, less what contributors beyond the second already blur.
            Fraction(limits.p_percent, 100) * first - (absolute - sum(largest[:2])),
            # (n, k) rule: the total at which the n largest make up k %, less the total.
            Fraction(100, limits.dominance_percent) * sum(largest[: limits.dominance_n]) - absolute,
            Fraction(LEAST_PERCENT, 100) * absolute,
        )
