"""The error to expect, before any budget is spent. Pure: from contract and question alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

from contracts.policy.terms import Aggregate, Terms
from sandbox.disclosure.private.intervals import NORMAL_95, half_width
from sandbox.disclosure.private.mechanism import Mechanism, mechanisms_of
from sandbox.engines.bounding import needed_by
from sandbox.guard.query import AggregateQuery, Measure


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """Half the width of the 95 % interval of each cell, in the measure's units.

    `over_rows`: an average, whose error is `half_width` divided by the number of rows in the cell.
    """

    half_width: float
    over_rows: bool = False

    def at(self, rows: int) -> float:
        """In a cell of so many rows."""
        return self.half_width / max(1, rows) if self.over_rows else self.half_width


def expected_error(query: AggregateQuery, terms: Terms) -> dict[str, ExpectedError]:
    """By measure label. Exact for counts and sums.

    For an average it is the delta method's 1.96 sqrt(var(sum) + r^2 var(count)) / rows at r = the largest value that
    one row could have within the bounds, so the true error is rarely larger.
    Raises: as `mechanisms_of`.
    """
    mechanisms = {m.statistic: m for m in mechanisms_of(query, terms)}
    return {
        measure.label: _expected(measure, [mechanisms[s] for s in needed_by(measure)])
        for measure in query.measures
    }


def _expected(measure: Measure, parts: list[Mechanism]) -> ExpectedError:
    if measure.aggregate is not Aggregate.AVG:
        (only,) = parts
        return ExpectedError((half_width(only.scale) + 0.5 * (only.step > 1)) * only.unit)
    total, count = parts
    largest = total.magnitude * total.unit
    spread = hypot(total.scale * total.unit, largest * count.scale)
    return ExpectedError(NORMAL_95 * spread, over_rows=True)
