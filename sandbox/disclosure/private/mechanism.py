"""How much noise each statistic gets: scale from sensitivity and budget. Pure arithmetic; `noise` draws it.

Source: Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (NeurIPS 2020), Theorem 4: noise of
parameter sigma on a vector of L2 sensitivity D satisfies rho-zCDP with rho = D^2 / (2 sigma^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

from contracts.policy.terms import Terms
from sandbox.disclosure.private.accounting import MICRO, part_of
from sandbox.engines.bounding import Bound, Statistic, bound_of, groups_of, statistics_of
from sandbox.guard.query import AggregateQuery

FINEST: Final = 10**9  # steps in the largest contribution: sums of 2^31 contributors then fit 64 bits
_UP: Final = 1 + 1e-12  # covers the rounding of a square root and a division


@dataclass(frozen=True, slots=True)
class Mechanism:
    """Noise for one statistic of every declared cell.

    Cells are counted in steps of `step` * 10^-bound.scale, 1 step being the finest digit unless bounds are so
    wide that 64 bits would not hold a sum. Then sums are rounded to whole steps, each less than a hundred-millionth
    of what one contributor may add.
    """

    statistic: Statistic
    bound: Bound
    groups: int  # cells that one contributor can change
    micro_rho: int

    @property
    def step(self) -> int:
        step = 1
        while self.bound.magnitude > FINEST * step:
            step *= 10
        return step

    @property
    def magnitude(self) -> int:
        """The most by which one contributor changes one cell (Linf), in steps."""
        return -(-self.bound.magnitude // self.step)

    @property
    def sensitivity(self) -> float:
        """The most by which one contributor changes the vector (L2), in steps: sqrt(groups) * magnitude."""
        return sqrt(self.groups) * self.magnitude * _UP

    @property
    def scale(self) -> float:
        """Standard deviation of the noise, in steps: sensitivity / sqrt(2 rho)."""
        return self.sensitivity / sqrt(2 * self.micro_rho / MICRO) * _UP

    @property
    def unit(self) -> float:
        """One step in whole units of the statistic."""
        return float(self.step / 10**self.bound.scale)


def mechanisms_of(query: AggregateQuery, terms: Terms) -> tuple[Mechanism, ...]:
    """One for each statistic, in the order of `statistics_of`. Their `micro_rho` add up to the charge."""
    groups, part = groups_of(query, terms), part_of(query, terms)
    return tuple(Mechanism(s, bound_of(s, terms), groups, part) for s in statistics_of(query))
