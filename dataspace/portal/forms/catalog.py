"""The catalog's filters, as they stand in the page's address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import Count, QuerySet
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.models import GRADE_NAMES, Dataset
from catalog.names import cadence_of
from catalog.schema import Grade
from catalog.selectors import Filters, visible_datasets
from parties.actors import Actor
from parties.models import Organization
from parties.names import name_of

Choices = list[tuple[str, StrOrPromise]]
SEARCH = {"type": "search", "placeholder": _("part of a title, a column, a theme"), "enterkeyhint": "search"}


class CatalogFilter(forms.Form):
    """What to look for. The choices are those that the reader's visible datasets offer, each with its count."""

    q = forms.CharField(
        label=_("Search"), required=False, max_length=100, widget=forms.TextInput(attrs=SEARCH)
    )
    theme = forms.ChoiceField(label=_("Theme"), required=False)
    provider = forms.ChoiceField(label=_("Provider"), required=False)
    cadence = forms.ChoiceField(label=_("Updated"), required=False)
    grade = forms.TypedChoiceField(label=_("Grade"), required=False, coerce=int, empty_value=None)
    synthetic = forms.ChoiceField(
        label=_("Data"), required=False,
        choices=[("", _("All")), ("no", _("real data only")), ("yes", _("synthetic data only"))],
    )  # fmt: skip

    def __init__(self, data: Mapping[str, Any], *, actor: Actor) -> None:
        super().__init__(data, auto_id="filter-%s")
        visible = visible_datasets(actor)
        self._offer("theme", _texts(visible, "theme"))
        self._offer("cadence", _texts(visible, "cadence"))
        self._offer("provider", _providers(visible))
        self._offer("grade", _grades())

    @property
    def text(self) -> str:
        return str(self.cleaned_data.get("q") or "")

    @property
    def filters(self) -> Filters:
        """What was chosen; a value that is not on offer does not filter, and its field says so."""
        chosen = self.cleaned_data
        return Filters(
            theme=chosen.get("theme", ""),
            provider=chosen.get("provider") or None,
            cadence=chosen.get("cadence", ""),
            grade=chosen.get("grade"),
            synthetic={"yes": True, "no": False}.get(chosen.get("synthetic", "")),
        )

    @property
    def filters_anything(self) -> bool:
        return any(value not in ("", None) for value in self.cleaned_data.values())

    def _offer(self, name: str, choices: Choices) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All")), *choices]


def _texts(visible: QuerySet[Dataset], column: str) -> Choices:
    rows = visible.exclude(**{column: ""}).order_by(column).values_list(column)
    counted = rows.annotate(count=Count("pk", distinct=True))
    return [
        (value, f"{cadence_of(value) if column == 'cadence' else value} ({count})")
        for value, count in counted
    ]


def _providers(visible: QuerySet[Dataset]) -> Choices:
    counted = Organization.objects.filter(datasets__in=visible).annotate(
        offered=Count("datasets", distinct=True)
    )
    return [(str(found.uid), f"{name_of(found)} ({found.offered})") for found in counted.order_by("name")]


def _grades() -> Choices:
    """Each is the highest accepted. Core data are never listed."""
    return [
        (str(int(grade)), _("up to %(grade)s") % {"grade": GRADE_NAMES[grade]})
        for grade in Grade
        if grade is not Grade.CORE
    ]
