"""`AggregateQuery`: the one frozen form of a question, from which SQL, cache keys and receipts follow. Pure.

It is never built by hand: `check_sql` and `check_query` build it, and only after every part was found in
the contract's terms. Everything in it is either a name or a domain value that stands in those terms,
a label, or a small whole number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import rfc8785

from audit.wording import say
from contracts.policy.terms import Aggregate
from sandbox.guard.problems import refuse

VERSION = 1

COUNTS = frozenset({Aggregate.COUNT_ROWS, Aggregate.COUNT_UNITS, Aggregate.COUNT})


class Comparison(StrEnum):
    EQ = "="
    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="


@dataclass(frozen=True, slots=True, order=True)
class ColumnRef:
    dataset: str
    column: str


@dataclass(frozen=True, slots=True, order=True)
class JoinOn:
    """left = right, with left before right in the order of names."""

    left: ColumnRef
    right: ColumnRef


@dataclass(frozen=True, slots=True, order=True)
class Filter:
    """The rows whose `column` holds one of `values`: sorted, a proper subset of the declared domain."""

    column: ColumnRef
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    column: ColumnRef
    label: str


@dataclass(frozen=True, slots=True)
class Measure:
    aggregate: Aggregate
    column: ColumnRef | None  # None for COUNT_ROWS and COUNT_UNITS
    label: str


@dataclass(frozen=True, slots=True, order=True)
class Having:
    """A bound on a published count, named by its label."""

    label: str
    comparison: Comparison
    value: int


@dataclass(frozen=True, slots=True)
class OrderBy:
    label: str
    descending: bool


@dataclass(frozen=True, slots=True)
class AggregateQuery:
    """Sources, joins, filters and having are sorted; dimensions, measures and order keep the asker's order.

    `having`, `order` and `limit` only arrange the protected table. `totals` asks for totals of the
    published cells.
    """

    sources: tuple[str, ...]
    joins: tuple[JoinOn, ...]
    filters: tuple[Filter, ...]
    dimensions: tuple[Dimension, ...]
    measures: tuple[Measure, ...]
    having: tuple[Having, ...] = ()
    order: tuple[OrderBy, ...] = ()
    limit: int | None = None
    totals: bool = False

    @property
    def measured(self) -> tuple[ColumnRef, ...]:
        """The distinct columns that measures read, sorted."""
        return tuple(sorted({m.column for m in self.measures if m.column is not None}))

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of the published table, in order: dimensions, then measures."""
        return tuple(d.label for d in self.dimensions) + tuple(m.label for m in self.measures)

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "sources": list(self.sources),
            "joins": [[_ref(j.left), _ref(j.right)] for j in self.joins],
            "filters": [{"column": _ref(f.column), "values": list(f.values)} for f in self.filters],
            "dimensions": [{"column": _ref(d.column), "label": d.label} for d in self.dimensions],
            "measures": [
                {
                    "aggregate": m.aggregate.value,
                    "column": None if m.column is None else _ref(m.column),
                    "label": m.label,
                }
                for m in self.measures
            ],
            "having": [
                {"label": h.label, "comparison": h.comparison.value, "value": h.value} for h in self.having
            ],
            "order": [{"label": o.label, "descending": o.descending} for o in self.order],
            "limit": self.limit,
            "totals": self.totals,
        }

    @classmethod
    def from_json(cls, data: Any) -> AggregateQuery:
        """The query that `to_json` wrote, without a look at any terms; `check_query` adds that look.

        Raise Refused("guard.form") on anything that `to_json` would not write.
        """
        try:
            query = _from_json(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise refuse("guard.form", say("The question is not in the expected JSON form.")) from error
        if query.to_json() != data:
            reason = say("The question holds fields that are unknown or of the wrong type.")
            raise refuse("guard.form", reason)
        return query


def canonical_bytes(query: AggregateQuery) -> bytes:
    """RFC 8785 JSON of the query: equal bytes for texts that ask the same thing in the same arrangement."""
    return rfc8785.dumps(query.to_json())


def _ref(ref: ColumnRef) -> list[str]:
    return [ref.dataset, ref.column]


def _column(data: Any) -> ColumnRef:
    dataset, column = data
    return ColumnRef(_text(dataset), _text(column))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("whole number expected")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def _from_json(data: Any) -> AggregateQuery:
    if data["version"] != VERSION:
        raise ValueError("unknown version")
    return AggregateQuery(
        sources=tuple(_text(s) for s in data["sources"]),
        joins=tuple(JoinOn(_column(left), _column(right)) for left, right in data["joins"]),
        filters=tuple(
            Filter(_column(f["column"]), tuple(_text(v) for v in f["values"])) for f in data["filters"]
        ),
        dimensions=tuple(Dimension(_column(d["column"]), _text(d["label"])) for d in data["dimensions"]),
        measures=tuple(
            Measure(
                Aggregate(m["aggregate"]),
                None if m["column"] is None else _column(m["column"]),
                _text(m["label"]),
            )
            for m in data["measures"]
        ),
        having=tuple(
            Having(_text(h["label"]), Comparison(h["comparison"]), _whole(h["value"])) for h in data["having"]
        ),
        order=tuple(OrderBy(_text(o["label"]), _flag(o["descending"])) for o in data["order"]),
        limit=None if data["limit"] is None else _whole(data["limit"]),
        totals=_flag(data["totals"]),
    )
