"""A run over prepared records: by which script, and what its reviewers said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dataspace.portal.doors import address
from dataspace.portal.parts import Fact, Step
from dataspace.portal.script_page import Said, reviews_said
from parties.actors import Actor
from parties.names import name_of
from sandbox.models import Run, Script
from sandbox.scripts.states import REVIEWERS, Verdict
from sandbox.selectors import is_reviewer
from sandbox.states import RunState


@dataclass(frozen=True, slots=True)
class PreparedBy:
    """`said`: the reviews of the result, for reviewers alone: they speak of numbers that did not leave."""

    facts: list[Fact]
    said: list[Said]


def prepared_by(actor: Actor, run: Run) -> PreparedBy | None:
    """None where the records are asked as they were published."""
    script = run.computation.script
    if script is None:
        return None
    facts = [
        Fact(_("Script"), script.title, url=address("portal:script", script.uid)),
        Fact(_("Digest of the script"), script.digest, kind="digest"),
        Fact(_("Script read by"), _reviewers(script)),
    ]
    if run.state == RunState.RELEASED:
        who = _reviewers(run) or _("The same result was released by reviewers before.")
        facts.append(Fact(_("Result reviewed by"), who))
    return PreparedBy(facts, reviews_said(actor, run, notes=False) if is_reviewer(actor) else [])


def review_step(run: Run) -> Step | None:
    """Between computing and leaving; None where no review is needed, or it is not known yet whether one is."""
    if run.computation.script is None:
        return None
    label, holder = _("Being reviewed by two people"), _("reviewers")
    verdicts = list(run.reviews.values_list("verdict", flat=True))
    if run.state == RunState.IN_REVIEW:
        given = _("%(given)d of %(all)d approve") % {"given": len(verdicts), "all": REVIEWERS}
        return Step(label, "now", holder, run.state_since, note=given)
    if run.state in (RunState.FAILED, RunState.CANCELLED):
        if not verdicts:  # it ended before anybody said a word
            return Step(label, "next", holder)
        return Step(label, "stopped", holder, run.finished, note=RunState(run.state).label)
    if run.state == RunState.RELEASED:
        return Step(label, "done", holder, run.finished) if verdicts else None
    return Step(label, "next", holder)


def _reviewers(about: Script | Run) -> str:
    """In their roles: how many reviewers of which organization approved."""
    approved = about.reviews.filter(verdict=Verdict.APPROVE).select_related("organization")
    counted = Counter(name_of(review.organization) for review in approved)
    return _(", ").join(
        ngettext("a reviewer of %(organization)s", "%(count)d reviewers of %(organization)s", count)
        % {"organization": name, "count": count}
        for name, count in counted.items()
    )
