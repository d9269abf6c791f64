"""Versions in the back office: how the check goes, what it found, the schema to correct, and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from catalog import services
from catalog.admin.profile_table import profile_table
from catalog.admin.schema_forms import SchemaForm
from catalog.admin.state_filter import VersionStateFilter
from catalog.admin_base import RoomAdmin, actor_of, attempt
from catalog.dictionary import dictionary
from catalog.findings import findings_of
from catalog.models import GRADE_NAMES, Version
from catalog.permissions import is_steward
from catalog.preview import first_rows
from catalog.schema import Grade
from catalog.selectors import own_versions
from catalog.states import BadRows, VersionState
from parties.actors import Actor

STEP_NAMES: Mapping[str, StrOrPromise] = {
    "decode": _("reading the file"),
    "infer": _("proposing a schema"),
    "validate": _("checking every row"),
    "build": _("writing the extract"),
    "digest": _("computing digests"),
    "profile": _("measuring quality"),
}


@admin.register(Version)
class VersionAdmin(RoomAdmin[Version]):
    list_display = [
        "dataset",
        "number",
        "shown_state",
        "state_since",
        "shown_rows",
        "shown_dropped",
        "shown_grade",
    ]
    list_display_links = ["dataset", "number"]
    list_filter = [VersionStateFilter]
    search_fields = ["dataset__title", "dataset__name"]

    def may_enter(self, actor: Actor) -> bool:
        return is_steward(actor)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        return own_versions(actor_of(request)).order_by("-created")

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, version: Version) -> StrOrPromise:
        return version.state_name

    @admin.display(description=_("rows"), ordering="rows")
    def shown_rows(self, version: Version) -> int | None:
        return version.rows

    @admin.display(description=_("rows left out"), ordering="dropped_rows")
    def shown_dropped(self, version: Version) -> int | None:
        return version.dropped_rows

    @admin.display(description=_("grade"))
    def shown_grade(self, version: Version) -> StrOrPromise:
        return grade_name(version)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<int:pk>/act/<slug:act>/", self.admin_site.admin_view(self.act), name="catalog_version_act"
            ),
            path("<int:pk>/schema/", self.admin_site.admin_view(self.schema), name="catalog_version_schema"),
        ]
        return own + super().get_urls()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # Django's signature
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one version. While it is worked on, it loads itself again every two seconds."""
        if not object_id.isdecimal():
            raise Http404
        return self._page(request, self._own(request, int(object_id)))

    def schema(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The corrected schema comes back."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        version = self._own(request, pk)
        done = _("Corrected. It is being checked again.")
        return self._corrected(request, version, SchemaForm(version.schema, request.POST), done)

    def _corrected(
        self, request: HttpRequest, version: Version, form: SchemaForm, done: StrOrPromise
    ) -> HttpResponse:
        faults: list[str] = []
        if form.is_valid():
            try:
                services.set_schema(actor=actor_of(request), version=version, schema=form.schema())
            except Refused as refused:
                faults = [refused.reason, *form.show(refused)]
            else:
                messages.success(request, str(done))
                return redirect("admin:catalog_version_change", version.pk)
        return self._page(request, version, form, faults or [str(_("Correct what is marked."))])

    def act(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """The provider's decision: one of BadRows.

        The schema form comes along. What was corrected and not yet saved is never passed over: it is saved and
        checked first, and the provider decides on what was checked.
        """
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        version, actor = self._own(request, pk), actor_of(request)
        if act not in BadRows:
            raise Http404
        if (
            act != BadRows.REJECT
            and version.state == VersionState.CHECKED
            and SchemaForm.came_with(request.POST)
        ):
            form = SchemaForm(version.schema, request.POST)
            if not form.is_valid() or form.has_changed():
                first = _(
                    "Your corrections were saved first and are being checked. Look at the result, then decide."
                )
                return self._corrected(request, version, form, first)
        if act == BadRows.REJECT:
            attempt(request, lambda: services.reject_version(actor=actor, version=version), _("Rejected."))
        else:
            done = _("The extract is being built.")
            attempt(
                request,
                lambda: services.decide_bad_rows(actor=actor, version=version, on_bad_rows=act),
                done,
            )
        return redirect("admin:catalog_version_change", version.pk)

    def _page(
        self,
        request: HttpRequest,
        version: Version,
        form: SchemaForm | None = None,
        faults: list[str] | None = None,
    ) -> HttpResponse:
        correctable = version.state == VersionState.CHECKED
        context = {
            **self.admin_site.each_context(request),
            "title": str(version), "opts": self.opts, "version": version, "dataset": version.dataset,
            "grade": grade_name(version), "dictionary": dictionary(version),
            "form": (form or SchemaForm(version.schema)) if correctable else None, "faults": faults or [],
            "findings": findings_of(version) if correctable else [],
            "summary": version.findings or {}, "step": STEP_NAMES.get(version.step, ""),
            "profile": profile_table(version), "preview": first_rows(actor_of(request), version),
        }  # fmt: skip
        return render(request, "admin/catalog/version/page.html", context)

    def _own(self, request: HttpRequest, pk: int) -> Version:
        version = self.get_queryset(request).filter(pk=pk).first() if is_steward(actor_of(request)) else None
        if version is None:
            raise Http404
        return version


def grade_name(version: Version) -> StrOrPromise:
    return GRADE_NAMES[Grade(version.grade)] if version.grade else "–"
