"""What each tab of a dataset's page shows. A tab is worked out only when it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.dictionary import Term, dictionary
from catalog.ingest.profile import ColumnProfile, Profile
from catalog.ingest.synthetic import synthetic_rows
from catalog.models import Dataset, Version
from catalog.names import cadence_of
from catalog.schema import Column, ColumnKind, Grade
from catalog.selectors import versions_of
from catalog.states import Visibility
from contracts.draft import offered_columns, offered_role
from contracts.models import Contract
from contracts.policy.strictest import defaults_for
from contracts.policy.terms import ColumnRole
from contracts.selectors import visible_contracts
from dataspace.portal.charts import ChartColumn, chart_for
from dataspace.portal.doors import address
from dataspace.portal.parts import Cell, Col, Empty, Fact, Stat, Table
from dataspace.portal.rules import limits_in_words
from dataspace.templatetags.look import about
from parties.actors import Actor
from parties.names import name_of

Context = dict[str, Any]
Build = Callable[[HttpRequest, Actor, Dataset], Context]

SAMPLE_ROWS = 20
SHOWN_VALUES = 12  # of a domain; the rest unfolds
PAGE = 20
CHARTS = 12  # columns drawn on the quality tab
BLANK = "·"  # no value in a synthetic row; "—" would read as withheld

ROLES: dict[ColumnRole, StrOrPromise] = {
    ColumnRole.UNIT: _("Comes along: counted and joined on, never shown"),
    ColumnRole.DIMENSION: _("Group and filter by"),
    ColumnRole.MEASURE: _("Count, sum, average"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A column in the dictionary."""

    term: Term
    role: StrOrPromise  # "" where it cannot be asked for
    why_not: StrOrPromise
    shown: tuple[str, ...]  # the first values of the domain
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    title: str
    uid: str
    chart: dict[str, Any]


# --- Overview -------------------------------------------------------------------------------------------
def overview(_request: HttpRequest, actor: Actor, dataset: Dataset) -> Context:
    version = dataset.current
    return {
        "stats": _stats(version) if version else [],
        "facts": _facts(dataset),
        "protection": _protection(dataset.grade),
        "agreed": _agreed(actor, dataset),
    }


def _stats(version: Version) -> list[Stat]:
    open_columns = offered_columns(version.schema)
    quality = profile_of(version)
    return [
        Stat(_("Rows"), about(version.told_rows, version), url="?tab=versions"),
        Stat(_("Columns to ask for"), len(open_columns), url="?tab=dictionary"),
        Stat(_("Quality"), round(quality.quality.score * 100) if quality else None, unit="/ 100", url="?tab=quality"),
        Stat(_("Version"), version.number, url="?tab=versions"),
    ]  # fmt: skip


def _facts(dataset: Dataset) -> list[Fact]:
    version = dataset.current
    facts = [
        Fact(_("Provider"), name_of(dataset.provider)),
        Fact(_("Theme"), dataset.theme or BLANK),
        Fact(_("Update cadence"), cadence_of(dataset.cadence) or BLANK),
        Fact(_("Lawful source"), dataset.legal_basis or BLANK),
        Fact(_("Table name in SQL"), dataset.name, kind="mono"),
        Fact(_("Visible to"), Visibility(dataset.visibility).label),
    ]
    if version:
        facts.insert(1, Fact(_("Grade"), version.grade, kind="grade"))
        facts.append(Fact(_("Updated"), version.published, kind="moment"))
    return facts


def _protection(grade: Grade | None) -> list[str]:
    """The limits every result will meet at least, in words; the deciders may ask for stricter ones."""
    return [] if grade is None or grade is Grade.CORE else limits_in_words(defaults_for(grade))


def _agreed(actor: Actor, dataset: Dataset) -> list[Contract]:
    """The reader's own contracts over this dataset."""
    if actor.organization is None:
        return []
    own = visible_contracts(actor).filter(enterprise=actor.organization, request__items__dataset=dataset)
    return list(own[:5])


# --- Data dictionary --------------------------------------------------------------------------------------
def data_dictionary(_request: HttpRequest, _actor: Actor, dataset: Dataset) -> Context:
    version = dataset.current
    return {"lines": [_line(term) for term in dictionary(version)] if version else []}


def _line(term: Term) -> Line:
    role = offered_role(term.column)
    domain = term.column.domain or ()
    return Line(
        term,
        ROLES[role] if role else "",
        "" if role else _why_not(term.column),
        domain[:SHOWN_VALUES],
        domain[SHOWN_VALUES:],
    )


def _why_not(column: Column) -> StrOrPromise:
    if column.kind is ColumnKind.DIRECT_IDENTIFIER:
        return _("Not kept: it names a person or enterprise.")
    if column.kind in (ColumnKind.MEASURE, ColumnKind.SENSITIVE):
        return _("Not a number.")
    return _("Its values are not public.")


# --- Synthetic sample -------------------------------------------------------------------------------------
def sample(_request: HttpRequest, _actor: Actor, dataset: Dataset) -> Context:
    """Made from the schema and the public profile; the same for every reader."""
    version = dataset.current
    profile = profile_of(version)
    if version is None or profile is None:
        return {"table": None}
    rows = synthetic_rows(version.schema, profile, SAMPLE_ROWS)
    shown = [column for column in version.schema.columns if rows and column.name in rows[0]]
    table = Table(
        _("Synthetic sample"),
        [Col(column.name, numeric=offered_role(column) is ColumnRole.MEASURE) for column in shown],
        [[_sample_cell(column, row[column.name]) for column in shown] for row in rows],
        empty=Empty(_("No rows.")),
    )
    return {"table": table}


def _sample_cell(column: Column, value: Any) -> Cell:
    if value is None:
        return Cell(BLANK)
    if column.kind is ColumnKind.PRIVACY_UNIT:
        return Cell(f"{value:016x}"[:8] + "…", kind="mono")
    if offered_role(column) is not ColumnRole.MEASURE and isinstance(value, int):
        return Cell(str(value))  # a year or a code is no figure: 2025, not 2,025
    return Cell(value)


# --- Quality ----------------------------------------------------------------------------------------------
def quality(_request: HttpRequest, _actor: Actor, dataset: Dataset) -> Context:
    version = dataset.current
    profile = profile_of(version)
    if version is None or profile is None:
        return {"profile": None}
    meanings = {column.name: column.meaning or column.name for column in version.schema.columns}
    return {
        "profile": profile,
        "stats": _quality_stats(profile, digits=0 if version.is_about_someone else 1),
        "filled": _filled(profile),
        "drawings": _drawings(profile, meanings),
    }


def _quality_stats(profile: Profile, digits: int) -> list[Stat]:
    """In whole percents where finer ones could add up to a number of records."""
    parts = profile.quality
    shown = (
        (_("Quality"), parts.score, _("mean of the three")),
        (_("Completeness"), parts.completeness, _("cells that hold a value")),
        (_("Uniqueness"), parts.uniqueness, _("rows that are not repeated")),
        (_("Validity"), parts.validity, _("rows that fitted the schema")),
    )
    return [Stat(label, f"{value * 100:.{digits}f}", unit="%", note=note) for label, value, note in shown]


def _filled(profile: Profile) -> dict[str, Any] | None:
    """Bars: how much of each column holds a value."""
    chart = _bars([(c.name, (1 - c.null_share) * 100) for c in profile.columns], _("Column"), _("Filled (%)"))
    for axis in [*chart["option"]["xAxis"], *chart["option"]["yAxis"]] if chart else ():
        if axis["type"] == "value":
            axis["max"] = 100  # the whole
    return chart


def _drawings(profile: Profile, meanings: Mapping[str, str]) -> list[Drawing]:
    """How the values of each open column are spread. Nothing here stands for fewer than ten units."""
    drawn = []
    for column in profile.columns:
        chart = _spread(column)
        if chart:
            drawn.append(Drawing(meanings.get(column.name, column.name), f"spread-{column.name}", chart))
    return drawn[:CHARTS]


def _spread(column: ColumnProfile) -> dict[str, Any] | None:
    rows = [(bar.label or str(_("too rare to show")), bar.share * 100) for bar in column.bars]
    return _bars(rows, _("Value"), _("Share (%)"), narrow=True)


def _bars(
    rows: list[tuple[str, float]], value: StrOrPromise, share: StrOrPromise, *, narrow: bool = False
) -> dict[str, Any] | None:
    columns = [ChartColumn(value, measure=False), ChartColumn(share, measure=True)]
    return chart_for(columns, [(name, round(part, 1)) for name, part in rows], bars=True, narrow=narrow)


# --- Versions ---------------------------------------------------------------------------------------------
def versions(request: HttpRequest, actor: Actor, dataset: Dataset) -> Context:
    rows = versions_of(actor, dataset).defer("findings", "profile", "schema_json")
    return {"page": Paginator(rows, PAGE).get_page(request.GET.get("page"))}


# --- API --------------------------------------------------------------------------------------------------
def api(request: HttpRequest, _actor: Actor, dataset: Dataset) -> Context:
    """Addresses as they are on this machine, to paste into a terminal."""
    addresses = {
        "token": address("api:token"), "dataset": address("api:dataset", dataset.name),
        "requests": address("api:requests"), "docs": address("api:docs"),
    }  # fmt: skip
    version = dataset.current
    columns = [column.name for column in offered_columns(version.schema)] if version else []
    return {
        "api": {name: request.build_absolute_uri(path) for name, path in addresses.items() if path},
        "columns": columns,
    }


def profile_of(version: Version | None) -> Profile | None:
    """The public profile; None for a version without one."""
    return Profile.from_json(version.profile) if version and version.profile else None
