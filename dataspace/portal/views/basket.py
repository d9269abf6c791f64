"""The basket: choose columns of several datasets, say what for, file one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from catalog.names import title_of
from catalog.selectors import get_dataset
from contracts import permissions
from contracts.services.requests import Wish, file_request
from dataspace.portal.basket import Basket
from dataspace.portal.doors import actor_of, address, door, reason_against, status_of
from dataspace.portal.forms.requests import ColumnsForm, RequestForm
from dataspace.portal.parts import Action, Crumb
from parties.actors import Actor
from parties.names import name_of


@dataclass(frozen=True, slots=True)
class _Forms:
    """One form of columns per dataset, and the one that says what they are for."""

    columns: Sequence[ColumnsForm]
    request: RequestForm

    def are_valid(self) -> bool:
        return all(
            [*(form.is_valid() for form in self.columns), self.request.is_valid()]
        )  # all of them say what is wrong

    def keep(self, basket: Basket) -> None:
        """Remember what was entered, right or wrong."""
        for form in self.columns:
            form.is_valid()
        basket.keep(
            {str(form.dataset.uid): form.columns for form in self.columns},
            {name: self.request.data.get(name, "") for name in self.request.fields},
        )


@require_http_methods(["GET", "HEAD", "POST"])
@door
def basket(request: HttpRequest) -> HttpResponse:
    """GET shows it. POST keeps what was entered; `remove=<uid>` drops a dataset, `file` files the request."""
    actor = actor_of(request)
    kept = Basket(request.session)
    if request.method != "POST":
        return _page(request, actor, _forms(request, kept, actor))
    forms = _forms(request, kept, actor)
    forms.keep(kept)
    if "file" in request.POST:
        return _file(request, actor, kept, forms)
    if uid := request.POST.get("remove"):
        kept.remove(uid)
    return redirect("portal:basket")


@require_POST
@door
def add(request: HttpRequest) -> HttpResponse:
    """Put a dataset (`dataset=<uid>`) into the basket and show it."""
    dataset = get_dataset(actor_of(request), request.POST.get("dataset", ""))
    if not Basket(request.session).add(dataset):
        messages.warning(request, _("The basket is full. File this request first, then begin another."))
    return redirect("portal:basket")


def _file(request: HttpRequest, actor: Actor, kept: Basket, forms: _Forms) -> HttpResponse:
    if not forms.are_valid():
        return _page(request, actor, forms, status=422)
    wishes = [Wish(form.dataset, form.columns) for form in forms.columns]
    try:
        filed = file_request(actor=actor, wishes=wishes, **forms.request.cleaned_data)
    except Refused as refused:
        return _page(request, actor, forms, refused=refused, status=status_of(refused))
    kept.clear()
    messages.success(
        request, _("Filed. Each provider and the data bureau now decide; this page shows who holds it.")
    )
    return redirect("portal:request", filed.uid)


def _forms(request: HttpRequest, kept: Basket, actor: Actor) -> _Forms:
    data = request.POST if request.method == "POST" else None
    before = len(kept)
    columns = [
        ColumnsForm(
            data,
            dataset=dataset,
            title=title_of(dataset),
            provider=name_of(dataset.provider),
            chosen=kept.columns(str(dataset.uid)),
        )
        for dataset in kept.datasets(actor)
    ]
    if len(columns) < before:
        messages.warning(
            request, _("Something in your basket is no longer offered to you; it was taken out.")
        )
    return _Forms(columns, RequestForm(data, initial={"term_days": 365, "max_runs": 100, **kept.entered}))


def _page(
    request: HttpRequest, actor: Actor, forms: _Forms, *, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "forms": forms,
        "trail": [Crumb(_("Catalog"), address("portal:catalog"))],
        "browse": Action(_("Browse the catalog"), address("portal:catalog"), tone="primary", icon="search"),
        "why_not": _why_not(actor),
        "refused": refused,
    }
    return render(request, "portal/basket.html", context, status=status)


def _why_not(actor: Actor) -> StrOrPromise:
    """Why this reader cannot file: "" if they can, or have only to log in."""
    return "" if actor.user is None else reason_against(permissions.check_can_file, actor)
