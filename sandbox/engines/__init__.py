"""Engines: SQL generated from a checked question, and the raw table it returns. Pure; no Django."""

import pyarrow as pa

from contracts.policy.terms import Lane, Terms
from sandbox.engines import duckdb_sql, private_sql, raw
from sandbox.engines.from_kept import generate_from_kept, outline_from_kept
from sandbox.engines.layout import Facts, Layout, layout_of
from sandbox.guard.lanes import lane_of
from sandbox.guard.query import AggregateQuery

__all__ = [
    "Facts",
    "Layout",
    "generate",
    "generate_from_kept",
    "layout_of",
    "outline_from_kept",
    "raw_schema",
]


def generate(query: AggregateQuery, terms: Terms, dialect: str = "duckdb") -> str:
    """The SQL of the question's lane; its result has `raw_schema(query, terms)`, rows in any order."""
    private = lane_of(query, terms) is Lane.PRIVATE
    return (private_sql.generate_private if private else duckdb_sql.generate)(query, terms, dialect)


def raw_schema(query: AggregateQuery, terms: Terms) -> pa.Schema:
    private = lane_of(query, terms) is Lane.PRIVATE
    return (private_sql.private_schema if private else raw.raw_schema)(query, terms)
