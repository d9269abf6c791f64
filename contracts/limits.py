"""What a decider asks for besides yes or no: stricter limits, and the lanes of a provider's own datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from contracts.draft import draft_terms
from contracts.lanes import Choices, check_choices
from contracts.models import Decision
from contracts.policy.terms import Terms
from contracts.policy.validate import DISCLOSURE_BOUNDS, MAX_RETENTION_DAYS, MAX_RUNS, PRIVACY_BOUNDS
from contracts.states import Part

BOUNDS: dict[str, tuple[int, int]] = {
    **DISCLOSURE_BOUNDS,
    **PRIVACY_BOUNDS,
    "max_runs": (1, MAX_RUNS),
    "retention_days": (1, MAX_RETENTION_DAYS),
}
LIMIT_NAMES = (*BOUNDS,)
PRIVATE_LIMITS = (*PRIVACY_BOUNDS,)  # they count only where a measure leaves in the private lane


def limits_of(decision: Decision, limits: Mapping[str, Any], lanes: Choices) -> dict[str, Any]:
    """As `Decision.limits` stores them. Raises Refused: request.limits, request.lanes."""
    checked = _checked(limits)
    if lanes:
        check_choices(lanes, _own_datasets(decision))
        checked["lanes"] = {what: dict(choice) for what, choice in lanes.items()}
    return checked


def terms_with(decision: Decision, limits: Mapping[str, Any], lanes: Choices) -> Terms:
    """The terms that would be drawn up if this open decision asked for these limits and lanes. Nothing is stored.

    They begin when the request was filed, so that equal wishes give equal terms at any time.
    Raises Refused: as `limits_of`, and as `draft_terms`.
    """
    request = decision.request
    decisions = list(request.decisions.all())
    for one in decisions:
        if one.pk == decision.pk:
            one.limits = limits_of(decision, limits, lanes)
    return draft_terms(request, now=request.filed, decisions=decisions)


def _own_datasets(decision: Decision) -> list[str]:
    items = decision.request.items.filter(dataset__provider=decision.organization)
    return list(items.values_list("dataset__name", flat=True)) if decision.part == Part.PROVIDER else []


def _checked(limits: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in limits.items():
        low, high = BOUNDS.get(name, (1, 0))
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Refused(
                "request.limits",
                _("%(name)s must be a whole number from %(low)s to %(high)s.")
                % {"name": name, "low": low, "high": high},
                field=name,
            )
    return dict(limits)
