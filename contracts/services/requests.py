"""A request's life: filed, decided by every provider and the bureau, or withdrawn.

Granted by all of them, a contract is drawn up from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from catalog.models import Dataset
from catalog.states import DatasetState
from contracts import permissions
from contracts.draft import check_columns
from contracts.lanes import Choices
from contracts.limits import limits_of
from contracts.models import AccessRequest, Contract, Decision, RequestItem
from contracts.services.drawing_up import draw_up
from contracts.states import Outcome, Part, RequestState
from parties.actors import Actor
from parties.models import Organization
from parties.roles import OrganizationKind


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one dataset."""

    dataset: Dataset
    columns: Sequence[str]


@use_case("request.file", about="request")
def file_request(
    *,
    actor: Actor,
    wishes: Sequence[Wish],
    purpose: str,
    scenario: str,
    wanted: str,
    term_days: int,
    max_runs: int,
) -> AccessRequest:
    """File one request over several datasets. The caller fetched the datasets through catalog.selectors.

    Raises Refused: role.missing, request.empty, request.columns, request.fields, dataset.not_offered.
    """
    permissions.check_can_file(actor)
    assert actor.organization is not None
    assert actor.user is not None
    if not wishes or any(not wish.columns for wish in wishes):
        raise Refused("request.empty", _("Choose at least one dataset, and at least one column of each."))
    if len({wish.dataset.pk for wish in wishes}) < len(wishes):
        raise Refused("request.columns", _("Name each dataset once, with all its columns."))
    for wish in wishes:
        if wish.dataset.state != DatasetState.LISTED:
            raise Refused(
                "dataset.not_offered",
                _("This dataset is not offered at the moment."),
                dataset=wish.dataset.name,
            )
        check_columns(wish.dataset, wish.columns)
    request = AccessRequest(
        organization=actor.organization, filed_by=actor.user, state=RequestState.FILED, purpose=purpose,
        scenario=scenario.strip(), wanted=wanted.strip(), term_days=term_days, max_runs=max_runs,
    )  # fmt: skip
    _check_fields(request)
    request.save()
    for wish in wishes:
        RequestItem.objects.create(request=request, dataset=wish.dataset, columns=sorted(set(wish.columns)))
    for organization, part in _deciders(wishes):
        Decision.objects.create(
            request=request, organization=organization, part=part, event_id=request.event_id
        )
    record(
        Event.REQUEST_FILED, actor=actor, about=request,
        datasets=sorted(wish.dataset.name for wish in wishes), purpose=str(purpose),
    )  # fmt: skip
    return request


@use_case("request.decide", about="request")
def decide_request(
    *,
    actor: Actor,
    request: AccessRequest,
    outcome: str,
    reason: str,
    limits: Mapping[str, int] | None = None,
    lanes: Choices | None = None,
) -> AccessRequest:
    """Decide the actor's part. One decline closes the request; the last grant draws up the contract.

    `limits` asks for stricter terms (fields of DisclosureTerms and PrivacyTerms, max_runs, retention_days);
    `allow_scripts` is 1 in the terms where every decider asks for 1.
    `lanes` is for providers: in which lane the numbers of their own datasets leave (contracts.lanes).
    Raises Refused: role.missing, request.own, .closed, .nothing_to_decide, .outcome, .reason, .limits, .lanes.
    """
    request = AccessRequest.objects.select_for_update().get(pk=request.pk)
    decision = permissions.open_decision(actor, request)
    if outcome not in Outcome.values:
        raise Refused("request.outcome", _("Grant or decline."))
    if not reason.strip():
        raise Refused("request.reason", _("Give your reason; the enterprise will read it."))
    decision.limits = limits_of(decision, limits or {}, lanes or {})
    decision.outcome, decision.reason = outcome, reason.strip()[:2000]
    decision.decided_by, decision.decided = actor.user, timezone.now()
    decision.new_event()
    decision.save()
    record(Event.REQUEST_DECIDED, actor=actor, about=decision, part=decision.part, decision=str(outcome))
    if outcome == Outcome.DECLINE:
        move(request, RequestState.DECLINED, actor=actor)
    elif not request.decisions.filter(outcome="").exists():
        move(request, RequestState.GRANTED, actor=actor)
        draw_up(request, actor=actor)
    return request


@use_case("request.withdraw", about="request")
def withdraw_request(*, actor: Actor, request: AccessRequest) -> AccessRequest:
    request = AccessRequest.objects.select_for_update().get(pk=request.pk)
    permissions.check_can_withdraw(actor, request)
    move(request, RequestState.WITHDRAWN, actor=actor)
    return request


def contract_of(request: AccessRequest) -> Contract | None:
    return Contract.objects.filter(request=request).first()


def _deciders(wishes: Sequence[Wish]) -> list[tuple[Organization, Part]]:
    """Every provider for its part, and the bureau. A space without a bureau cannot authorize anything."""
    bureau = Organization.objects.filter(kind=OrganizationKind.BUREAU, active=True).order_by("pk").first()
    if bureau is None:
        raise Refused("request.no_bureau", _("No data bureau is set up yet; nothing can be authorized."))
    providers = {wish.dataset.provider_id: wish.dataset.provider for wish in wishes}
    return [*((provider, Part.PROVIDER) for provider in providers.values()), (bureau, Part.BUREAU)]


def _check_fields(request: AccessRequest) -> None:
    try:
        request.clean_fields(exclude=["organization", "filed_by"])
    except ValidationError as error:
        raise Refused(
            "request.fields", _("Some fields are not filled in correctly."), fields=error.message_dict
        ) from error
