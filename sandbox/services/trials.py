"""Try terms on the data before deciding: a decider asks, a worker computes in the jail, shares are told."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from contracts import permissions
from contracts.lanes import Choices
from contracts.limits import terms_with
from contracts.models import AccessRequest, Decision
from contracts.policy.agreement import draw_up
from contracts.policy.canonical import digest
from contracts.policy.terms import Terms
from contracts.states import Part
from parties.actors import Actor
from sandbox import queue
from sandbox.models import Trial
from sandbox.reads import extract_for
from sandbox.spec import ExtractRef
from sandbox.states import TrialState

MOST = 20  # trials of one decider on one request: each tells a little of the data
MOST_WAITING = 3  # of one decider, on whatever requests


@use_case("request.try", about="request")
def try_terms(
    *,
    actor: Actor,
    request: AccessRequest,
    limits: Mapping[str, int] | None = None,
    lanes: Choices | None = None,
) -> Trial:
    """Ask what the terms would withhold if the actor's open decision had these limits and lanes.

    The same wish over the same extracts is answered once: asked again it is the same trial, and does not count.
    Raises Refused: as `permissions.open_decision` and `decide_request`; policy.*; trial.too_many, trial.waiting.
    """
    request = AccessRequest.objects.select_for_update().get(pk=request.pk)
    decision = permissions.open_decision(actor, request)
    assert actor.user is not None
    terms = terms_with(decision, limits or {}, lanes or {})
    document = draw_up(terms, uid=request.iri).body
    extracts = [ref.to_json() for ref in _extracts(decision, terms)]
    asked = Trial.objects.filter(organization=decision.organization).exclude(state=TrialState.FAILED)
    of_request = asked.filter(request=request)
    before = of_request.filter(digest=digest(document), extracts=extracts).first()
    if before is not None:
        return before
    if of_request.count() >= MOST:
        raise Refused(
            "trial.too_many",
            _("You have tried %(most)d terms on this request; no more are computed. Decide on what you know.")
            % {"most": MOST},
        )
    if asked.filter(state=TrialState.WAITING).count() >= MOST_WAITING:
        raise Refused(
            "trial.waiting", _("Some of your trials are still being computed. Let them finish first.")
        )
    trial = Trial(
        request=request, organization=decision.organization, asked_by=actor.user, state=TrialState.WAITING,
        document=document, digest=digest(document), extracts=extracts,
    )  # fmt: skip
    trial.save()
    record(
        Event.TRIAL_ASKED, actor=actor, about=trial, request=request.audit_ref, terms=trial.digest,
        extracts=[f"sha256:{ref.sha256}" for ref in trial.refs],
    )  # fmt: skip
    queue.nudge_trial(trial.uid)
    return trial


def _extracts(decision: Decision, terms: Terms) -> list[ExtractRef]:
    """Of the decider's own datasets; the bureau, which decides on all, sees all."""
    told = decision.request.items.all()
    if decision.part != Part.BUREAU:
        told = told.filter(dataset__provider=decision.organization)
    names = set(told.values_list("dataset__name", flat=True))
    return [extract_for(dataset) for dataset in terms.datasets if dataset.name in names]
