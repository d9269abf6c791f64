"""Rules on the number of contributors. Each takes groups of cells and parameters, and returns findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from contracts.policy.terms import DisclosureTerms
from sandbox.disclosure.findings import Finding, Rule
from sandbox.disclosure.grid import Group


def too_few(groups: Iterable[Group], limits: DisclosureTerms) -> tuple[Finding, ...]:
    """Groups that may hold fewer than `limits.min_contributors` distinct contributors.

    Assumes: `units` of each cell counts distinct privacy units, not rows.
    Guarantees: a group without finding holds at least k distinct contributors, whether or not the same
        contributors stand in several of its cells: k is asked of one cell alone.
    Does not guarantee: that the contributors differ in what is measured (see dominance), or that they do
        not work together.
    Source: Hundepool et al., Statistical Disclosure Control (2012), section 4.2.2, minimum frequency rule.
    """
    return tuple(
        Finding(Rule.MIN_CONTRIBUTORS, tuple(c.cell for c in group))
        for group in groups
        if max((c.units for c in group), default=0) < limits.min_contributors
    )


def complement(remainders: Iterable[Group], limits: DisclosureTerms) -> tuple[Finding, ...]:
    """Remainders (a total less its published cells) that tell one cell, or too few contributors.

    Assumes: the total is known, or can be asked for in another query.
    Guarantees: a remainder without finding has two cells or more and at least k distinct contributors, or
        `limits.complement_contributors` where that is more.
    Does not guarantee: that several totals together do not tell one cell (see intervals.audit).
    Source: Hundepool et al. (2012), section 4.4, secondary suppression; for rates near 0 and 100 % the
        complement is the rest of the population.
    """
    least = max(limits.min_contributors, limits.complement_contributors)
    strict = replace(limits, min_contributors=least)
    return tuple(
        Finding(Rule.COMPLEMENT, tuple(c.cell for c in group))
        for group in remainders
        if len(group) == 1 or (group and too_few([group], strict))
    )
