"""From noisy statistics to measures, for single cells and for totals of cells. Pure post-processing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from contracts.policy.terms import Aggregate
from sandbox.disclosure.private.intervals import Estimate, of_ratio, of_sum
from sandbox.disclosure.private.mechanism import Mechanism
from sandbox.engines.bounding import Statistic, needed_by
from sandbox.guard.query import Measure


@dataclass(frozen=True, slots=True)
class Noisy:
    """One statistic after noise: whole steps (any size, hence objects), each a sum of `cells` noisy cells."""

    mechanism: Mechanism
    steps: NDArray[np.object_]
    cells: int = 1

    def summed(self, shape: tuple[int, ...], axes: tuple[int, ...]) -> Noisy:
        """Totals over `axes`: they add published numbers, so their noise is that of the cells added up."""
        grid = self.steps.reshape(shape).sum(axis=axes)
        return Noisy(self.mechanism, np.asarray(grid, object).reshape(-1), prod(shape[a] for a in axes))

    @property
    def estimate(self) -> Estimate:
        """Variances of independent noise add up: `cells` cells have sqrt(cells) times the deviation of one."""
        rounded = int(self.mechanism.step > 1) * self.cells
        scale = self.mechanism.scale * sqrt(self.cells)
        return of_sum(self.steps.astype(np.float64), scale, self.mechanism.unit, rounded)


def estimate_of(measure: Measure, noisy: Mapping[Statistic, Noisy]) -> Estimate:
    """The measure's values as the noise left them: unbiased, so a count may be negative."""
    parts = [noisy[statistic].estimate for statistic in needed_by(measure)]
    return of_ratio(*parts) if measure.aggregate is Aggregate.AVG else parts[0]
