"""What a dataset's columns are: type, kind, grade, derived bins. Pure; no Django.

One frozen `Schema` drives the ingest, the data dictionary, the contract editor and the synthetic sample.
It is stored with each version as JSON (`to_json` / `from_json`) and never changes after publishing.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")  # a column's name in SQL; never starts with "_" (reserved)


class ColumnType(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"  # exact: DECIMAL(18, scale), so that sums do not depend on the order of rows
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"


class ColumnKind(StrEnum):
    """What a column can reveal. Decides what the ingest keeps and what a contract may allow."""

    DIRECT_IDENTIFIER = "direct_identifier"  # names, phone numbers: dropped at ingest
    PRIVACY_UNIT = "privacy_unit"  # the person, enterprise or household protected: kept as a keyed pseudonym
    QUASI_IDENTIFIER = "quasi_identifier"  # may serve as a dimension with a declared domain
    SENSITIVE = "sensitive"  # may serve as a measure only
    MEASURE = "measure"
    DIMENSION = "dimension"


class Grade(IntEnum):
    """GB/T 43697-2024: general data 1 to 4, important, core. Ordered, so that `max` gives a dataset's grade."""

    GENERAL_1 = 1
    GENERAL_2 = 2
    GENERAL_3 = 3
    GENERAL_4 = 4
    IMPORTANT = 5
    CORE = 6


class DeriveRule(StrEnum):
    """Bins computed once, when the extract is built, so that no query needs a free range."""

    YEAR = "year"  # date, timestamp -> "2025"
    YEAR_MONTH = "year_month"  # date, timestamp -> "2025-03"
    HOUR = "hour"  # timestamp -> "00".."23"
    BANDS = "bands"  # integer, decimal -> "<10", "10-20", ">=20" by `edges`
    PREFIX = "prefix"  # text -> its first `length` characters


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a derived column is made from `source`, another column of the same schema."""

    source: str
    rule: DeriveRule
    edges: tuple[str, ...] = ()  # BANDS: ascending decimals as text
    length: int = 0  # PREFIX: characters kept


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the published extract.

    `header` is the column's name in the source file ("" for a derived column).
    `domain` is the public list of values of a dimension (as text); None where none is declared.
    `unit_space` names what a privacy unit identifies ("enterprise", "person", "household"): pseudonyms
    are equal across datasets of one space, so that such datasets can be joined.
    """

    name: str
    header: str
    type: ColumnType
    kind: ColumnKind
    grade: Grade = Grade.GENERAL_1
    meaning: str = ""
    scale: int = 0  # DECIMAL: digits after the point, 0..9
    nullable: bool = True
    domain: tuple[str, ...] | None = None
    unit_space: str = ""
    derived: Derivation | None = None
    format: str = ""  # DATE, TIMESTAMP: strptime pattern of the source; "" for ISO 8601


@dataclass(frozen=True, slots=True)
class Schema:
    columns: tuple[Column, ...] = field(default_factory=tuple)

    @property
    def unit(self) -> Column | None:
        return next((c for c in self.columns if c.kind is ColumnKind.PRIVACY_UNIT), None)

    @property
    def grade(self) -> Grade:
        """The dataset's grade is its highest column's (GB/T 43697-2024, 就高从严)."""
        return max((c.grade for c in self.columns), default=Grade.GENERAL_1)

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Schema:
        """Raise KeyError or ValueError on anything that `to_json` would not write."""
        return cls(tuple(_column(c) for c in data["columns"]))


def _column(data: dict[str, Any]) -> Column:
    derived = data.get("derived")
    domain = data.get("domain")
    return Column(
        **{
            **data,
            "type": ColumnType(data["type"]),
            "kind": ColumnKind(data["kind"]),
            "grade": Grade(data["grade"]),
            "domain": None if domain is None else tuple(domain),
            "derived": None
            if derived is None
            else Derivation(
                derived["source"], DeriveRule(derived["rule"]), tuple(derived["edges"]), derived["length"]
            ),
        }
    )
