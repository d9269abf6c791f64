"""What the requester is told about a private answer. Pure; sentences are made by the portal."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.findings import MARKER
from sandbox.disclosure.private.accounting import MICRO, charge_of, epsilon_of
from sandbox.disclosure.private.expected import expected_error
from sandbox.disclosure.private.intervals import CONFIDENCE, FEWEST_DEVIATIONS
from sandbox.engines.bounding import Kind, bound_of, groups_of, limits_of, statistics_of
from sandbox.guard.query import AggregateQuery

LOW, HIGH = "⌊{}⌋", "⌈{}⌉"


class PrivateRule(StrEnum):
    """The private lane's rules; none of the names is one of `findings.Rule`."""

    NOISE = "gaussian_noise"
    GROUPS = "max_groups"
    ROWS = "max_rows"
    SUMS = "clamped_sum"
    SMALL = "small_averages"
    INTERVAL = "interval"


def intervals(query: AggregateQuery) -> dict[str, list[str]]:
    """Label of a measure → labels of the columns with the lower and the upper end of its 95 % interval."""
    return {m.label: [LOW.format(m.label), HIGH.format(m.label)] for m in query.measures}


def summary(query: AggregateQuery, terms: Terms) -> dict[str, Any]:
    """The keys of the other lanes' summary, and under `privacy` what differs. All of it is public."""
    limits, charge = limits_of(terms), charge_of(query, terms)
    errors = expected_error(query, terms)
    return {
        "rules": rules_of(query, terms),
        "marker": MARKER,
        "empty_cells": "noise",
        "undeclared_values": "not_counted" if query.dimensions else "counted",
        "privacy": {
            "mechanism": "discrete_gaussian",
            "micro_rho": charge,
            "epsilon": epsilon_of(charge, limits.delta_exponent),
            "delta_exponent": limits.delta_exponent,
            "statistics": len(statistics_of(query)),
            "confidence": CONFIDENCE,
            "half_width": {
                label: {"value": error.half_width, "over_rows": error.over_rows}
                for label, error in errors.items()
            },
        },
    }


def rules_of(query: AggregateQuery, terms: Terms) -> list[dict[str, Any]]:
    """In the order in which they are applied; what this question does not touch is left out.

    The same before it is asked as below its answer: nothing here depends on data.
    """
    limits, charge = limits_of(terms), charge_of(query, terms)
    statistics = statistics_of(query)
    rules: list[dict[str, Any]] = []
    if query.dimensions:
        rules.append({"rule": PrivateRule.GROUPS.value, "groups": groups_of(query, terms)})
    if any(s.kind in {Kind.ROWS, Kind.VALUES} for s in statistics):
        rules.append({"rule": PrivateRule.ROWS.value, "rows": limits.max_rows})
    for statistic in statistics:
        if statistic.kind is Kind.SUM and statistic.column is not None:
            bound = bound_of(statistic, terms)
            low, high = bound.low // 10**bound.scale, bound.high // 10**bound.scale
            column = statistic.column.column
            rules.append({"rule": PrivateRule.SUMS.value, "column": column, "low": low, "high": high})
    epsilon = round(epsilon_of(charge, limits.delta_exponent), 2)
    rules.append(
        {
            "rule": PrivateRule.NOISE.value,
            "rho": charge / MICRO,
            "epsilon": epsilon,
            "exponent": limits.delta_exponent,
        }
    )
    if any(m.aggregate is Aggregate.AVG for m in query.measures):
        rules.append({"rule": PrivateRule.SMALL.value, "deviations": int(FEWEST_DEVIATIONS)})
    rules.append({"rule": PrivateRule.INTERVAL.value, "percent": round(100 * CONFIDENCE)})
    return rules
