"""Datasets in the back office: a provider's stewards describe them, hand in versions, list and withdraw."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from catalog import services
from catalog.admin.forms import DatasetForm, HandInForm, ShowToForm
from catalog.admin.state_filter import DatasetStateFilter
from catalog.admin_base import RoomAdmin, actor_of, attempt
from catalog.models import Dataset, Version
from catalog.permissions import can_edit, is_steward
from catalog.selectors import own_sources, shown_to, versions_of, visible_datasets, with_current
from parties.actors import Actor


@admin.register(Dataset)
class DatasetAdmin(RoomAdmin[Dataset]):
    form = DatasetForm
    change_form_template = "admin/catalog/dataset/page.html"
    list_display = ["title", "name", "shown_state", "shown_grade", "visibility", "current_number"]
    list_filter = [DatasetStateFilter, "visibility"]
    search_fields = ["title", "name"]

    def may_enter(self, actor: Actor) -> bool:
        return is_steward(actor)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        """The steward's own organization's datasets, and no others, listed or not."""
        actor = actor_of(request)
        return with_current(visible_datasets(actor).filter(provider=actor.organization)).order_by("title")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_steward(actor_of(request))

    def has_change_permission(self, request: HttpRequest, obj: Dataset | None = None) -> bool:
        actor = actor_of(request)
        return is_steward(actor) if obj is None else can_edit(actor, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Dataset | None = None) -> list[str]:
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: Dataset, form: Any, change: bool) -> None:  # noqa: FBT001
        actor, description = actor_of(request), form.described()
        if change:
            services.change_dataset(actor=actor, dataset=obj, description=description)
            return
        made = services.create_dataset(actor=actor, name=form.cleaned_data["name"], description=description)
        obj.pk, obj.uid, obj.state, obj.provider = made.pk, made.uid, made.state, made.provider

    @admin.display(description=_("state"), ordering="state")
    def shown_state(self, dataset: Dataset) -> StrOrPromise:
        return dataset.state_name

    @admin.display(description=_("grade"))
    def shown_grade(self, dataset: Dataset) -> StrOrPromise:
        return dataset.grade_name or "–"

    @admin.display(description=_("version"))
    def current_number(self, dataset: Dataset) -> str:
        current = dataset.current
        return str(current.number) if current else "–"

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<int:pk>/hand-in/", self.admin_site.admin_view(self.hand_in), name="catalog_dataset_hand_in"
            ),
            path(
                "<int:pk>/act/<slug:act>/", self.admin_site.admin_view(self.act), name="catalog_dataset_act"
            ),
        ]
        return own + super().get_urls()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,  # noqa: FBT001, FBT002
        change: bool = False,  # noqa: FBT001, FBT002
        form_url: str = "",
        obj: Dataset | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                "dataset": obj,
                "versions": versions_of(actor_of(request), obj)[:20],
                "shown_to": shown_to(obj),
                "show_to_form": ShowToForm(),
            }
        return super().render_change_form(
            request, context, add=add, change=change, form_url=form_url, obj=obj
        )

    def hand_in(self, request: HttpRequest, pk: int) -> HttpResponse:
        dataset, actor = self._own(request, pk), actor_of(request)
        sent = (request.POST, request.FILES) if request.method == "POST" else ()
        form = HandInForm(*sent, sources=own_sources(actor))
        if form.is_valid():
            try:
                version = self._take(form.cleaned_data, actor, dataset)
            except Refused as refused:
                form.add_error(None, refused.reason)
            else:
                messages.success(request, str(_("Handed in. It is being checked.")))
                return redirect("admin:catalog_version_change", version.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Hand in a new version"), "dataset": dataset, "form": form, "opts": self.opts,
        }  # fmt: skip
        return render(request, "admin/catalog/dataset/hand_in.html", context)

    def _take(self, cleaned: dict[str, Any], actor: Actor, dataset: Dataset) -> Version:
        file = cleaned["file"]
        if file:
            return services.hand_in_file(
                actor=actor,
                dataset=dataset,
                chunks=file.chunks(),
                file_name=file.name,
                sheet=cleaned["sheet"],
            )
        return services.hand_in_table(
            actor=actor, dataset=dataset, source=cleaned["source"], table=cleaned["table"]
        )

    def act(self, request: HttpRequest, pk: int, act: str) -> HttpResponse:
        """One of the buttons of the dataset's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        dataset, actor = self._own(request, pk), actor_of(request)
        match act:
            case "list":
                attempt(
                    request, lambda: services.list_dataset(actor=actor, dataset=dataset), _("In the catalog.")
                )
            case "withdraw":
                attempt(
                    request, lambda: services.withdraw_dataset(actor=actor, dataset=dataset), _("Withdrawn.")
                )
            case "show" | "hide":
                self._show_or_hide(request, dataset, act)
            case _:
                raise Http404
        return redirect(reverse("admin:catalog_dataset_change", args=[dataset.pk]))

    def _show_or_hide(self, request: HttpRequest, dataset: Dataset, act: str) -> None:
        form = ShowToForm(request.POST)
        if not form.is_valid():
            messages.error(request, str(_("Choose an organization.")))
            return
        organization, actor = form.cleaned_data["organization"], actor_of(request)
        service = services.show_to if act == "show" else services.hide_from
        done = (
            _("The organization sees it now.") if act == "show" else _("The organization no longer sees it.")
        )
        attempt(request, lambda: service(actor=actor, dataset=dataset, organization=organization), done)

    def _own(self, request: HttpRequest, pk: int) -> Dataset:
        dataset = self.get_queryset(request).filter(pk=pk).first() if is_steward(actor_of(request)) else None
        if dataset is None:
            raise Http404
        return dataset
