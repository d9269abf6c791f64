"""What is shown of a release: chart and table, what is withheld and why, its receipt."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _

from audit.events import Event
from audit.models import Entry
from contracts.policy.canonical import digest
from dataspace.portal.charts import ChartColumn, chart_for, table_for
from dataspace.portal.doors import address, reason_against
from dataspace.portal.parts import Cell, Download, Fact, Table
from dataspace.portal.rules import rule_words
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.formats import from_ipc
from sandbox.models import Release
from sandbox.permissions import check_can_open
from sandbox.receipt_proof import check_can_prove

ROWS = 50  # of a table on one page

Row = list[Any]


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
