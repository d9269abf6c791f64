"""The guard: text or JSON to one checked `AggregateQuery`, or a refusal with term and place. Pure."""

from __future__ import annotations

from typing import Any

from contracts.policy.terms import Terms
from sandbox.guard.bare import bare
from sandbox.guard.cells import cell_values, possible_cells
from sandbox.guard.check import check
from sandbox.guard.form import draft_of
from sandbox.guard.lanes import lane_of
from sandbox.guard.parse import parse
from sandbox.guard.query import AggregateQuery, canonical_bytes

__all__ = [
    "AggregateQuery",
    "bare",
    "canonical_bytes",
    "cell_values",
    "check_query",
    "check_sql",
    "lane_of",
    "possible_cells",
]


def check_sql(text: str, terms: Terms) -> AggregateQuery:
    """Check a query written as SQL.

    Raises: Refused; `details` holds code, line, column and term of the first problem and "problems", a list
    of all (each with code, reason, line, column, term).
    """
    return check(parse(text), terms)


def check_query(data: dict[str, Any], terms: Terms) -> AggregateQuery:
    """Check a query in the form of `AggregateQuery.to_json`, by the same rules as `check_sql`."""
    return check(draft_of(data, terms), terms)
