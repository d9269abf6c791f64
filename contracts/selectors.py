"""What an actor can see of requests and contracts. Hidden and absent are the same refusal (P6)."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.models import AccessRequest, Contract
from contracts.states import ContractState, RequestState
from parties.actors import Actor
from parties.roles import OrganizationKind, Role

M = TypeVar("M", bound=Model)

_OVERSEERS = (OrganizationKind.BUREAU, OrganizationKind.AUDITOR)


def visible_requests(actor: Actor) -> QuerySet[AccessRequest]:
    """The actor's own organization's, those it has a decision on; all of them for bureau and auditors."""
    rows = AccessRequest.objects.select_related("organization", "filed_by").prefetch_related(
        "items__dataset__provider", "decisions__organization", "decisions__decided_by"
    )
    if actor.organization is None:
        return rows.none()
    if actor.kind in _OVERSEERS:
        return rows
    return rows.filter(
        Q(organization=actor.organization) | Q(decisions__organization=actor.organization)
    ).distinct()


def visible_contracts(actor: Actor) -> QuerySet[Contract]:
    """Those the actor's organization is a party to; all of them for bureau and auditors."""
    rows = Contract.objects.select_related("enterprise", "request", "halted_by").prefetch_related(
        "signatures__organization", "signatures__signed_by", "signatures__key"
    )
    if actor.organization is None:
        return rows.none()
    if actor.kind in _OVERSEERS:
        return rows
    return rows.filter(signatures__organization=actor.organization).distinct()


def get_request(actor: Actor, uid: object) -> AccessRequest:
    return _one(visible_requests(actor), uid)


def get_contract(actor: Actor, uid: object) -> Contract:
    return _one(visible_contracts(actor), uid)


def requests_waiting_for(actor: Actor) -> QuerySet[AccessRequest]:
    """The actor's queue: filed requests on which its organization has yet to decide."""
    if not actor.holds(Role.APPROVER, OrganizationKind.PROVIDER, OrganizationKind.BUREAU):
        return AccessRequest.objects.none()
    return visible_requests(actor).filter(
        pk__in=AccessRequest.objects.filter(
            state=RequestState.FILED, decisions__organization=actor.organization, decisions__outcome=""
        )
    )


def contracts_waiting_for(actor: Actor) -> QuerySet[Contract]:
    """The actor's queue: contracts its organization has yet to sign."""
    if not actor.holds(Role.SIGNATORY):
        return Contract.objects.none()
    return visible_contracts(actor).filter(
        pk__in=Contract.objects.filter(
            state=ContractState.DRAFTED, signatures__organization=actor.organization, signatures__signed=None
        )
    )


def _one(rows: QuerySet[M], uid: object) -> M:
    try:
        found = rows.filter(uid=uid).first()
    except (ValidationError, ValueError):
        found = None
    if found is None:
        raise Refused("not_found", _("There is nothing here, or it is not for you to see."))
    return found
