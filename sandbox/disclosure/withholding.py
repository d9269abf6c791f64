"""Which values are withheld and why: primary rules, then secondary suppression, for each measure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from contracts.policy.terms import Aggregate, DisclosureTerms
from sandbox.disclosure.complementary import Rules, suppress
from sandbox.disclosure.contributors import complement, too_few
from sandbox.disclosure.dominance import dominated
from sandbox.disclosure.findings import Finding, Key, Outcome, Rule
from sandbox.disclosure.grid import Grid, Group
from sandbox.disclosure.protection import Levels, Squeeze
from sandbox.guard.query import Measure

SUMMED = frozenset({Aggregate.SUM, Aggregate.AVG})


@dataclass(frozen=True, slots=True)
class Withholding:
    """The verdict on one measure: why each withheld cell is, and which stay exposed all the same."""

    grid: Grid
    reasons: dict[Key, tuple[Rule, ...]]
    exposed: frozenset[Key]
    squeezes: Mapping[Key, Squeeze] = field(default_factory=dict)  # of cells that break a rule

    def outcome(self, cell: Key) -> Outcome:
        if cell not in self.grid.cells:
            return Outcome.EMPTY
        return Outcome.WITHHELD if cell in self.reasons else Outcome.PUBLISHED

    def nobody(self, cell: Key) -> bool:
        """Nobody is in the cell at all. Where people without a value are, a zero would tell that of each."""
        return cell not in self.grid.cells and cell not in self.grid.silent


def withhold(grid: Grid, measure: Measure, limits: DisclosureTerms) -> Withholding:
    """Apply the rules that fit the measure."""
    rules = rules_for(measure, limits)
    suppression = suppress(grid, rules)
    reasons = {
        key: tuple(finding.rule for finding in _findings((grid.cells[key],), measure, limits))
        for key in sorted(suppression.primary)
    }
    reasons |= dict.fromkeys(sorted(suppression.added), (Rule.COMPLEMENTARY,))
    return Withholding(grid, reasons, suppression.exposed, suppression.squeezes)


def rules_for(measure: Measure, limits: DisclosureTerms) -> Rules:
    """Contributors for all measures, dominance for sums and averages."""
    summed = measure.aggregate in SUMMED

    def tells(remainder: Group) -> bool:
        return bool(complement([remainder], limits)) or (summed and bool(dominated([remainder], limits)))

    return Rules(
        breaks=lambda cell: bool(_findings((cell,), measure, limits)),
        tells=tells,
        levels=partial(Levels, limits=limits, summed=summed),
    )


def _findings(group: Group, measure: Measure, limits: DisclosureTerms) -> tuple[Finding, ...]:
    summed = measure.aggregate in SUMMED
    return too_few([group], limits) + (dominated([group], limits) if summed else ())
