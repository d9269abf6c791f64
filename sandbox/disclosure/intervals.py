"""How closely withheld values can be worked out: the audit by linear programs. Pure, and knows no tables.

Unknowns are the withheld values, or finer atoms of which several linked tables publish sums. Equations are sums
of unknowns that are known. A target is a sum of unknowns that nobody may know too well. For an attacker who knows
all equations and bounds, the possible values of a target form an interval around the true one.

Everything is counted as a deviation from the true values. Then each equation says that deviations add up to 0,
nothing large is left in the program, and "no deviation at all" always solves it. A solver works in floating
point, so its word is never taken: a solution counts where an exact one is proved to be near (see `attacker`),
less the distance. What rounding costs makes intervals narrower than they are, never wider.

Source: the attacker's problem, Fischetti and Salazar-González, Solving the cell suppression problem on tabular
data with linear constraints (Management Science 47, 2001); Hundepool et al. (2012), section 4.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from sandbox.disclosure.attacker import Attacker

MAX_UNKNOWNS = 4000
MAX_TARGETS = 4000

Sum = tuple[int, ...]  # places of different unknowns that are added up


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value in its smallest unit, and the bounds that everybody knows; None where there is none."""

    value: int
    low: int | None = 0
    high: int | None = None

    @property
    def rooms(self) -> tuple[int | None, int | None]:
        """How far it may fall and rise; not at all where its own value breaks the bound."""
        return (
            None if self.low is None else max(0, self.value - self.low),
            None if self.high is None else max(0, self.high - self.value),
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """How far an interval must reach below and above the true value, and how wide it must be. Smallest units."""

    below: int = 0
    above: int = 0
    width: int = 0

    @property
    def least(self) -> int:
        """The width of the narrowest interval that could do."""
        return max(self.width, self.below + self.above)


@dataclass(frozen=True, slots=True)
class Target:
    parts: Sum
    demand: Demand


@dataclass(frozen=True, slots=True)
class Interval:
    """No attacker gets closer than from `low` to `high`, in smallest units; None: 16 times the demand away, or more.

    The true interval may be wider, since nobody looks on once the demand is met.
    """

    low: Fraction | None
    high: Fraction | None
    enough: bool  # the demand is met

    def missing(self, value: int, demand: Demand) -> list[int]:
        """How far the target must still be able to rise (first, if at all) and to fall (negative)."""
        below = demand.least if self.low is None else floor(value - self.low)
        above = demand.least if self.high is None else floor(self.high - value)
        rise = max(demand.above, demand.width - below)
        return [rise] * (above < rise) + [-demand.below] * (below < demand.below)


def audit(unknowns: Sequence[Unknown], equations: Iterable[Sum], targets: Sequence[Target]) -> list[Interval]:
    """The interval of each target, in their order.

    Assumes: the attacker knows the equations' sums, the bounds, and nothing else about the unknowns.
    Guarantees: where `enough`, values exist that solve all equations, keep all bounds and lie as far from
        the true value as the demand says. Whatever could not be shown is not `enough`: a failed solve, bounds
        that the true values break, and everything above MAX_UNKNOWNS or MAX_TARGETS.
    Does not guarantee: that those values are whole numbers, where an attacker knows that counts are: no
        difference in tables of two dimensions, whose totals form a network; in others the interval in whole
        numbers can be narrower.
    """
    found = [_narrow(unknowns, target) for target in targets]
    if too_large(len(unknowns), len(targets)):
        return found
    told, rows = without_told(equations)
    free = [tuple(place for place in target.parts if place not in told) for target in targets]
    for places, own_rows, own_targets in _components(rows, free):
        column = {place: i for i, place in enumerate(places)}
        attacker = Attacker(
            rooms=[unknowns[place].rooms for place in places],
            rows=[[column[place] for place in row] for row in own_rows],
            sums=[[column[place] for place in free[i]] for i in own_targets],
        )
        demands = [targets[i].demand for i in own_targets]
        reaches = attacker.reaches([(d.below, d.above, d.width) for d in demands])
        for i, (below, above) in zip(own_targets, reaches, strict=True):
            found[i] = judged(_true(unknowns, targets[i]), below, above, targets[i].demand)
    return found


def too_large(unknowns: int, targets: int) -> bool:
    """Whether an audit would take longer than a question may."""
    return unknowns > MAX_UNKNOWNS or targets > MAX_TARGETS


def _true(unknowns: Sequence[Unknown], target: Target) -> int:
    return sum(unknowns[place].value for place in target.parts)


def _narrow(unknowns: Sequence[Unknown], target: Target) -> Interval:
    value = Fraction(_true(unknowns, target))
    return Interval(value, value, enough=not target.demand.least)


def judged(value: int, below: Fraction | None, above: Fraction | None, demand: Demand) -> Interval:
    enough = (
        (below is None or below >= demand.below)
        and (above is None or above >= demand.above)
        and (below is None or above is None or below + above >= demand.width)
    )
    low = None if below is None else value - below
    return Interval(low, None if above is None else value + above, enough)


def without_told(equations: Iterable[Sum]) -> tuple[set[int], list[Sum]]:
    """The unknowns that equations tell one after the other, and what is left of the equations, each once."""
    told: set[int] = set()
    rows = set(equations)
    while alone := {row[0] for row in rows if len(row) == 1}:
        told |= alone
        rows = {tuple(place for place in row if place not in alone) for row in rows}
    return told, sorted(rows - {()})


def _components(rows: Sequence[Sum], sums: Sequence[Sum]) -> Iterator[tuple[list[int], list[Sum], list[int]]]:
    """Parts that share no unknown: the unknowns, rows, and indices of sums. A sum joins what it adds up."""
    root: dict[int, int] = {}

    def find(place: int) -> int:
        while root.setdefault(place, place) != place:
            root[place] = place = root[root[place]]
        return place

    for group in (*rows, *sums):
        for place in group:
            root[find(place)] = find(group[0])
    parts: dict[int, tuple[list[int], list[Sum], list[int]]] = {}
    for place in sorted(root):
        parts.setdefault(find(place), ([], [], []))[0].append(place)
    for row in rows:
        parts[find(row[0])][1].append(row)
    for i, group in enumerate(sums):
        if group:
            parts[find(group[0])][2].append(i)
    return (part for part in parts.values() if part[2])
