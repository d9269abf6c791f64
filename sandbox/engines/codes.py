"""Declared values by number: a value's code is its place in the column's declared domain, from 0. Pure."""

from __future__ import annotations

from collections.abc import Hashable

from audit.wording import say
from contracts.policy.terms import ColumnTerm, Terms
from sandbox.guard.cells import column_term
from sandbox.guard.domains import declared, key
from sandbox.guard.problems import refuse
from sandbox.guard.query import ColumnRef


def codes(column: ColumnTerm) -> dict[Hashable, int]:
    """The code of each declared value, by its key (`guard.domains.key`)."""
    return {value: place for place, value in enumerate(declared(column))}


def code_of(terms: Terms, ref: ColumnRef, text: str) -> int:
    """Raises Refused("guard.domain") for a value that is not declared."""
    column = column_term(terms, ref)
    code = codes(column).get(key(column.type, text))
    if code is None:
        reason = say("A value is not in the declared domain of %(column)s.", column=column.name)
        raise refuse("guard.domain", reason)
    return code
