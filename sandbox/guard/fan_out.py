"""Where a join counts a value more than once. Advice, not a refusal: the contract permits the question. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from audit.wording import say
from contracts.policy.terms import Aggregate, Terms
from sandbox.guard.query import AggregateQuery

# One year, quarter, month or day, as dimensions are written: 2025, 2025Q4, 2025-12, 2025-12-31.
_PERIOD = re.compile(r"\d{4}([-/年]?(Q[1-4]|\d{1,2})([-/月]\d{1,2})?)?[年月日]?", re.IGNORECASE)


def fan_out(
    query: AggregateQuery, terms: Terms, sizes: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """Warnings, each with code and reason, about sums over rows that a join repeats.

    `sizes`: dataset → (rows, units) of its extract. Where there are more rows than units a unit has several
    rows, unless the question keeps one period of the dataset, and each of them meets every matching row of
    the others. Distinct units are counted right whatever the join does.
    """
    if not query.joins:
        return []
    many = {
        name
        for name, (rows, units) in sizes.items()
        if name in query.sources and rows > units and not _keeps_one_period(query, terms, name)
    }
    counted = {m.column.dataset for m in query.measures if m.column is not None}
    if len(many) > 1 and any(m.aggregate is Aggregate.COUNT_ROWS for m in query.measures):
        counted |= many
    repeated = sorted(name for name in counted if many - {name})
    if not repeated:
        return []
    if len(many) > 1:
        reason = say(
            "%(datasets)s have several rows for the same unit, and the join pairs each with each: sums, averages "
            "and counts of records count the pairs. Keep one period on both sides (filter each to one month, "
            "say), or ask about each dataset on its own.",
            datasets=", ".join(sorted(many)),
        )
    else:
        reason = say(
            "%(cause)s has several rows for the same unit, and the join repeats each row of %(repeated)s as often. "
            "Keep one period of %(cause)s (filter it to one month, say), or ask about %(repeated)s on its own.",
            cause=", ".join(many),
            repeated=", ".join(repeated),
        )
    return [{"code": "query.fan_out", "reason": reason}]


def _keeps_one_period(query: AggregateQuery, terms: Terms, name: str) -> bool:
    """Whether the finest of the dataset's columns that read as periods is filtered to one value."""
    dataset = terms.dataset(name)
    columns = dataset.columns if dataset else ()
    periods = [c for c in columns if c.domain and all(map(_PERIOD.fullmatch, c.domain))]
    if not periods:
        return False
    finest = max(periods, key=lambda column: max(map(len, column.domain))).name  # 2025-12 is longer than 2025
    return any(
        f.column.dataset == name and f.column.column == finest and len(f.values) == 1 for f in query.filters
    )
