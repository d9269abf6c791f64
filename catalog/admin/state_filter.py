"""Lists narrowed by state, in the words of the states."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.states import DatasetState, VersionState


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"
    states: ClassVar[type[models.TextChoices]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # Django's signature
        return self.states.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in self.states.values else queryset


class DatasetStateFilter(StateFilter):
    states = DatasetState


class VersionStateFilter(StateFilter):
    states = VersionState
