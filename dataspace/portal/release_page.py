"""What is shown of a release: chart and table, what is withheld and why, its receipt; to reviewers the evidence."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from audit.events import Event
from audit.models import Entry
from contracts.policy.canonical import digest
from contracts.policy.terms import Lane
from dataspace.portal.charts import ChartColumn, chart_for, table_for
from dataspace.portal.doors import address, reason_against
from dataspace.portal.parts import Cell, Col, Download, Fact, Table
from dataspace.portal.rules import outcome_words, reason_words, rule_words
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.formats import from_ipc
from sandbox.models import Release
from sandbox.permissions import check_can_open
from sandbox.receipt_proof import check_can_prove

STATISTICS: dict[str, StrOrPromise] = {
    "units": gettext_lazy("contributors"),
    "rows": gettext_lazy("records"),
    "values": gettext_lazy("records with a value"),
    "sum": gettext_lazy("sum"),
}
ROWS = 50  # of a table on one page
EVIDENCE_ROWS = 100

Row = list[Any]


def check_can_review(actor: Actor) -> None:
    """Evidence tells contributors per cell: for reviewers alone, never for the enterprise."""
    actor.require(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR)


class ReleasePage:
    """Of a release the reader may see. Everything is worked out on first use by the template."""

    def __init__(self, actor: Actor, release: Release) -> None:
        self._actor, self.release = actor, release

    # --- The result ---------------------------------------------------------------------------------------
    @cached_property
    def columns(self) -> list[ChartColumn]:
        """Without the ends of intervals, which the table shows beside their measures."""
        names = [name for name in self._table.column_names if name not in self._ends]
        return [ChartColumn(name, measure=i >= self.release.dimensions) for i, name in enumerate(names)]

    @cached_property
    def rows(self) -> list[Row]:
        """As released: a measure that is None is not shown, a dimension that is None marks a total."""
        columns = [self._table.column(column.label).to_pylist() for column in self.columns]
        return [list(row) for row in zip(*columns, strict=True)]

    @cached_property
    def chart(self) -> dict[str, Any] | None:
        return chart_for(self.columns, self.rows)

    def page(self, number: str | None) -> Page[Row]:
        return Paginator(self.rows, ROWS).get_page(number)

    def table(self, page: Page[Row]) -> Table:
        first = page.start_index() - 1 if page.paginator.count else 0
        rows = [list(row) for row in page.object_list]
        for label, ends in self._intervals.items():
            place = [column.label for column in self.columns].index(label)
            low, high = (self._table.column(end).slice(first, ROWS).to_pylist() for end in ends)
            for row, bottom, top in zip(rows, low, high, strict=True):
                if bottom is not None:
                    row[place] = Cell(row[place], kind="number", note=f"{_plain(bottom)} – {_plain(top)}")
        return table_for(self.columns, rows, _("Result"))

    @cached_property
    def _intervals(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.release.summary.get("intervals", {})
        return found

    @cached_property
    def _ends(self) -> set[str]:
        return {end for ends in self._intervals.values() for end in ends}

    @cached_property
    def _table(self) -> Any:
        return from_ipc(bytes(self.release.table))

    # --- What was done to it ------------------------------------------------------------------------------
    @cached_property
    def rules(self) -> list[str]:
        summary = self.release.summary
        words = rule_words(summary["rules"])
        if summary["undeclared_values"] == "not_counted":
            words.append(_("Records whose value is missing or not declared for a dimension are not counted."))
        if summary["totals"] == "of_published_values":
            words.append(_("Totals add up what is published, nothing else."))
        elif summary["totals"] == "of_their_own_contributors":
            words.append(_("Totals are changed on their own, so that cells do not add up to them."))
        return words

    @property
    def not_shown(self) -> int:
        return int(self.release.summary["not_shown"])

    @property
    def empty_cells(self) -> str:
        return str(self.release.summary.get("empty_cells", "not_shown"))

    @property
    def values(self) -> int:
        return int(self.release.summary["values"])

    # --- What pins it -------------------------------------------------------------------------------------
    @cached_property
    def receipt(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(bytes(self.release.receipt))
        return facts

    @cached_property
    def receipt_digest(self) -> str:
        return digest(bytes(self.release.receipt))

    @property
    def receipt_file(self) -> str:
        return f"dataspace-{self.release.uid!s:.8}-receipt.json"

    @cached_property
    def pins(self) -> list[Fact]:
        receipt = self.receipt
        versions = ", ".join(
            f"{name} {version}" for name, version in receipt["software"].items() if name != "code"
        )
        return [
            Fact(_("Receipt"), self.receipt_digest, kind="digest"),
            Fact(_("Contract"), receipt["contract"], kind="digest"),
            Fact(_("Question"), receipt["query"]["digest"], kind="digest"),
            Fact(_("Result"), receipt["result"], kind="digest"),
            *(
                Fact(
                    _("Extract, version %(n)d") % {"n": extract["version"]}, extract["sha256"], kind="digest"
                )
                for extract in receipt["extracts"]
            ),
            Fact(_("Code"), receipt["software"]["code"], kind="digest"),
            Fact(_("Log's head before"), receipt["audit_head"], kind="digest"),
            Fact(_("Software"), versions),
        ]

    @cached_property
    def entry(self) -> Entry | None:
        """The log's entry of the release; None for the moment until it is sealed."""
        return Entry.objects.filter(obj=self.release.run.audit_ref, act=Event.RUN_RELEASED).first()

    # --- What can be done with it -------------------------------------------------------------------------
    @cached_property
    def downloads(self) -> list[Download]:
        why = self._why_no_download
        files = (
            ("csv", "CSV", why), ("xlsx", "XLSX", why), ("parquet", "Parquet", why),
            ("receipt", _("Receipt"), why or str(reason_against(check_can_prove, self.release))),
        )  # fmt: skip
        return [
            Download(label, address("portal:release_download", self.release.uid, name), refused=refused)
            for name, label, refused in files
        ]

    @property
    def can_take(self) -> bool:
        return self._actor.acts_for(self.release.run.contract.enterprise)

    @cached_property
    def _why_no_download(self) -> str:
        return str(reason_against(check_can_open, self._actor, self.release))

    @property
    def evidence_url(self) -> str:
        reviews = self._actor.holds(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR)
        return address("portal:release_evidence", self.release.uid) if reviews else ""


def _plain(number: float) -> str:
    """To four digits, or to the unit where there are more."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


class EvidencePage:
    """Contributors and reasons per cell, for a reviewer."""

    def __init__(self, release: Release, number: str | None, outcome: str) -> None:
        table = from_ipc(bytes(release.evidence))
        rows = table.to_pylist()
        self.counts = {
            name: sum(row["outcome"] == name for row in rows) for name in ("published", "withheld", "empty")
        }
        shown = [row for row in rows if outcome in ("", row["outcome"])]
        self.page: Page[dict[str, Any]] = Paginator(shown, EVIDENCE_ROWS).get_page(number)
        # The evidence is that of the bare question, whose dimensions stand in an order of their own.
        called = {tuple(d["column"]): d["label"] for d in release.run.computation.query["dimensions"]}
        bare = release.run.answer.query["dimensions"] if release.run.answer else []
        self._dimensions = [called[tuple(d["column"])] for d in bare] or list(called.values())
        self.compared = (release.run.answer.compared or []) if release.run.answer else []

    @property
    def comparison(self) -> str:
        """In words: with how many earlier answers this one was compared, and how close the closest came."""
        if not self.compared:
            return _("There was no earlier answer about the same data to compare with.")
        return f"{self._pairs} {self._linked}".strip()

    @property
    def _linked(self) -> str:
        """In words: with how many of them this one was audited together, and what was closest to be known."""
        together = [c for c in self.compared if c.get("linked")]
        if not together:
            return ""
        said = ngettext(
            "Audited together with %(count)d of them from the same version.",
            "Audited together with %(count)d of them from the same version.",
            len(together),
        ) % {"count": len(together)}
        narrowest = together[0]["narrowest"]
        if narrowest is None:
            return f"{said} " + _("Together they limit nothing that must not be known.")
        least = _(
            "What is known most closely has an interval of %(percent)d %% of the width demanded, or wider."
        )
        return f"{said} {least % {'percent': int(100 * narrowest)}}"

    @property
    def _pairs(self) -> str:
        closest = [c["closest"] for c in self.compared if c["closest"] is not None]
        said = ngettext(
            "Compared with %(count)d earlier answer about the same data.",
            "Compared with %(count)d earlier answers about the same data.",
            len(self.compared),
        ) % {"count": len(self.compared)}
        if not closest:
            return f"{said} " + _("No two numbers come close to each other.")
        near = _(
            "The closest two numbers that are not over the same contributions differ by %(units)d contributors."
        )
        return f"{said} {near % {'units': min(closest)}}"

    @property
    def table(self) -> Table:
        columns = [
            *(Col(label) for label in self._dimensions),
            Col(_("Measure")),
            Col(_("Contributors"), numeric=True),
            Col(_("Records"), numeric=True),
            Col(_("Largest share"), numeric=True),
            Col(_("Interval"), numeric=True),
            Col(_("Outcome")),
            Col(_("Reasons")),
        ]
        return Table(_("Evidence"), columns, [self._row(row) for row in self.page])

    def _row(self, row: dict[str, Any]) -> list[Any]:
        share = row["largest_share"]
        return [
            *(_("All") if value is None else value for value in row["cell"]),
            row["measure"], row["contributors"], row["rows"],
            Cell("" if share is None else f"{share:.1%}"), Cell(_interval(row)), outcome_words(row["outcome"]),
            ", ".join(reason_words(reason) for reason in row["reasons"]),
        ]  # fmt: skip


class PrivateEvidencePage:
    """The private lane withholds nothing: what was drawn, for each statistic. It holds no data."""

    comparison = ""

    def __init__(self, release: Release) -> None:
        rows = from_ipc(bytes(release.evidence)).to_pylist()
        self.counts = {"published": len(rows)}
        self.page: Page[dict[str, Any]] = Paginator(rows, EVIDENCE_ROWS).get_page(1)

    @property
    def table(self) -> Table:
        columns = [
            Col(_("Statistic")),
            Col(_("Column")),
            Col(_("One contributor adds"), numeric=True),
            Col(_("Cells it can change"), numeric=True),
            Col(_("Sensitivity"), numeric=True),
            Col(_("Standard deviation of the noise"), numeric=True),
            Col(_("Budget, millionths of rho"), numeric=True),
        ]
        return Table(_("Evidence"), columns, [self._row(row) for row in self.page])

    def _row(self, row: dict[str, Any]) -> list[Any]:
        return [
            STATISTICS[row["statistic"]], row["column"] or "–", Cell(f"{row['low']:g} – {row['high']:g}"),
            row["groups"], Cell(f"{row['sensitivity']:.4g}"), Cell(f"{row['scale']:.4g}"), row["micro_rho"],
        ]  # fmt: skip


def evidence_of(release: Release, number: str | None, outcome: str) -> EvidencePage | PrivateEvidencePage:
    private = release.summary.get("lane") == Lane.PRIVATE
    return PrivateEvidencePage(release) if private else EvidencePage(release, number, outcome)


def _interval(row: dict[str, Any]) -> str:
    """From where to where a cell that breaks a rule can be known; older evidence does not say."""
    if row.get("demanded") is None:
        return ""
    return " – ".join("" if end is None else f"{end:,.10g}" for end in (row["low"], row["high"]))
