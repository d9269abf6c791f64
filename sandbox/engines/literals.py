"""Domain values as typed SQL literals: the only values in generated SQL, all of them in the contract."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlglot import exp

from audit.wording import say
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm
from sandbox.guard.domains import key
from sandbox.guard.problems import refuse


def literal(column: ColumnTerm, text: str) -> exp.Expr:
    """The literal of the value that `text` means in `column`. Raise Refused where it means none."""
    value = key(column.type, text)
    if value is None or text not in column.domain:
        reason = say("A value is not in the declared domain of %(column)s.", column=column.name)
        raise refuse("guard.domain", reason)
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int | Decimal):
        number = exp.Literal.number(format(abs(value), "f") if isinstance(value, Decimal) else abs(value))
        return exp.Neg(this=number) if value < 0 else number
    if isinstance(value, datetime):
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), exp.DType.TIMESTAMP)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), exp.DType.DATE)
    raise refuse("guard.domain", say("%(column)s cannot be filtered.", column=column.name))


def text_of(value: exp.Expr, column: ColumnTerm) -> exp.Expr:
    """`value`, of the type of `column`, as the text the engine writes for it."""
    if column.type is ColumnType.DECIMAL:
        value = exp.cast(value, exp.DataType.build(f"DECIMAL(18, {column.scale})"))
    return exp.cast(value, exp.DType.TEXT)
