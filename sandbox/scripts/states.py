"""The states of a script, and what a reviewer can say."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.transitions import Moves

REVIEWERS = 2  # who are neither the author nor each other


class ScriptState(models.TextChoices):
    IN_REVIEW = "in_review", _("being reviewed")
    APPROVED = "approved", _("approved, to be run")
    READY = "ready", _("records prepared")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    FAILED = "failed", _("failed")


SCRIPT_MOVES: Moves = {
    ScriptState.IN_REVIEW: {
        ScriptState.APPROVED: Event.SCRIPT_APPROVED,
        ScriptState.REFUSED: Event.SCRIPT_REFUSED,
        ScriptState.WITHDRAWN: Event.SCRIPT_WITHDRAWN,
    },
    ScriptState.APPROVED: {
        ScriptState.READY: Event.SCRIPT_PREPARED,
        ScriptState.FAILED: Event.SCRIPT_FAILED,
        ScriptState.WITHDRAWN: Event.SCRIPT_WITHDRAWN,
    },
}


class Verdict(models.TextChoices):
    APPROVE = "approve", _("approve")
    REFUSE = "refuse", _("refuse")
