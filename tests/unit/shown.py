"""What the requester and the reviewer see of a raw table: protected as a bare question, arranged as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure import arrange, protect, shown
from sandbox.guard import AggregateQuery, bare


@dataclass(frozen=True, slots=True)
class Shown:
    table: pa.Table  # cells, without rows of totals
    totals: pa.Table
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...]


def show(raw: Callable[[AggregateQuery], pa.Table], query: AggregateQuery, terms: Terms) -> Shown:
    """`raw` gives the raw table of a bare question."""
    question = bare(query, terms)
    protected = protect(raw(question), question, terms)
    table = arrange(protected.table, query, terms)
    facts = shown(query, table, terms)
    cells = facts["rows"]
    return Shown(
        table.slice(0, cells),
        table.slice(cells),
        protected.summary | facts,
        protected.evidence,
        protected.exposed,
    )
