"""How far a published value may be from the bounded one: standard errors and 95 % intervals. Pure, closed forms.

They speak of the noise and of nothing else: what bounds cut off, and what a sample says of a population, is not in
them. Noise does not depend on data, so neither do the errors of counts and sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NORMAL_95: Final = 1.959963984540054
CONFIDENCE: Final = 0.95
FEWEST_DEVIATIONS: Final = 2.0  # a count below so many standard deviations of its noise divides nothing
_SMOOTH: Final = 50.0  # standard deviations from which the lattice no longer matters


@dataclass(frozen=True, slots=True)
class Estimate:
    """Unbiased values of one measure, one per cell, in its own units; nan where there is none."""

    values: Floats
    error: Floats  # standard error
    low: Floats
    high: Floats


def half_width(scale: float) -> int:
    """The least h with P(|noise| <= h) >= 95 % for discrete Gaussian noise of parameter `scale`, both in steps.

    On whole numbers 1.96 standard deviations can hold less than 95 % (at 0.45 only 86 %), so small scales are added
    up exactly; for larger ones the lattice is a continuity correction of half a step.
    """
    if scale >= _SMOOTH:
        return ceil(NORMAL_95 * scale - 0.5)
    steps = np.arange(ceil(12 * scale) + 2)
    weights = np.exp(-(steps**2) / (2 * scale**2))
    weights[1:] *= 2  # both signs
    return int(np.argmax(np.cumsum(weights) >= CONFIDENCE * weights.sum()))


def of_sum(steps: Floats, scale: float, unit: float, rounded: int = 0) -> Estimate:
    """Counts and sums: unbiased, with a symmetric interval. `steps` and `scale` in steps of `unit`.

    `rounded`: how many values rounded to a whole step are in each; each may be half a step off.
    """
    width = (half_width(scale) + 0.5 * rounded) * unit
    centre = steps * unit
    return Estimate(centre, np.full_like(centre, scale * unit), centre - width, centre + width)


def of_ratio(total: Estimate, count: Estimate) -> Estimate:
    """Noisy sum / noisy count; nan where the count is below 1 or two standard deviations of its noise.

    Standard error by the delta method, sqrt(var(sum) + r^2 var(count)) / count. The interval is Fieller's (Some
    Problems in Interval Estimation, 1954): it holds at small counts too, where the ratio is skewed, and it is finite
    exactly where the count is more than 1.96 deviations from 0. The ratio itself is biased by about
    r var(count) / count^2, a quarter of it at the smallest count that is shown.
    """
    usable = count.values >= np.maximum(1.0, FEWEST_DEVIATIONS * count.error)
    divisor = np.where(usable, count.values, np.nan)
    ratio = total.values / divisor
    error = np.hypot(total.error, ratio * count.error) / divisor
    share = (NORMAL_95 * count.error / divisor) ** 2
    middle = ratio / (1 - share)
    inner = total.error**2 * (1 - share) + (ratio * count.error) ** 2
    width = NORMAL_95 / divisor * np.sqrt(inner) / (1 - share)
    return Estimate(ratio, error, middle - width, middle + width)
