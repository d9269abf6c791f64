"""The keys of the perturbed lane in generated SQL: numbers from 0 to 255, summed modulo 256. Pure.

Each row of an extract has a secret `_record_key`, uniform on 64 bits; a joined row has those of all its sources.

    row key   the lowest byte; of a joined row the sum of its sources'
    sum key   another byte for each summed column: with x = bits 8 to 39 (of a joined row the sum, modulo 2^32), the
              highest byte of the 32-bit product a·x, for an odd a that follows from the dataset and the column. So
              whoever knows the true count, or one true sum, learns nothing of the change of another sum.
    unit key  the lowest byte of the unit's pseudonym: the same whatever rows of the unit were chosen or joined

Source: cell key, Fraser and Wooton, A proposed method for confidentialising tabular output (UNECE 2005);
multiply-shift, Dietzfelbinger et al., A reliable randomized algorithm for the closest-pair problem (J. Algorithms 25,
1997).

Per contributor and cell (`of_contributor`):
    r, rI  HUGEINT  sum of row keys; over the rows with a value of measured column I
    qI     HUGEINT  sum of column I's sum keys over the rows with a value, where it is summed
    v      BIGINT   the contributor's unit key, where there is a privacy unit
Per cell (`of_cell`), after the other columns of the raw table: see `raw`.
"""

from __future__ import annotations

import hashlib
from functools import reduce

from sqlglot import exp

from contracts.policy.terms import ColumnTerm, Terms
from sandbox.engines.raw import is_summed
from sandbox.guard.query import AggregateQuery, ColumnRef

KEYS = 256  # a power of two, so that any part of a uniform key is uniform
_WORD = 2**32
_LABEL = b"dataspace sum key v1"


def unit_of(query: AggregateQuery, terms: Terms) -> tuple[str, ColumnTerm] | None:
    """Dataset and unit column of the first source that has one: all such sources are joined on it."""
    datasets = [d for name in query.sources if (d := terms.dataset(name)) is not None]
    return next(((d.name, d.unit) for d in datasets if d.unit is not None), None)


def multiplier(ref: ColumnRef, terms: Terms) -> int:
    """Odd, below 2^31; the same in every contract that names the column."""
    dataset = terms.dataset(ref.dataset)
    uid = "" if dataset is None else dataset.uid
    found = hashlib.sha256(b"\0".join((_LABEL, uid.encode(), ref.column.encode()))).digest()
    return int.from_bytes(found[:4], "big") >> 1 | 1


def of_contributor(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    row = reduce(_plus, [_part(name, 1, KEYS) for name in query.sources])
    word = reduce(_plus, [_part(name, KEYS, _WORD) for name in query.sources])
    word = _modulo(word, _WORD) if len(query.sources) > 1 else word
    selected: list[exp.Expr] = [exp.alias_(exp.Sum(this=row), "r")]
    unit = unit_of(query, terms)
    if unit is not None:
        column = exp.column(unit[1].name, table=unit[0], quoted=True)
        selected.append(exp.alias_(exp.Min(this=_big(_modulo(column, KEYS))), "v"))
    for i, ref in enumerate(query.measured):
        selected.append(exp.alias_(_sum_where_known(row, ref), f"r{i}"))
        if is_summed(ref, terms):
            product = exp.Mul(this=exp.paren(word.copy()), expression=_number(multiplier(ref, terms)))
            high = exp.IntDiv(this=exp.paren(product), expression=_number(_WORD // KEYS))
            selected.append(exp.alias_(_sum_where_known(_modulo(exp.paren(high), KEYS), ref), f"q{i}"))
    return selected


def of_cell(query: AggregateQuery, terms: Terms) -> list[exp.Expr]:
    selected = [exp.alias_(_key("r"), "r"), exp.alias_(_most("n"), "t")]
    if unit_of(query, terms) is not None:
        selected.append(exp.alias_(_key("v"), "u"))
    for i, ref in enumerate(query.measured):
        selected += [exp.alias_(_key(f"r{i}"), f"m{i}_r"), exp.alias_(_most(f"c{i}"), f"m{i}_t")]
        if is_summed(ref, terms):
            selected.append(exp.alias_(_key(f"q{i}"), f"m{i}_q"))
    return selected


def _part(dataset: str, divisor: int, modulus: int) -> exp.Expr:
    """(record key // divisor) % modulus."""
    key: exp.Expr = exp.column("_record_key", table=dataset, quoted=True)
    if divisor > 1:
        key = exp.paren(exp.IntDiv(this=key, expression=_number(divisor)))
    return _big(_modulo(key, modulus))


def _sum_where_known(key: exp.Expr, ref: ColumnRef) -> exp.Expr:
    value = exp.column(ref.column, table=ref.dataset, quoted=True)
    known = exp.Not(this=exp.Is(this=value, expression=exp.Null()))
    return exp.Sum(this=exp.Case(ifs=[exp.If(this=known, true=key.copy())]))


def _key(name: str) -> exp.Expr:
    total = exp.Coalesce(this=exp.Sum(this=exp.column(name)), expressions=[_number(0)])
    return _big(_modulo(total, KEYS))


def _most(name: str) -> exp.Expr:
    return _big(exp.Coalesce(this=exp.Max(this=exp.column(name)), expressions=[_number(0)]))


def _plus(a: exp.Expr, b: exp.Expr) -> exp.Expr:
    return exp.paren(exp.Add(this=a, expression=b))


def _modulo(value: exp.Expr, modulus: int) -> exp.Expr:
    return exp.Mod(this=value, expression=_number(modulus))


def _big(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, exp.DType.BIGINT)


def _number(value: int) -> exp.Expr:
    return exp.Literal.number(value)
