"""What reviewers see beside a table: contributors and reasons of each cell, and how near earlier answers come."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_stubs_ext import StrOrPromise

from contracts.policy.terms import Lane
from dataspace.portal.parts import Cell, Col, Table
from dataspace.portal.rules import outcome_words, reason_words
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.formats import from_ipc
from sandbox.models import Release, Run

STATISTICS: dict[str, StrOrPromise] = {
    "units": gettext_lazy("contributors"),
    "rows": gettext_lazy("records"),
    "values": gettext_lazy("records with a value"),
    "sum": gettext_lazy("sum"),
}
EVIDENCE_ROWS = 100


def check_can_review(actor: Actor) -> None:
    """Evidence tells contributors per cell: for reviewers alone, never for the enterprise."""
    actor.require(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR)


class EvidencePage:
    """Contributors and reasons per cell, for a reviewer."""

    def __init__(self, run: Run, evidence: bytes, number: str | None, outcome: str) -> None:
        table = from_ipc(evidence)
        rows = table.to_pylist()
        self.counts = {
            name: sum(row["outcome"] == name for row in rows) for name in ("published", "withheld", "empty")
        }
        shown = [row for row in rows if outcome in ("", row["outcome"])]
        self.page: Page[dict[str, Any]] = Paginator(shown, EVIDENCE_ROWS).get_page(number)
        # The evidence is that of the bare question, whose dimensions stand in an order of their own.
        called = {tuple(d["column"]): d["label"] for d in run.computation.query["dimensions"]}
        bare = run.answer.query["dimensions"] if run.answer else []
        self._dimensions = [called[tuple(d["column"])] for d in bare] or list(called.values())
        self.compared = (run.answer.compared or []) if run.answer else []

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

    def __init__(self, evidence: bytes) -> None:
        rows = from_ipc(evidence).to_pylist()
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
    evidence = bytes(release.evidence)
    private = release.summary.get("lane") == Lane.PRIVATE
    return PrivateEvidencePage(evidence) if private else EvidencePage(release.run, evidence, number, outcome)


def evidence_of_answer(run: Run, number: str | None, outcome: str) -> EvidencePage | PrivateEvidencePage:
    """The same of a run whose result waits for its reviewers."""
    assert run.answer is not None  # given before it is held
    evidence = bytes(run.answer.evidence or b"")
    private = run.answer.lane == Lane.PRIVATE
    return PrivateEvidencePage(evidence) if private else EvidencePage(run, evidence, number, outcome)


def _interval(row: dict[str, Any]) -> str:
    """From where to where a cell that breaks a rule can be known; older evidence does not say."""
    if row.get("demanded") is None:
        return ""
    return " – ".join("" if end is None else f"{end:,.10g}" for end in (row["low"], row["high"]))
