"""What a reviewer sees of a result that waits: the table that would leave, and what the rules saw."""

from __future__ import annotations

from functools import cached_property

from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from contracts.names import names_in
from dataspace.portal.charts import ChartColumn, table_for
from dataspace.portal.doors import address
from dataspace.portal.evidence_page import EvidencePage, PrivateEvidencePage, evidence_of_answer
from dataspace.portal.forms.scripts import ReviewForm
from dataspace.portal.parts import Crumb, Fact, Table
from dataspace.portal.questions import in_words, title_of_computation
from dataspace.portal.rules import rule_words
from dataspace.portal.script_page import Said, reviews_said, why_not_review
from parties.actors import Actor
from parties.names import name_of
from sandbox.guard import AggregateQuery
from sandbox.models import Run
from sandbox.releasing import table_of


class RunReviewPage:
    """Of a run in review. Everything is worked out on first use by the template."""

    def __init__(
        self, actor: Actor, run: Run, form: ReviewForm | None, *, page: str | None, outcome: str
    ) -> None:
        self._actor, self.run, self._form = actor, run, form
        self.evidence: EvidencePage | PrivateEvidencePage = evidence_of_answer(run, page, outcome)
        self.trail = [
            Crumb(_("Computations"), address("portal:runs")),
            Crumb(title_of_computation(run.computation), address("portal:run", run.uid)),
        ]

    @property
    def title(self) -> str:
        return title_of_computation(self.run.computation)

    @cached_property
    def question(self) -> list[Fact]:
        run = self.run
        query = AggregateQuery.from_json(run.computation.query)
        return [
            Fact(_("Enterprise"), name_of(run.contract.enterprise)),
            *in_words(query, run.contract.terms, names_in(run.contract)),
        ]

    @cached_property
    def script(self) -> list[Fact]:
        script = self.run.computation.script
        if script is None:
            return []
        return [
            Fact(_("Script"), script.title, url=address("portal:script", script.uid)),
            Fact(_("Digest of the script"), script.digest, kind="digest"),
        ]

    @cached_property
    def table(self) -> Table:
        """All of it: a reviewer looks at every number that would leave."""
        leaves, dimensions = table_of(self.run), len(self.run.computation.query["dimensions"])
        columns = [ChartColumn(name, measure=i >= dimensions) for i, name in enumerate(leaves.column_names)]
        rows = [list(row) for row in zip(*(column.to_pylist() for column in leaves.columns), strict=True)]
        return table_for(columns, rows, _("What would leave"))

    @cached_property
    def rules(self) -> list[str]:
        summary = (self.run.answer.summary if self.run.answer else None) or {}
        return rule_words(summary.get("rules", []))

    @cached_property
    def reviews(self) -> list[Said]:
        return reviews_said(self._actor, self.run, notes=False)

    @cached_property
    def why_not(self) -> StrOrPromise:
        return why_not_review(self._actor, self.run.submitted_by_id, self.run)

    @cached_property
    def form(self) -> ReviewForm:
        return self._form or ReviewForm()
