"""The data dictionary: a version's schema in words for people."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as now
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.models import GRADE_NAMES, Version
from catalog.schema import Column, ColumnKind, ColumnType, DeriveRule

KIND_NAMES: dict[ColumnKind, StrOrPromise] = {
    ColumnKind.DIRECT_IDENTIFIER: _("direct identifier (not kept)"),
    ColumnKind.PRIVACY_UNIT: _("privacy unit"),
    ColumnKind.QUASI_IDENTIFIER: _("quasi-identifier"),
    ColumnKind.SENSITIVE: _("sensitive"),
    ColumnKind.MEASURE: _("measure"),
    ColumnKind.DIMENSION: _("dimension"),
}
TYPE_NAMES: dict[ColumnType, StrOrPromise] = {
    ColumnType.TEXT: _("text"),
    ColumnType.INTEGER: _("integer"),
    ColumnType.DECIMAL: _("decimal"),
    ColumnType.DATE: _("date"),
    ColumnType.TIMESTAMP: _("date and time"),
    ColumnType.BOOLEAN: _("yes or no"),
}
RULE_NAMES: dict[DeriveRule, StrOrPromise] = {
    DeriveRule.YEAR: _("year"),
    DeriveRule.YEAR_MONTH: _("year and month"),
    DeriveRule.HOUR: _("hour of the day"),
    DeriveRule.BANDS: _("bands"),
    DeriveRule.PREFIX: _("first characters"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the dictionary, each field ready to be shown. `column` is the schema's own."""

    column: Column
    type: StrOrPromise
    kind: StrOrPromise
    grade: StrOrPromise
    made: str  # "" unless derived

    @property
    def kept(self) -> bool:
        """Whether the extract has the column at all."""
        return self.column.kind is not ColumnKind.DIRECT_IDENTIFIER


def dictionary(version: Version) -> list[Term]:
    """In the order of the schema; empty before one was inferred."""
    return [
        Term(
            column, TYPE_NAMES[column.type], KIND_NAMES[column.kind], GRADE_NAMES[column.grade], _made(column)
        )
        for column in version.schema.columns
    ]


def _made(column: Column) -> str:
    if column.derived is None:
        return ""
    return now("%(rule)s of %(source)s") % {
        "rule": RULE_NAMES[column.derived.rule],
        "source": column.derived.source,
    }
