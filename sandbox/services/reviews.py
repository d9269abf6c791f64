"""What reviewers say: of a script before it is run, and of a table asked of prepared records before it leaves.

The first refusal settles it; approval takes REVIEWERS, who are neither the author nor each other.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import record_refusal, use_case
from parties.actors import SYSTEM, Actor
from sandbox import queue
from sandbox.models import Run, RunReview, Script, ScriptReview
from sandbox.permissions import check_can_review
from sandbox.releasing import end_run, locked_run, refused_in_review, release
from sandbox.scripts.states import REVIEWERS, ScriptState, Verdict
from sandbox.states import Failure, RunState


@use_case("script.review", about="script")
def review_script(*, actor: Actor, script: Script, verdict: str, note: str) -> Script:
    """Approved by two, it is run.

    Raises Refused: role.missing, review.own, review.twice, review.closed, review.verdict, review.note.
    """
    script = (
        Script.objects.select_for_update(of=["self"]).select_related("contract__enterprise").get(pk=script.pk)
    )
    check_can_review(actor, author=script.author_id, reviews=script.reviews)
    if script.state != ScriptState.IN_REVIEW:
        raise Refused("review.closed", _("This script does not wait for a review."))
    review = ScriptReview(script=script, **_said(actor, verdict, note))
    review.save()
    record(Event.SCRIPT_REVIEWED, actor=actor, about=review, verdict=review.verdict, source=script.digest)
    if review.verdict == Verdict.REFUSE:
        move(script, ScriptState.REFUSED, actor=actor)
    elif script.reviews.count() >= REVIEWERS:
        move(script, ScriptState.APPROVED, actor=actor, source=script.digest)
        queue.prepare(script.uid)
    return script


@use_case("run.review", about="run")
def review_run(*, actor: Actor, run: Run, verdict: str, note: str) -> Run:
    """Approved by two, its table leaves if the contract still permits it; a refusal ends the run, in the one word for
    all that depends on data.

    Raises Refused: role.missing, review.own, review.twice, review.closed, review.verdict, review.note.
    """
    found = locked_run(Run.objects.filter(pk=run.pk))
    check_can_review(actor, author=run.submitted_by_id, reviews=run.reviews)
    if found is None or found.state != RunState.IN_REVIEW or found.answer is None:
        raise Refused("review.closed", _("This result does not wait for a review."))
    review = RunReview(run=found, **_said(actor, verdict, note))
    review.save()
    record(Event.RUN_REVIEWED, actor=actor, about=review, verdict=review.verdict, answer=found.answer.key)
    if refused_in_review(found):  # now, or another run with the same answer
        end_run(found, Failure.NOT_RELEASABLE)
    elif found.reviews.count() >= REVIEWERS:
        _released, refused = release(found)
        if refused is not None:
            record_refusal("run.release", actor=SYSTEM, about=found, refused=refused)
    return found


def _said(actor: Actor, verdict: str, note: str) -> dict[str, object]:
    if verdict not in Verdict.values:
        raise Refused("review.verdict", _("Approve or refuse."))
    if not note.strip():
        raise Refused("review.note", _("Write what you looked at, and why you decide so."))
    who = {"reviewer": actor.user, "organization": actor.organization}
    return {**who, "verdict": verdict, "note": note.strip()[:2000]}
