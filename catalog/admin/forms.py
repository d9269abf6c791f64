"""The forms of the providers' back office."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from catalog.models import Dataset, Source
from catalog.services import Description
from parties.models import Organization


class DatasetForm(forms.ModelForm[Dataset]):
    class Meta:
        model = Dataset
        fields = [
            "name", "title", "title_en", "description", "theme", "cadence", "legal_basis", "visibility", "synthetic",
        ]  # fmt: skip

    def described(self) -> Description:
        return Description(**{field: self.cleaned_data[field] for field in Description.__dataclass_fields__})


class HandInForm(forms.Form):
    """A file, or a table of one of the provider's own sources."""

    file = forms.FileField(label=_("file"), required=False, help_text=_("CSV, XLSX or Parquet."))
    sheet = forms.CharField(
        label=_("sheet"), max_length=120, required=False, help_text=_("Of an XLSX file; empty for the first.")
    )
    source = forms.ModelChoiceField(label=_("data source"), queryset=Source.objects.none(), required=False)
    table = forms.CharField(
        label=_("schema and table"),
        max_length=130,
        required=False,
        help_text=_("For example public.readings."),
    )

    def __init__(self, *args: Any, sources: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = sources

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("file")) == bool(cleaned.get("source")):
            raise forms.ValidationError(_("Choose a file, or a data source and its table."))
        if cleaned.get("source") and not cleaned.get("table"):
            self.add_error("table", _("Name the table."))
        return cleaned


class ShowToForm(forms.Form):
    """Organizations by name, those that exist and take part."""

    organization = forms.ModelChoiceField(
        label=_("organization"), queryset=Organization.objects.filter(active=True), to_field_name="uid"
    )
