"""The noise is what the guarantee needs: its distribution, the loss it allows, and half of it would not do."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, log, sqrt
from typing import Any

import numpy as np
import pytest

from audit.refusals import Refused
from sandbox.disclosure.private import noise
from sandbox.disclosure.private.accounting import MICRO
from sandbox.disclosure.private.mechanism import FINEST, Mechanism, mechanisms_of
from sandbox.engines.bounding import Bound, Kind, Statistic
from sandbox.guard import check_sql
from sandbox.guard.query import ColumnRef
from tests.unit.private_terms import with_privacy

HALF = MICRO // 2  # rho = 1/2: noise as large as the sensitivity, where half of it is far too little
AMOUNT = ColumnRef("loans", "amount")
MECHANISMS = {
    "units, one cell": (Mechanism(Statistic(Kind.UNITS), Bound(0, 1), 1, HALF), 200_000),
    "rows, three cells": (Mechanism(Statistic(Kind.ROWS), Bound(0, 2), 3, HALF), 20_000),
    "sum, two cells": (Mechanism(Statistic(Kind.SUM, AMOUNT), Bound(-10_000, 100_000, 2), 2, HALF), 20_000),
    "wide sum": (Mechanism(Statistic(Kind.SUM, AMOUNT), Bound(0, 10**21, 9), 1, HALF), 20_000),
}


def outputs(mechanism: Mechanism, samples: int, *, present: bool) -> np.ndarray:
    """For each of many runs what best tells whether the unit is there: the sum of the cells it may change."""
    cells = np.full(samples * mechanism.groups, 7 + present * mechanism.magnitude, np.int64)
    return noise.release(cells, mechanism).reshape(samples, mechanism.groups).sum(axis=1)


def allowed_delta(rho: float, epsilon: float) -> float:
    """The delta that rho-zCDP guarantees at epsilon: least over orders (Canonne, Kamath, Steinke 2020, Cor. 13)."""
    orders = 1 + np.exp(np.linspace(-4, 5, 2000))
    logs = (orders - 1) * (orders * rho - epsilon) + orders * np.log1p(-1 / orders) - np.log(orders - 1)
    return exp(float(logs.min()))


def excess(mechanism: Mechanism, samples: int, rho: float) -> float:
    """The largest surplus of P(S) over e^epsilon Q(S) + delta, in standard errors, over threshold events S."""
    p, q = (np.sort(outputs(mechanism, samples, present=present)) for present in (True, False))
    thresholds = np.unique(np.quantile(np.concatenate([p, q]), np.linspace(0.01, 0.99, 99)))
    above_p = 1 - np.searchsorted(p, thresholds) / samples
    above_q = 1 - np.searchsorted(q, thresholds) / samples
    worst = -np.inf
    for epsilon in (0.0, 0.5, 1.0, 2.0):
        error = np.sqrt((above_p * (1 - above_p) + exp(2 * epsilon) * above_q * (1 - above_q)) / samples)
        surplus = above_p - exp(epsilon) * above_q - allowed_delta(rho, epsilon)
        worst = max(worst, float(np.max(surplus / np.maximum(error, 1 / samples))))
    return worst


@pytest.mark.parametrize("name", MECHANISMS)
def test_neighbours_cannot_be_told_apart_better_than_the_guarantee_says(name: str) -> None:
    mechanism, samples = MECHANISMS[name]
    assert excess(mechanism, samples, mechanism.micro_rho / MICRO) < 5


@pytest.mark.parametrize("name", MECHANISMS)
def test_half_the_noise_fails_the_same_test(name: str) -> None:
    mechanism, samples = MECHANISMS[name]
    half = replace(mechanism, micro_rho=4 * mechanism.micro_rho)  # half the scale
    assert excess(half, min(samples, 20_000), mechanism.micro_rho / MICRO) > 5


def pmf(scale: float, steps: np.ndarray) -> np.ndarray:
    reach = np.arange(-int(12 * scale) - 2, int(12 * scale) + 3)
    return np.exp(-(steps**2) / (2 * scale**2)) / np.exp(-(reach**2) / (2 * scale**2)).sum()


@pytest.mark.parametrize("micro_rho", [20_000, 2_000_000])
def test_small_noise_follows_the_discrete_gaussian(micro_rho: int) -> None:
    """Chi-square over single values; its 1 - 10^-6 quantile by Wilson and Hilferty (1931)."""
    mechanism = Mechanism(Statistic(Kind.UNITS), Bound(0, 1), 1, micro_rho)
    samples = 40_000
    drawn = noise.release(np.zeros(samples, np.int64), mechanism)
    steps = np.arange(-60, 61)
    expected = pmf(mechanism.scale, steps) * samples
    steps, expected = steps[expected >= 5], expected[expected >= 5]
    observed = np.array([np.count_nonzero(drawn == step) for step in steps])
    free = len(steps) - 1
    limit = free * (1 - 2 / (9 * free) + 4.75 * sqrt(2 / (9 * free))) ** 3
    assert float(np.sum((observed - expected) ** 2 / expected)) < limit
    assert np.count_nonzero(np.abs(drawn) > 9 * mechanism.scale) == 0


def test_large_noise_follows_the_gaussian() -> None:
    """Kolmogorov and Smirnov, at 1 - 10^-6: 2.69 / sqrt(samples)."""
    mechanism = Mechanism(Statistic(Kind.SUM, AMOUNT), Bound(0, 10**9), 3, 20_000)
    samples = 40_000
    drawn = np.sort(noise.release(np.zeros(samples, np.int64), mechanism)) / mechanism.scale
    normal = np.array([(1 + erf(value / sqrt(2))) / 2 for value in drawn])
    ranks = np.arange(samples)
    distance = max(np.max(normal - ranks / samples), np.max((ranks + 1) / samples - normal))
    assert distance < 2.69 / sqrt(samples)


@pytest.mark.parametrize("groups", [1, 3, 1000])
@pytest.mark.parametrize("micro_rho", [1, 7, 20_000, 99_999_999])
@pytest.mark.parametrize(
    "bound", [Bound(0, 1), Bound(-7, 3), Bound(-(10**12) + 1, 0), Bound(-(10**21), 10**21, 9)]
)
def test_the_librarys_own_map_agrees_with_every_scale(bound: Bound, micro_rho: int, groups: int) -> None:
    mechanism = Mechanism(Statistic(Kind.SUM, AMOUNT), bound, groups, micro_rho)
    noise.release(np.zeros(1, np.int64), mechanism)
    assert mechanism.magnitude <= FINEST
    assert mechanism.magnitude * mechanism.step >= max(-bound.low, bound.high)


def test_too_little_noise_is_refused_before_it_is_drawn(monkeypatch: Any) -> None:
    honest = noise._measurement
    monkeypatch.setattr(noise, "_measurement", lambda scale: honest(scale * 0.999))
    with pytest.raises(Refused) as refused:
        noise.release(np.zeros(1, np.int64), MECHANISMS["rows, three cells"][0])
    assert refused.value.code == "private.noise"


def test_noise_is_fresh_on_every_draw_and_in_every_cell() -> None:
    mechanism = Mechanism(Statistic(Kind.SUM, AMOUNT), Bound(0, 10**9), 1, HALF)
    drawn = np.concatenate([noise.release(np.zeros(50, np.int64), mechanism) for _ in range(2)])
    assert len(np.unique(drawn)) == 100


def test_the_scale_is_the_one_of_the_formula() -> None:
    terms = with_privacy(max_groups=2, max_rows=2, query_budget=20_000)
    query = check_sql("select secured, avg(amount) from loans group by 1", terms)
    total, count = mechanisms_of(query, terms)
    assert total.micro_rho == count.micro_rho == 10_000
    assert total.scale == pytest.approx(sqrt(2) * 100_000 / sqrt(2 * 0.01))  # cents: clamped to -100..1000
    assert count.scale == pytest.approx(sqrt(2) * 2 / sqrt(2 * 0.01))
    assert log(total.unit) == pytest.approx(log(0.01))
