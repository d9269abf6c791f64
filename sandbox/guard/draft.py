"""`Draft`: a question as it was asked, before any name was looked up in the contract. Pure.

SQL text and JSON both become a Draft, so that one check serves the editor, the form builder and the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.policy.terms import Aggregate
from sandbox.guard.problems import NOWHERE, Place
from sandbox.guard.query import Comparison


class ConstantKind(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DOMAIN_TEXT = "domain_text"  # from JSON: the value as the domain writes it


@dataclass(frozen=True, slots=True)
class Name:
    """A column as written; `qualifier` is "" where none was written."""

    qualifier: str
    column: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Constant:
    kind: ConstantKind
    text: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Output:
    """One item of the SELECT list: a bare column (`aggregate` None) or an aggregate of `name`."""

    aggregate: Aggregate | None
    name: Name | None
    label: str | None = None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Reference:
    """An item of the SELECT list named by its position (from 1), or by its label or expression."""

    position: int | None
    output: Output | None
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Source:
    dataset: str
    alias: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Link:
    left: Name
    right: Name
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Condition:
    name: Name
    constants: tuple[Constant, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Bound:
    reference: Reference
    comparison: Comparison
    value: int
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Sort:
    reference: Reference
    descending: bool


@dataclass(frozen=True, slots=True)
class Draft:
    sources: tuple[Source, ...]
    links: tuple[Link, ...]
    conditions: tuple[Condition, ...]
    outputs: tuple[Output, ...]
    groups: tuple[Reference, ...]
    bounds: tuple[Bound, ...]
    sorts: tuple[Sort, ...]
    limit: int | None
    totals: bool
