"""What makes two questions the same question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import rfc8785

from contracts.policy.canonical import digest
from contracts.policy.terms import Lane, Terms
from sandbox.guard import AggregateQuery
from sandbox.guard.cells import column_term
from sandbox.spec import ExtractRef

# Limits on what may be asked, and on how often: the answer does not depend on them.
_OF_ASKING = {
    "max_dimensions",
    "max_cells",
    "max_releases",
    "max_refusals",
    "allow_scripts",
    "contract_budget",
}


def answer_key(query: AggregateQuery, terms: Terms, lane: Lane, extracts: Sequence[ExtractRef]) -> str:
    """Digest of the bare question, the extracts' bytes and every term that shapes the answer.

    Contracts share an answer where their terms would make the same one: then the second gets the bytes of the first,
    and two colluding users hold no more than one.
    """
    return digest(
        rfc8785.dumps(
            {
                "query": query.to_json(),
                "extracts": {e.table: e.sha256 for e in extracts},
                "lane": lane.value,
                "policy": _policy(query, terms),
            }
        )
    )


def _policy(query: AggregateQuery, terms: Terms) -> dict[str, Any]:
    used = {*(d.column for d in query.dimensions), *(f.column for f in query.filters), *query.measured}
    columns = {f"{ref.dataset}.{ref.column}": asdict(column_term(terms, ref)) for ref in used}
    return {
        "columns": {
            name: {k: v for k, v in column.items() if k != "aggregates"} for name, column in columns.items()
        },
        "disclosure": _without(asdict(terms.disclosure)),
        "privacy": {} if terms.privacy is None else _without(asdict(terms.privacy)),
    }


def _without(limits: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in limits.items() if name not in _OF_ASKING}
