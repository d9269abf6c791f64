"""The states of a run: the room's words. A short enum decides; a long one (Failure) only reports."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.transitions import Moves


class RunState(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    IN_REVIEW = "in_review", _("being reviewed")
    RELEASED = "released", _("released")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


RUN_MOVES: Moves = {
    RunState.QUEUED: {
        RunState.RUNNING: Event.RUN_STARTED,
        RunState.CANCELLED: Event.RUN_CANCELLED,
        RunState.FAILED: Event.RUN_FAILED,
    },
    RunState.RUNNING: {
        RunState.QUEUED: Event.RUN_REQUEUED,
        RunState.IN_REVIEW: Event.RUN_HELD,
        RunState.RELEASED: Event.RUN_RELEASED,
        RunState.FAILED: Event.RUN_FAILED,
        RunState.CANCELLED: Event.RUN_CANCELLED,
    },
    RunState.IN_REVIEW: {
        RunState.RELEASED: Event.RUN_RELEASED,
        RunState.FAILED: Event.RUN_FAILED,
        RunState.CANCELLED: Event.RUN_CANCELLED,
    },
}


class TrialState(models.TextChoices):
    WAITING = "waiting", _("being computed")
    DONE = "done", _("computed")
    FAILED = "failed", _("failed")


TRIAL_MOVES: Moves = {
    TrialState.WAITING: {
        TrialState.DONE: Event.TRIAL_DONE,
        TrialState.FAILED: Event.TRIAL_FAILED,
    },
}

TERMINAL = frozenset({RunState.RELEASED, RunState.FAILED, RunState.CANCELLED})


class Failure(models.TextChoices):
    """Why a run ended without a release. The requester sees these words and nothing else (closed set).

    Whatever depends on the data is NOT_RELEASABLE: the log of the worker tells the operator which limit or rule it was.
    """

    NOT_RELEASABLE = (
        "not_releasable",
        _(
            "No answer to this question can be released: it is too close to what was answered before, cannot be "
            "protected, or exceeds a limit. Ask for fewer or coarser dimensions."
        ),
    )
    SANDBOX_LOST = "sandbox_lost", _("The sandbox was interrupted several times. Submit it again.")
    NO_SANDBOX = (
        "no_sandbox",
        _("This machine has no working sandbox; nothing runs without one. The operator has been told."),
    )
    EXTRACT_CHANGED = "extract_changed", _("An extract is not the one on record. The operator has been told.")
    CONTRACT_HALTED = "contract_halted", _("The contract no longer permits this run.")
    INTERRUPTED = "interrupted", _("The run was interrupted several times. Submit it again.")
    REQUESTED = "requested", _("Cancelled by the enterprise.")


class TrialFailure(models.TextChoices):
    """Why a trial of terms told nothing (closed set)."""

    CLOSED = "closed", _("The request was decided or withdrawn meanwhile.")
    NO_SANDBOX = (
        "no_sandbox",
        _("This machine has no working sandbox; nothing runs without one. The operator has been told."),
    )
    EXTRACT_CHANGED = "extract_changed", _("An extract is not the one on record. The operator has been told.")
    INTERRUPTED = "interrupted", _("The trial was interrupted several times. Ask for it again.")
    NOT_COMPUTED = "not_computed", _("The trial could not be computed. The operator has been told.")
