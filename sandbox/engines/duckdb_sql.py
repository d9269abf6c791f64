"""`AggregateQuery` to SQL for DuckDB, in two levels: per contributor and cell (`contributions`), then per cell."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from audit.wording import say
from contracts.policy.terms import Lane, Terms
from sandbox.engines import cell_keys
from sandbox.engines.contributions import PER_CONTRIBUTOR, number_type, per_contributor
from sandbox.engines.raw import is_summed, largest_kept
from sandbox.guard.lanes import lane_of
from sandbox.guard.problems import refuse
from sandbox.guard.query import AggregateQuery, ColumnRef

DIALECTS = frozenset({"duckdb"})


def generate(query: AggregateQuery, terms: Terms, dialect: str = "duckdb") -> str:
    """SQL whose result has the schema of `raw.raw_schema(query, terms)`, rows in any order.

    A grouped column keeps its declared values only: rows where it is null or holds another value are not
    counted. Rows without a privacy unit are not counted either.
    Raises: Refused("engine.dialect") for an engine that is not offered.
    """
    if dialect not in DIALECTS:
        raise refuse("engine.dialect", say("This engine is not offered."))
    inner = per_contributor(query, terms)
    values = [exp.cast(exp.column(f"d{i}"), exp.DType.TEXT) for i in range(len(query.dimensions))]
    outer = per_cell(query, terms, values).from_(PER_CONTRIBUTOR, copy=False)
    return outer.with_(PER_CONTRIBUTOR, as_=inner, copy=False).sql(
        dialect=dialect, identify=True, comments=False
    )


def per_cell(query: AggregateQuery, terms: Terms, values: Sequence[exp.Expr]) -> exp.Select:
    """The second level, without its FROM. `values`: text of each dimension's value, from columns `d0`, `d1` ..."""
    keys = [exp.column(f"d{i}") for i in range(len(query.dimensions))]
    selected: list[exp.Expr] = [exp.alias_(value, f"d{i}") for i, value in enumerate(values)]
    selected += numbers_of_cell(query, terms)
    select = exp.select(*selected, copy=False)
    return select.group_by(*keys, copy=False) if keys else select


def numbers_of_cell(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    """What the raw table says of each cell, from one row for each contributor and cell."""
    selected = [exp.alias_(exp.Count(this=exp.Star()), "k"), exp.alias_(_total("n"), "n")]
    for i, ref in enumerate(query.measured):
        positive = exp.If(this=exp.column(f"c{i}") > 0, true=exp.column(f"c{i}"))
        selected.append(exp.alias_(exp.Count(this=exp.Case(ifs=[positive])), f"m{i}_k"))
        selected.append(exp.alias_(_total(f"c{i}"), f"m{i}_n"))
        if is_summed(ref, terms):
            selected += _sums(i, ref, terms)
    if lane_of(query, terms) is Lane.PERTURBED:
        selected += cell_keys.of_cell(query, terms)
    return selected


def _sums(i: int, ref: ColumnRef, terms: Terms) -> list[exp.Expr]:
    number = number_type(ref, terms)
    size = exp.Abs(this=exp.column(f"s{i}"))
    largest = exp.Max(this=size.copy(), expressions=[exp.Literal.number(largest_kept(terms))])
    return [
        exp.alias_(exp.cast(exp.Sum(this=exp.column(f"s{i}")), number), f"m{i}_sum"),
        exp.alias_(exp.cast(exp.Sum(this=size), number.copy()), f"m{i}_abs"),
        exp.alias_(exp.cast(largest, exp.DataType.build(f"{number.sql()}[]")), f"m{i}_top"),
    ]


def _total(name: str) -> exp.Expr:
    """A sum of counts; 0, not null, where no contributor is left."""
    total = exp.Coalesce(this=exp.Sum(this=exp.column(name)), expressions=[exp.Literal.number(0)])
    return exp.cast(total, exp.DType.BIGINT)
