"""The catalog and a dataset's page."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from django_stubs_ext import StrOrPromise

from catalog.models import Dataset
from catalog.names import title_of
from catalog.schema import Column
from catalog.search import pieces
from catalog.selectors import ORDERS, get_dataset, in_order, search
from contracts import permissions
from dataspace.portal import dataset_tabs
from dataspace.portal.basket import Basket
from dataspace.portal.doors import actor_of, address, door, reason_against
from dataspace.portal.forms.catalog import CatalogFilter
from dataspace.portal.parts import Action, Crumb, Tab
from parties.actors import Actor
from parties.names import name_of

PAGE = 20
HITS = 4  # columns named under a result

TABS: dict[str, tuple[StrOrPromise, dataset_tabs.Build]] = {
    "overview": (_("Overview"), dataset_tabs.overview),
    "dictionary": (_("Data dictionary"), dataset_tabs.data_dictionary),
    "sample": (_("Synthetic sample"), dataset_tabs.sample),
    "quality": (_("Quality"), dataset_tabs.quality),
    "versions": (_("Versions"), dataset_tabs.versions),
    "api": (_("API"), dataset_tabs.api),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A search result: the dataset, and the columns in which the words occur."""

    dataset: Dataset
    title: str
    provider: str
    hits: list[Column]


@require_safe
@door
def catalog(request: HttpRequest) -> HttpResponse:
    """Search and filter what the reader may see."""
    actor = actor_of(request)
    form = CatalogFilter(request.GET, actor=actor)
    form.is_valid()
    order = request.GET.get("sort", "")
    rows = in_order(search(actor, form.text, form.filters), order)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    found = [Found(d, title_of(d), name_of(d.provider), _hits(d, form.text)) for d in page]
    context = {"form": form, "page": page, "found": found, "actions": _basket_action(request)}
    context["sort"] = order if order in ORDERS else ""
    return render(request, "portal/catalog.html", context)


@require_safe
@door
def dataset(request: HttpRequest, name: str) -> HttpResponse:
    """One dataset, by its name (or uid); `?tab=` chooses what of it is shown."""
    actor = actor_of(request)
    shown = get_dataset(actor, name)
    current = request.GET.get("tab", "")
    current = current if current in TABS else "overview"
    _label, build = TABS[current]
    context = {
        "dataset": shown,
        "title": title_of(shown),
        "provider": name_of(shown.provider),
        "version": shown.current,
        "trail": [Crumb(_("Catalog"), address("portal:catalog"))],
        "actions": _actions(request, actor, shown),
        "tabs": [Tab(label, f"?tab={tab}", current=tab == current) for tab, (label, _build) in TABS.items()],
        "body": f"portal/dataset_{current}.html",
        **build(request, actor, shown),
    }
    return render(request, "portal/dataset.html", context)


def _actions(request: HttpRequest, actor: Actor, shown: Dataset) -> list[Action]:
    if str(shown.uid) in Basket(request.session):
        return [Action(_("In your basket"), address("portal:basket"), tone="primary", icon="check")]
    refused: StrOrPromise = ""
    if shown.current is None:
        refused = _("Nothing is published yet.")
    elif actor.user is not None:  # visitors may fill a basket, and log in when they file it
        refused = reason_against(permissions.check_can_file, actor)
    fields = [("dataset", str(shown.uid))]
    add = address("portal:basket_add")
    ask = Action(
        _("Ask for access"), add, tone="primary", icon="plus", post=True, refused=refused, fields=fields
    )
    return [*_basket_action(request), ask]


def _basket_action(request: HttpRequest) -> list[Action]:
    """The way back to a basket that has something in it."""
    count = len(Basket(request.session))
    words = ngettext("Basket: %(count)d dataset", "Basket: %(count)d datasets", count) % {"count": count}
    return [Action(words, address("portal:basket"), icon="inbox")] if count else []


def _hits(shown: Dataset, text: str) -> list[Column]:
    """The columns whose name or meaning holds a part of the words looked for."""
    wanted = list(pieces(text))
    version = shown.current
    if not wanted or version is None:
        return []
    return [column for column in version.schema.columns if _holds(column, wanted)][:HITS]


def _holds(column: Column, wanted: list[str]) -> bool:
    said = unicodedata.normalize("NFKC", f"{column.name} {column.meaning}").casefold()
    return any(piece in said for piece in wanted)
