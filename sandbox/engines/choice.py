"""Which cells a contributor counts in, where it stands in more than it may: the first by an order of its own. Pure.

    place   RANK_BITS leading bits of hash(hash(p, code of each dimension)); then the codes, which break ties

`p` is the contributor's own stable key and a code is a value's place in its declared domain, so nothing that another
contributor's rows could change decides. Dimensions are taken in the order of their names. The hash spreads what is
dropped over the cells (any order would bound as well); it is taken twice because what the engine makes of several
values is a sum of bits, whose order would favour some cells.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from contracts.policy.terms import Terms
from sandbox.engines.codes import code_of
from sandbox.engines.contributions import PER_CONTRIBUTOR
from sandbox.engines.literals import literal
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.query import AggregateQuery

RANK_BITS = 16


def place(stable: exp.Expr, codes: Sequence[exp.Expr]) -> exp.Expr:
    """UBIGINT below 2^RANK_BITS. The hash depends on the types, so they are made the same."""
    inner = exp.Anonymous(
        this="hash", expressions=[exp.cast(part, exp.DType.UBIGINT) for part in (stable, *codes)]
    )
    mixed = exp.Anonymous(this="hash", expressions=[inner])
    return exp.BitwiseRightShift(this=mixed, expression=exp.Literal.number(64 - RANK_BITS))


def first_cells(codes: Sequence[exp.Expr], most: int) -> exp.Select:
    """The rows of PER_CONTRIBUTOR that count. It has `u0`, `p` and what `codes` are made of."""
    order = [place(exp.column("p"), [code.copy() for code in codes]), *codes]
    rank = exp.Window(
        this=exp.RowNumber(), partition_by=[exp.column("u0")], order=exp.Order(expressions=order)
    )
    select = exp.select("*", copy=False).from_(PER_CONTRIBUTOR, copy=False)
    select.set("qualify", exp.Qualify(this=exp.LTE(this=rank, expression=exp.Literal.number(most))))
    return select


def by_name(query: AggregateQuery) -> list[int]:
    """Places of the question's dimensions in the order in which they are hashed."""
    return sorted(range(len(query.dimensions)), key=lambda place: query.dimensions[place].column)


def codes_of_values(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    """The codes where d0, d1 ... are the columns' own values."""
    found: list[exp.Expr] = []
    for i in by_name(query):
        ref = query.dimensions[i].column
        ifs = [
            exp.If(
                this=literal(column_term(terms, ref), text),
                true=exp.Literal.number(code_of(terms, ref, text)),
            )
            for text in cell_values(query, terms)[i]
        ]
        found.append(exp.Case(this=exp.column(f"d{i}"), ifs=ifs) if ifs else exp.Null())
    return found


def codes_as_kept(query: AggregateQuery) -> list[exp.Expr]:
    """The codes where d0, d1 ... are codes."""
    return [exp.column(f"d{i}") for i in by_name(query)]
