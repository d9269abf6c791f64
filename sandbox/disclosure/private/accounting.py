"""What a question costs, in zero-concentrated differential privacy. Pure.

Budgets are whole micro-rho (rho = 10^-6 each), so that charges add up without rounding. The rho of several
statistics, and of several questions, add up (Bun and Steinke 2016, Lemma 1.7): the ledger is a sum.
"""

from __future__ import annotations

from math import exp, log, log1p
from typing import Final

from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.engines.bounding import limits_of, statistics_of
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery

MICRO: Final = 1_000_000
_STEPS: Final = 200  # of a search that shrinks its interval by a third each time


def part_of(query: AggregateQuery, terms: Terms) -> int:
    """Micro-rho of each statistic: the contract's budget for one question in equal whole parts, rounded down.

    Raises: Refused private.lane; private.budget where not one micro-rho would be left for each.
    """
    part = limits_of(terms).query_budget // len(statistics_of(query))
    if not part:
        reason = say("The privacy budget of one question is too small for so many measures. Ask for fewer.")
        raise refuse("private.budget", reason)
    return part


def charge_of(query: AggregateQuery, terms: Terms) -> int:
    """Micro-rho that the question costs: its parts, added up. At most the contract's `query_budget`."""
    return part_of(query, terms) * len(statistics_of(query))


def epsilon_of(micro_rho: int, delta_exponent: int) -> float:
    """The least epsilon known to follow from rho at delta = 10^-delta_exponent.

    For every order a > 1, rho-zCDP gives epsilon(a) = a rho + (ln(1/delta) - ln a) / (a - 1) + ln(1 - 1/a);
    the smallest over a is taken. It has one minimum in ln(a - 1), found by ternary search.
    Source: Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (2020), Proposition 12.
    """
    if micro_rho <= 0:
        return 0.0
    rho, log_delta = micro_rho / MICRO, -delta_exponent * log(10)

    def epsilon(place: float) -> float:
        above = exp(place)  # a - 1
        order = 1 + above
        return order * rho - (log_delta + log(order)) / above + log1p(-1 / order)

    low, high = -12.0, 24.0
    for _ in range(_STEPS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if epsilon(left) <= epsilon(right):
            high = right
        else:
            low = left
    return max(0.0, epsilon((low + high) / 2))
