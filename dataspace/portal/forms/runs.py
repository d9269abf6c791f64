"""Which runs to list."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from contracts.selectors import visible_contracts
from parties.actors import Actor
from sandbox.models import Run
from sandbox.states import RunState

CHOICES = 200  # contracts offered to choose from, newest first


class RunFilter(forms.Form):
    """A value that is not offered narrows nothing."""

    contract = forms.ChoiceField(label=_("Contract"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("all")), *RunState.choices])

    def __init__(self, data: Any, *, actor: Actor) -> None:
        super().__init__(data)
        contracts = visible_contracts(actor).prefetch_related(None).order_by("-drafted")[:CHOICES]
        choices = [(str(contract.uid), contract.request.scenario[:50]) for contract in contracts]
        self.fields["contract"].choices = [("", _("all")), *choices]  # type: ignore[attr-defined]

    def narrowed(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        self.is_valid()
        chosen = self.cleaned_data
        if chosen.get("contract"):
            rows = rows.filter(contract__uid=chosen["contract"])
        if chosen.get("state"):
            rows = rows.filter(state=chosen["state"])
        return rows
