"""What an actor can see of runs, releases and scripts. Hidden and absent are the same refusal (P6)."""

from __future__ import annotations

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.policy.terms import Lane
from parties.actors import Actor
from parties.roles import OrganizationKind, Role
from sandbox.models import Answer, Release, Run, Script, Trial
from sandbox.scripts.states import ScriptState
from sandbox.states import RunState

M = TypeVar("M", bound=Model)


def visible_runs(actor: Actor) -> QuerySet[Run]:
    """The enterprise's own; those over a provider's data (that they ran, not what came out); all for the overseers."""
    rows = Run.objects.select_related(
        "computation__script", "contract__enterprise", "submitted_by", "release"
    )
    return _of_contract(actor, rows)


def visible_scripts(actor: Actor) -> QuerySet[Script]:
    """As runs: a provider knows of the scripts over its data. Their text is for `reads_source`."""
    return _of_contract(actor, Script.objects.select_related("contract__enterprise", "contract__request"))


def reads_source(actor: Actor, script: Script) -> bool:
    """The enterprise whose work it is, and reviewers."""
    return actor.acts_for(script.contract.enterprise) or is_reviewer(actor)


def scripts_waiting_for(actor: Actor) -> QuerySet[Script]:
    """Those this reviewer may still review: not their own, not reviewed by them."""
    rows = visible_scripts(actor).filter(state=ScriptState.IN_REVIEW)
    if actor.user is None or not is_reviewer(actor):
        return rows.none()
    return rows.exclude(author=actor.user).exclude(reviews__reviewer=actor.user)


def runs_waiting_for_review(actor: Actor) -> QuerySet[Run]:
    """Results this reviewer may still review."""
    rows = visible_runs(actor).filter(state=RunState.IN_REVIEW)
    if actor.user is None or not is_reviewer(actor):
        return rows.none()
    return rows.exclude(submitted_by=actor.user).exclude(reviews__reviewer=actor.user)


def is_reviewer(actor: Actor) -> bool:
    return actor.holds(Role.REVIEWER, OrganizationKind.BUREAU, OrganizationKind.OPERATOR)


def visible_releases(actor: Actor) -> QuerySet[Release]:
    """Released tables: the enterprise whose contract it is, and the bureau's reviewers."""
    rows = Release.objects.select_related(
        "run__computation", "run__contract__enterprise", "run__contract__request"
    )
    if actor.organization is None:
        return rows.none()
    if is_reviewer(actor):
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


def get_script(actor: Actor, uid: object) -> Script:
    return _one(visible_scripts(actor), uid)


def get_release(actor: Actor, uid: object) -> Release:
    return _one(visible_releases(actor), uid)


def get_trial(actor: Actor, uid: object) -> Trial:
    return _one(visible_trials(actor), uid)


def _of_contract(actor: Actor, rows: QuerySet[M]) -> QuerySet[M]:
    if actor.organization is None:
        return rows.none()
    if actor.kind in (OrganizationKind.BUREAU, OrganizationKind.AUDITOR) or is_reviewer(actor):
        return rows
    return rows.filter(
        Q(contract__enterprise=actor.organization) | Q(contract__signatures__organization=actor.organization)
    ).distinct()


def _one(rows: QuerySet[M], uid: object) -> M:
    try:
        found = rows.filter(uid=uid).first()
    except (ValidationError, ValueError):
        found = None
    if found is None:
        raise Refused("not_found", _("There is nothing here, or it is not for you to see."))
    return found
