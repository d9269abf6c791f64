"""The admin of guarded models: who may enter is asked of the room's permissions, changes go through services.

Django's own permission rows and its history (which would copy names) play no part; the audit log is the record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from audit.refusals import Refused
from parties.actors import Actor, actor_for

M = TypeVar("M", bound=Model)


def actor_of(request: HttpRequest) -> Actor:
    """The actor behind a request, worked out once."""
    known = getattr(request, "acting", None)
    if isinstance(known, Actor):
        return known
    actor = actor_for(request.user)
    request.acting = actor  # type: ignore[attr-defined]  # a place of our own on the request
    return actor


def attempt(request: HttpRequest, act: Callable[[], object], done: object) -> bool:
    """Call a service; say `done`, or show the reason of its refusal. Whether it was done."""
    try:
        act()
    except Refused as refused:
        messages.error(request, refused.reason)
        return False
    messages.success(request, str(done))
    return True


class RoomAdmin(admin.ModelAdmin[M]):
    """Read-only unless a subclass says who may add or change; never deletes.

    A subclass sets `may_enter` and filters `get_queryset` by the actor, so that another organization's object is
    answered like one that does not exist.
    """

    actions = None
    show_full_result_count = False

    def may_enter(self, actor: Actor) -> bool:
        raise NotImplementedError

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may_enter(actor_of(request))

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self.may_enter(actor_of(request)) and (
            obj is None or self.get_queryset(request).filter(pk=obj.pk).exists()
        )

    def has_add_permission(self, request: HttpRequest) -> bool:  # Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Without Django's surrounding transaction: services own theirs. A refusal becomes a message."""
        try:
            response: HttpResponse = self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]
        except Refused as refused:
            messages.error(request, refused.reason)
            return HttpResponseRedirect(request.get_full_path())
        return response

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """Nothing: the service has recorded it."""

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """Nothing: the service has recorded it."""
