"""The private lane behind the one door: noise is drawn once, and what was drawn is what is kept."""

from __future__ import annotations

import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure.private.answer import draw
from sandbox.disclosure.private.kept import kept
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.disclosure.private.tables import evidence_table
from sandbox.disclosure.private.words import summary
from sandbox.disclosure.protected import Protected
from sandbox.guard.query import AggregateQuery


def private(raw: pa.Table, query: AggregateQuery, terms: Terms) -> Protected:
    """`query` is bare. The budget must have been charged before. Raises: see `answer.draw`."""
    released = draw(raw, query, terms)
    return Protected(
        table=kept(released, query, terms),
        summary=summary(query, terms),
        evidence=evidence_table(mechanisms_of(query, terms)),
    )
