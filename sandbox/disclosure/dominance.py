"""Rules on the share of the largest contributors in a sum. Groups and parameters in, findings out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from contracts.policy.terms import DisclosureTerms
from sandbox.disclosure.findings import Finding, Rule
from sandbox.disclosure.grid import ZERO, Group


def dominated(groups: Iterable[Group], limits: DisclosureTerms) -> tuple[Finding, ...]:
    """Groups whose sum would tell the value of a large contributor.

    Assumes: `largest` are the largest absolute sums of single contributors, at least the two and the n
        largest where there are so many. In a group of several cells the same contributors may be the
        largest in each, so their contributions are added up.
    Guarantees: in a group without finding the n largest contribute at most `dominance_percent` of the
        absolute sum; and the second largest, taking its own value off the total, misses the largest by at
        least `p_percent` of it: absolute - first - second >= p % of first. Not all contributions are zero.
    Does not guarantee: protection against three or more who work together; for groups of several cells with
        contributions of both signs, that amounts of one contributor do not cancel.
    Source: Hundepool et al. (2012), section 4.2.2, (n, k) rule and p % rule; absolute values for
        contributions of both signs: Tambay and Fillion, Strategies for Processing Tabular Data (2013).
    """
    findings: list[Finding] = []
    for group in groups:
        cells = tuple(c.cell for c in group)
        absolute = sum((c.absolute for c in group), ZERO)
        if not absolute:
            findings.append(Finding(Rule.ALL_ZERO, cells))
            continue
        first, second = _largest(group, 0), _largest(group, 1)
        top = sum((_largest(group, i) for i in range(limits.dominance_n)), ZERO)
        if 100 * top > limits.dominance_percent * absolute:
            findings.append(Finding(Rule.DOMINANCE, cells))
        if 100 * (absolute - first - second) < limits.p_percent * first:
            findings.append(Finding(Rule.P_PERCENT, cells))
    return tuple(findings)


def _largest(group: Group, rank: int) -> Decimal:
    return sum((c.largest[rank] for c in group if rank < len(c.largest)), ZERO)
