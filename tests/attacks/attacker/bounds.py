"""What each lane promises, as a bound on the advantage of whoever knows what `attacker` says it knows.

The advantage in telling two worlds apart is at most the total variation between what they publish.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from sandbox.disclosure.cell_key.change import change
from sandbox.disclosure.private.accounting import MICRO
from sandbox.engines.cell_keys import KEYS
from tests.attacks.attacker.worlds import Population

Odds = NDArray[np.float64]


def of_table(population: Population, k: int, groups: int) -> float:
    """Table lane. The least that is told of the target is a sum over k: its own value hides among k - 1 unknown ones.

    Exact, by convolution of the values' distribution. Numbers that share nobody but the target are so many
    independent sums: of `groups` disjoint ones, 1 - (1 - bound of one)^groups. Values that are told by differences of
    three or more numbers are not promised (see `sandbox.disclosure.memory`).
    """
    values = population.frame.value
    odds = np.bincount(values) / len(values)
    others = odds
    for _ in range(k - 2):
        others = np.convolve(others, odds)
    low, high = population.levels
    return 1 - (1 - _variation(others, high - low)) ** groups


def of_counts(numbers: int) -> float:
    """Perturbed lane, presence told by `numbers` different counts: from the perturbation table, over all keys."""
    return _of_changes(numbers, 1, tuple(change(50, 1, key, 10) for key in range(KEYS)))


def of_sums(population: Population, numbers: int, percent: int = 10) -> float:
    """Perturbed lane, a value told by `numbers` different sums that the population's largest value is in."""
    low, high = population.levels
    largest = int(population.frame.value.max())
    return _of_changes(
        numbers, high - low, tuple(change(10**6, largest, key, percent) for key in range(KEYS))
    )


@cache
def _of_changes(numbers: int, shift: int, changes: tuple[int, ...]) -> float:
    """Of one number its total variation. Of m independent ones sqrt(1 - b^2m), b being the Bhattacharyya coefficient.

    Source: Le Cam, Asymptotic Methods in Statistical Decision Theory (1986), chapter 4.
    """
    found = np.array(changes) - min(changes)
    odds = np.bincount(found) / len(found)
    first, second = _beside(odds, shift)
    if numbers <= 1:
        return _variation(odds, shift) * numbers
    return sqrt(1 - np.sqrt(first * second).sum() ** (2 * numbers))


def of_private(micro_rho: int) -> float:
    """Private lane. rho-zCDP bounds the divergence (KL) by rho, so total variation by sqrt(rho / 2) (Pinsker).

    Source: Bun and Steinke, Concentrated Differential Privacy (TCC 2016), Definition 1.1 with order 1.
    """
    return min(1.0, sqrt(micro_rho / MICRO / 2))


def _variation(odds: Odds, shift: int) -> float:
    first, second = _beside(odds, shift)
    return float(np.abs(first - second).sum() / 2)


def _beside(odds: Odds, shift: int) -> tuple[Odds, Odds]:
    return np.pad(odds, (0, shift)), np.pad(odds, (shift, 0))
