"""Engines: SQL generated from a checked question, and the raw table it returns. Pure; no Django."""

from sandbox.engines.duckdb_sql import generate
from sandbox.engines.raw import raw_schema

__all__ = ["generate", "raw_schema"]
