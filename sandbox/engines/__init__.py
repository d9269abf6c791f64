"""Engines: SQL generated from a checked question, and the raw table it returns. Pure; no Django."""

from sandbox.engines.duckdb_sql import generate
from sandbox.engines.from_kept import generate_from_kept
from sandbox.engines.layout import Facts, Layout, layout_of
from sandbox.engines.raw import raw_schema

__all__ = ["Facts", "Layout", "generate", "generate_from_kept", "layout_of", "raw_schema"]
