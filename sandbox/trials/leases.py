"""A trial's way from waiting to its end: who works on it, until when, and who takes it up again (P4).

As with runs: a fresh `claim` per attempt fences off a worker that was presumed dead. The row stays `waiting` until the
result or the failure is there.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import rfc8785
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.transitions import move
from contracts.policy.canonical import digest
from contracts.states import RequestState
from parties.actors import SYSTEM
from sandbox import queue
from sandbox.models import Trial
from sandbox.states import TrialFailure, TrialState

LEASE = timedelta(seconds=15)
GRACE = timedelta(seconds=5)  # how long a trial may wait for its first message before the sweep nudges
PATIENCE = timedelta(minutes=10)  # how long it may wait in all: somebody sits before the page
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Held:
    """A trial that this worker, and no other, works on until its lease runs out."""

    trial: Trial
    claim: uuid.UUID


def claim(trial_uid: str) -> Held | None:
    """Take a waiting trial. None if there is nothing to take, or it ended here."""
    with transaction.atomic():
        trial = _locked(Trial.objects.filter(_free(), uid=trial_uid, state=TrialState.WAITING))
        if trial is None:
            return None
        if trial.request.state != RequestState.FILED:
            _fail(trial, TrialFailure.CLOSED)
            return None
        if trial.attempts >= ATTEMPTS:
            _fail(trial, TrialFailure.INTERRUPTED)
            return None
        trial.claim, trial.lease, trial.attempts = uuid.uuid4(), timezone.now() + LEASE, trial.attempts + 1
        trial.save(update_fields=["claim", "lease", "attempts"])
        return Held(trial, trial.claim)


def keep(held: Held) -> bool:
    """Renew the lease; whether to go on. Not where another took over or the request was closed meanwhile."""
    ours = Trial.objects.filter(pk=held.trial.pk, claim=held.claim, state=TrialState.WAITING)
    return bool(ours.filter(request__state=RequestState.FILED).update(lease=timezone.now() + LEASE))


def finish(held: Held, result: dict[str, Any]) -> None:
    with transaction.atomic():
        trial = _still_ours(held)
        if trial is None:
            return
        if trial.request.state != RequestState.FILED:
            _fail(trial, TrialFailure.CLOSED)
            return
        fields = {"result": result, "finished": timezone.now(), "claim": None, "lease": None}
        told = digest(rfc8785.dumps(result))
        move(trial, TrialState.DONE, actor=SYSTEM, set_fields=fields, result=told)


def fail(held: Held, failure: TrialFailure) -> None:
    with transaction.atomic():
        trial = _still_ours(held)
        if trial is not None:
            _fail(trial, failure)


def give_back(held: Held) -> None:
    """Stopped through no fault of the trial: closed, or taken up again at once, at most ATTEMPTS times."""
    with transaction.atomic():
        trial = _still_ours(held)
        if trial is None:
            return
        trial.claim = trial.lease = None
        trial.save(update_fields=["claim", "lease"])
        queue.nudge_trial(trial.uid)


def sweep() -> int:
    """Nudge trials that nobody took or whose worker is gone; end those that waited too long."""
    now, touched = timezone.now(), 0
    waiting = Trial.objects.filter(_free(), state=TrialState.WAITING, asked__lt=now - GRACE)
    for pk, asked in waiting.order_by("asked").values_list("pk", "asked")[:200]:
        with transaction.atomic():
            trial = _locked(Trial.objects.filter(_free(), pk=pk, state=TrialState.WAITING))
            if trial is None:
                continue
            if trial.attempts >= ATTEMPTS or asked < now - PATIENCE:
                _fail(trial, TrialFailure.INTERRUPTED)
            else:
                queue.nudge_trial(trial.uid)
        touched += 1
    return touched


def _free() -> Q:
    return Q(lease=None) | Q(lease__lt=timezone.now())


def _locked(rows: QuerySet[Trial]) -> Trial | None:
    return (
        rows.select_related("request", "organization")
        .select_for_update(of=("self",), skip_locked=True)
        .first()
    )


def _still_ours(held: Held) -> Trial | None:
    rows = Trial.objects.filter(pk=held.trial.pk, claim=held.claim, state=TrialState.WAITING)
    return rows.select_related("request", "organization").select_for_update(of=("self",)).first()


def _fail(trial: Trial, failure: TrialFailure) -> None:
    fields = {"failure": failure, "finished": timezone.now(), "claim": None, "lease": None}
    move(trial, TrialState.FAILED, actor=SYSTEM, set_fields=fields, code=str(failure))
