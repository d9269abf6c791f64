"""What is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Dataset
from catalog.schema import Column
from contracts.draft import offered_columns, offered_role
from contracts.models import AccessRequest
from contracts.policy.terms import ColumnRole
from contracts.policy.validate import MAX_RUNS
from contracts.states import Purpose


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


def _label(column: Column) -> str:
    return f"{column.meaning} ({column.name})" if column.meaning else column.name
