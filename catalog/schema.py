"""What a dataset's columns are: type, kind, grade, derived bins. Pure; no Django.

One frozen `Schema` drives the ingest, the data dictionary, the contract editor and the synthetic sample.
It is stored with each version as JSON (`to_json` / `from_json`) and never changes after publishing.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import IntEnum, StrEnum
from itertools import pairwise
from typing import Any

from audit.wording import say

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")  # a column's name in SQL; never starts with "_" (reserved)
MAX_SCALE = 9  # digits after the point of a DECIMAL(18, scale)
DECIMAL_COMMA = ","  # `format` of a DECIMAL whose source writes 3,14
DIRECTIVES = re.compile(r"%[YmdHMSyb]")  # what a date pattern may use; "|" separates alternatives


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

    def labels(self) -> tuple[str, ...]:
        """BANDS: the names of the half-open bands [edge, next edge), lowest first."""
        if not self.edges:
            return ()
        inner = (f"{low}-{high}" for low, high in pairwise(self.edges))
        return (f"<{self.edges[0]}", *inner, f">={self.edges[-1]}")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the published extract.

    `header` is the column's name in the source file ("" for a derived column).
    `domain` is the public list of values of a dimension (as text); None where none is declared.
    `unit_space` names what a privacy unit identifies ("enterprise", "person", "household"): pseudonyms
    are equal across datasets of one space, so that such datasets can be joined.
    `missing` are the source's own words for "no value" ("-", "NA"), read as null.
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
    format: str = (
        ""  # DATE, TIMESTAMP: strptime patterns of the source joined by "|", "" for ISO; DECIMAL: "" or ","
    )
    missing: tuple[str, ...] = ()
    rounded: bool = (
        False  # DECIMAL: more digits than `scale` are rounded half away from zero instead of reported
    )


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
        try:
            return cls(tuple(_column(c) for c in data["columns"]))
        except TypeError as error:  # a field no column has, or a value of the wrong shape
            raise ValueError(str(error)) from None


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
            "missing": tuple(data.get("missing", ())),
            "derived": None
            if derived is None
            else Derivation(
                derived["source"], DeriveRule(derived["rule"]), tuple(derived["edges"]), derived["length"]
            ),
        }
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a schema cannot be used: the column's name ("" for the whole), a stable code, words for the provider."""

    column: str
    code: str
    reason: str


def problems(schema: Schema) -> tuple[Problem, ...]:
    """Everything that keeps `schema` from being built; empty when it can be."""
    found = list(_whole(schema))
    for column in schema.columns:
        found += [Problem(column.name, *p) for p in _own(column)]
        if column.derived is not None:
            found += [Problem(column.name, *p) for p in _derived(column, column.derived, schema)]
    return tuple(found)


def _whole(schema: Schema) -> list[Problem]:
    found = []
    names = [c.name for c in schema.columns]
    headers = [c.header for c in schema.columns if c.derived is None]
    if len(set(names)) < len(names):
        found.append(Problem("", "schema.duplicate_name", say("Two columns have the same name. Rename one.")))
    if len(set(headers)) < len(headers):
        reason = say("Two columns are read from the same source column.")
        found.append(Problem("", "schema.duplicate_header", reason))
    if sum(c.kind is ColumnKind.PRIVACY_UNIT for c in schema.columns) > 1:
        found.append(Problem("", "schema.several_units", say("Choose one column as the privacy unit.")))
    if all(c.kind is ColumnKind.DIRECT_IDENTIFIER for c in schema.columns):
        reason = say("No column would be published. Keep at least one.")
        found.append(Problem("", "schema.nothing_left", reason))
    return found


def _own(column: Column) -> list[tuple[str, str]]:
    found = []
    if not NAME.match(column.name):
        reason = say("A name has 1 to 48 of a-z, 0-9 and _ and starts with a letter.")
        found.append(("schema.name", reason))
    if not 0 <= column.scale <= MAX_SCALE:
        found.append(("schema.scale", say("Digits after the point must be 0 to %(most)d.", most=MAX_SCALE)))
    if not _format_fits(column):
        reason = say("The pattern may use %(parts)s and plain signs.", parts="%Y %m %d %H %M %S %y %b")
        found.append(("schema.format", reason))
    if column.domain is not None and not _domain_fits(column):
        reason = say("The domain must list distinct values written as the column's type.")
        found.append(("schema.domain", reason))
    identifies = column.kind in {ColumnKind.PRIVACY_UNIT, ColumnKind.DIRECT_IDENTIFIER}
    if identifies and column.domain is not None:
        reason = say("A list of identifiers must not become public. Remove the domain.")
        found.append(("schema.identifier_domain", reason))
    if column.kind is ColumnKind.PRIVACY_UNIT:
        found += _unit(column)
    return found


def _unit(column: Column) -> list[tuple[str, str]]:
    found = []
    if not NAME.match(column.unit_space):
        reason = say("Say what the privacy unit identifies, for example enterprise or person.")
        found.append(("schema.unit_space", reason))
    if column.type not in {ColumnType.TEXT, ColumnType.INTEGER} or column.derived is not None:
        reason = say("A privacy unit is a text or integer column of the source.")
        found.append(("schema.unit_type", reason))
    return found


def _format_fits(column: Column) -> bool:
    if column.type is ColumnType.DECIMAL:
        return column.format in {"", DECIMAL_COMMA}
    if column.type not in {ColumnType.DATE, ColumnType.TIMESTAMP}:
        return column.format == ""
    if column.format == "":
        return True
    return all(DIRECTIVES.search(p) and "%" not in DIRECTIVES.sub("", p) for p in column.format.split("|"))


def _domain_fits(column: Column) -> bool:
    domain = column.domain or ()
    if not domain or len(set(domain)) < len(domain):
        return False
    return all(value and _canonical(value, column) for value in domain)


def _canonical(value: str, column: Column) -> bool:
    """Whether `value` is the text the engine writes for a value of this type."""
    try:
        return _rewritten(value, column) == value
    except (ValueError, InvalidOperation):
        return False


def _rewritten(value: str, column: Column) -> str:
    match column.type:
        case ColumnType.INTEGER:
            return str(int(value))
        case ColumnType.DECIMAL:
            return str(Decimal(value).quantize(Decimal(1).scaleb(-column.scale)))
        case ColumnType.DATE:
            return date.fromisoformat(value).isoformat()
        case ColumnType.TIMESTAMP:
            return datetime.fromisoformat(value).isoformat(sep=" ")
        case ColumnType.BOOLEAN:
            return value if value in {"true", "false"} else ""
        case ColumnType.TEXT:
            return value.strip()


_SOURCES = {
    DeriveRule.YEAR: {ColumnType.DATE, ColumnType.TIMESTAMP},
    DeriveRule.YEAR_MONTH: {ColumnType.DATE, ColumnType.TIMESTAMP},
    DeriveRule.HOUR: {ColumnType.TIMESTAMP},
    DeriveRule.BANDS: {ColumnType.INTEGER, ColumnType.DECIMAL},
    DeriveRule.PREFIX: {ColumnType.TEXT},
}


def _derived(column: Column, derived: Derivation, schema: Schema) -> list[tuple[str, str]]:
    found = []
    source = schema.column(derived.source)
    if source is None or source.derived is not None or source.type not in _SOURCES[derived.rule]:
        reason = say("Derive from a source column of a type that fits the rule.")
        found.append(("schema.derived_source", reason))
    if column.type is not ColumnType.TEXT or column.domain is None:
        reason = say("A derived column is text and declares its domain.")
        found.append(("schema.derived_domain", reason))
    if column.kind not in {ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER}:
        reason = say("A derived column is a dimension or a quasi-identifier.")
        found.append(("schema.derived_kind", reason))
    if derived.rule is DeriveRule.BANDS and not _ascending(derived.edges):
        found.append(("schema.edges", say("List the band edges as ascending numbers.")))
    if derived.rule is DeriveRule.PREFIX and derived.length < 1:
        found.append(("schema.length", say("Keep at least one character.")))
    return found


def _ascending(edges: tuple[str, ...]) -> bool:
    try:
        numbers = [Decimal(edge) for edge in edges]
    except InvalidOperation:
        return False
    return bool(numbers) and all(n.is_finite() for n in numbers) and all(a < b for a, b in pairwise(numbers))
