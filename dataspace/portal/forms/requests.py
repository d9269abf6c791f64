"""What is asked for, and what is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.models import Dataset
from catalog.schema import Column
from contracts.draft import offered_columns, offered_role
from contracts.models import AccessRequest
from contracts.policy.terms import ColumnRole, Terms
from contracts.policy.validate import DISCLOSURE_BOUNDS, MAX_RETENTION_DAYS, MAX_RUNS
from contracts.services.requests import LIMIT_NAMES
from contracts.states import Outcome, Purpose

BOUNDS = {**DISCLOSURE_BOUNDS, "max_runs": (1, MAX_RUNS), "retention_days": (1, MAX_RETENTION_DAYS)}

LIMITS: dict[str, StrOrPromise] = {
    "min_contributors": _("Contributors per cell, at least"),
    "dominance_n": _("Dominance rule: the largest n contributors"),
    "dominance_percent": _("… hold at most this share (%)"),
    "p_percent": _("Largest contributor estimable to no better than (%)"),
    "round_counts": _("Counts rounded to multiples of"),
    "sum_digits": _("Digits kept of sums (0 = all)"),
    "max_dimensions": _("Dimensions per result, at most"),
    "max_cells": _("Cells per result, at most"),
    "max_runs": _("Computations, at most"),
    "retention_days": _("Days a result can be downloaded, at most"),
}


class RequestForm(forms.ModelForm[AccessRequest]):
    """What the whole request says. Saved by the service that files it, never by the form."""

    class Meta:
        model = AccessRequest
        fields = ["purpose", "scenario", "wanted", "term_days", "max_runs"]
        widgets = {
            "purpose": forms.RadioSelect,
            "scenario": forms.Textarea(attrs={"rows": 3}),
            "wanted": forms.Textarea(attrs={"rows": 3}),
            "term_days": forms.NumberInput(attrs={"min": 1, "max": 1825}),
            "max_runs": forms.NumberInput(attrs={"min": 1, "max": MAX_RUNS}),
        }
        help_texts = {
            "term_days": _("At most 1,825 days: an agreement runs for no more than five years."),
            "max_runs": _("How many computations you want to run in that time."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        purpose = self.fields["purpose"]
        assert isinstance(purpose, forms.ChoiceField)
        purpose.choices = Purpose.choices  # without the empty one: radio buttons begin unchosen


class ColumnsForm(forms.Form):
    """The columns asked for of one dataset, dimensions and measures apart. `prefix` is the dataset's uid."""

    dimensions = forms.MultipleChoiceField(
        label=_("Group and filter by"), required=False, widget=forms.CheckboxSelectMultiple
    )
    measures = forms.MultipleChoiceField(
        label=_("Count, sum, average"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None,
        *,
        dataset: Dataset,
        title: str,
        provider: str,
        chosen: list[str],
    ) -> None:
        self.dataset, self.title, self.provider = dataset, title, provider
        offered = offered_columns(dataset.current.schema) if dataset.current else []
        parts = {
            "dimensions": [column for column in offered if offered_role(column) is ColumnRole.DIMENSION],
            "measures": [column for column in offered if offered_role(column) is ColumnRole.MEASURE],
        }
        initial = {part: [c.name for c in columns if c.name in chosen] for part, columns in parts.items()}
        super().__init__(data, prefix=str(dataset.uid), initial=initial)
        for part, columns in parts.items():
            field = self.fields[part]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = [(column.name, _label(column)) for column in columns]

    @property
    def columns(self) -> list[str]:
        """Names of the chosen columns that are on offer."""
        cleaned = getattr(self, "cleaned_data", {})
        return [*cleaned.get("dimensions", []), *cleaned.get("measures", [])]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.columns and not self.errors:
            self.add_error(None, _("Choose at least one column."))
        return cleaned


class DecisionForm(forms.Form):
    """Grant or decline with a reason; limits stricter than what the terms would be without them are optional."""

    outcome = forms.ChoiceField(label=_("Decision"), choices=Outcome.choices, widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Reason"), max_length=2000, strip=True, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("The enterprise reads it."),
    )  # fmt: skip

    def __init__(self, *args: Any, terms: Terms | None, **kwargs: Any) -> None:
        """`terms`: those that would be drawn up if nobody asked for stricter limits from here on; None if unknown."""
        super().__init__(*args, **kwargs)
        standing = standing_limits(terms) if terms else {}
        for name in LIMIT_NAMES:
            low, high = BOUNDS[name]
            default = standing.get(name)
            shown = _("Without an entry: %(value)d") % {"value": default} if default is not None else ""
            self.fields[name] = forms.IntegerField(
                label=LIMITS[name], required=False, min_value=low, max_value=high, help_text=shown,
                widget=forms.NumberInput(attrs={"placeholder": default if default is not None else ""}),
            )  # fmt: skip

    @property
    def limits(self) -> dict[str, int]:
        return {name: value for name in LIMIT_NAMES if (value := self.cleaned_data.get(name)) is not None}

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in LIMIT_NAMES]

    @property
    def limits_touched(self) -> bool:
        """Whether the folded part has something in it that must be seen."""
        return any(field.errors or field.value() not in (None, "") for field in self.limit_fields)


def standing_limits(terms: Terms) -> dict[str, int]:
    """Name of a limit → its value in these terms."""
    return {**asdict(terms.disclosure), "max_runs": terms.max_runs, "retention_days": terms.retention_days}


def _label(column: Column) -> str:
    return f"{column.meaning} ({column.name})" if column.meaning else column.name
