"""What an actor can see of runs and releases. Hidden and absent are the same refusal (P6)."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.policy.terms import Lane
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.models import Answer, Release, Run, Trial

M = TypeVar("M", bound=Model)


def visible_runs(actor: Actor) -> QuerySet[Run]:
    """The enterprise's own; those over a provider's data (that they ran, not what came out); all for the overseers."""
    rows = Run.objects.select_related("computation", "contract__enterprise", "submitted_by", "release")
    if actor.organization is None:
        return rows.none()
    if actor.kind in (OrganizationKind.BUREAU, OrganizationKind.AUDITOR):
        return rows
    return rows.filter(
        Q(contract__enterprise=actor.organization) | Q(contract__signatures__organization=actor.organization)
    ).distinct()


def visible_releases(actor: Actor) -> QuerySet[Release]:
    """Released tables: the enterprise whose contract it is, and the bureau's reviewers."""
    rows = Release.objects.select_related(
        "run__computation", "run__contract__enterprise", "run__contract__request"
    )
    if actor.organization is None:
        return rows.none()
    if actor.holds(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR):
        return rows
    return rows.filter(run__contract__enterprise=actor.organization)


def visible_trials(actor: Actor) -> QuerySet[Trial]:
    """Those the actor's own organization asked for, to whoever decides for it: nobody else is told of them."""
    if not actor.holds(Role.APPROVER, OrganizationKind.PROVIDER, OrganizationKind.BUREAU):
        return Trial.objects.none()
    return Trial.objects.filter(organization=actor.organization).select_related("request")


def lanes_of(dataset_uid: object) -> dict[str, Lane]:
    """In which lane the numbers of a dataset have left: by column, "" for its counts."""
    answers = (
        Answer.objects.filter(datasets__contains=[dataset_uid]).values_list("measured", "lane").distinct()
    )
    prefix = f"{dataset_uid}."
    return {
        what.removeprefix(prefix): Lane(lane)
        for told, lane in answers
        for what in told
        if what.startswith(prefix)
    }


def get_run(actor: Actor, uid: object) -> Run:
    return _one(visible_runs(actor), uid)


def get_release(actor: Actor, uid: object) -> Release:
    return _one(visible_releases(actor), uid)


def get_trial(actor: Actor, uid: object) -> Trial:
    return _one(visible_trials(actor), uid)


def _one(rows: QuerySet[M], uid: object) -> M:
    try:
        found = rows.filter(uid=uid).first()
    except (ValidationError, ValueError):
        found = None
    if found is None:
        raise Refused("not_found", _("There is nothing here, or it is not for you to see."))
    return found
