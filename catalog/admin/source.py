"""Data sources: registered, never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin_base import RoomAdmin, actor_of
from catalog.models import Source
from catalog.permissions import is_steward
from catalog.selectors import own_sources
from catalog.services import register_source
from parties.actors import Actor


class SourceForm(forms.ModelForm[Source]):
    url = forms.CharField(
        label=_("address"), max_length=500, widget=forms.PasswordInput,
        help_text=_("postgresql://user:password@host:5432/database. Kept encrypted, never shown again."),
    )  # fmt: skip

    class Meta:
        model = Source
        fields = ["name"]


@admin.register(Source)
class SourceAdmin(RoomAdmin[Source]):
    form = SourceForm
    list_display = ["name", "provider"]

    def may_enter(self, actor: Actor) -> bool:
        return is_steward(actor)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_steward(actor_of(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        return own_sources(actor_of(request))

    def get_fields(self, request: HttpRequest, obj: Source | None = None) -> Any:
        return ["name", "provider"] if obj else ["name", "url"]

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:  # noqa: FBT001
        made = register_source(
            actor=actor_of(request), name=form.cleaned_data["name"], url=form.cleaned_data["url"]
        )
        obj.pk, obj.uid = made.pk, made.uid
