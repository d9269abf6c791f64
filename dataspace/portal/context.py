"""What every page shows around its content: the space, who is logged in, where they can go, what waits.

The menu is the list `NAV`: add a line to add a page. A count is worked out only when a page prints it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit.models import Entry
from catalog.admin_base import actor_of
from contracts.selectors import contracts_waiting_for, requests_waiting_for
from parties.actors import Actor
from parties.permissions import can_read_log
from parties.roles import OrganizationKind

Rule = Callable[[Actor], bool]
Count = Callable[[Actor], int]


def everyone(_actor: Actor) -> bool:
    return True


def logged_in(actor: Actor) -> bool:
    return actor.user is not None


def has_organization(actor: Actor) -> bool:
    return actor.organization is not None


def takes_part(actor: Actor) -> bool:
    """Requests and contracts concern every organization but the auditors."""
    return actor.organization is not None and actor.kind != OrganizationKind.AUDITOR


def asks(actor: Actor) -> bool:
    return actor.kind == OrganizationKind.ENTERPRISE


def keeps(actor: Actor) -> bool:
    """Works in the back office: describes datasets, or keeps organizations and accounts."""
    return actor.user is not None and actor.user.is_staff


@dataclass(frozen=True, slots=True)
class Page:
    """One line of the menu. `area` is the beginning of the address names that count as being here, or several."""

    label: StrOrPromise
    url_name: str
    visible: Rule
    count: Count | None = None
    area: str | tuple[str, ...] = ""


NAV: list[Page] = [
    Page(_("Home"), "portal:home", everyone),
    Page(_("Catalog"), "portal:catalog", everyone, area="portal:dataset"),
    Page(_("Basket"), "portal:basket", asks),
    Page(
        _("Requests"),
        "portal:requests",
        takes_part,
        count=lambda actor: requests_waiting_for(actor).count(),
        area="portal:request",
    ),
    Page(
        _("Contracts"),
        "portal:contracts",
        takes_part,
        count=lambda actor: contracts_waiting_for(actor).count(),
        area=("portal:contract", "portal:script"),
    ),
    Page(_("Computations"), "portal:runs", has_organization, area="portal:run"),
    Page(_("Audit log"), "portal:audit", can_read_log, area="portal:audit"),
    Page(_("Back office"), "admin:index", keeps),
]


class NavItem:
    """A line of the menu as one reader sees it."""

    def __init__(self, page: Page, actor: Actor, address: str, here: str) -> None:
        self.label = page.label
        self.url = address
        self.current = here == page.url_name or bool(page.area and here.startswith(page.area))
        self._page = page
        self._actor = actor

    @cached_property
    def count(self) -> int:
        return self._page.count(self._actor) if self._page.count else 0


class Portal:
    """The `portal` of every template. Everything is worked out on first use, once per request."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.space = settings.SPACE_NAME
        self.version = _version()

    @cached_property
    def actor(self) -> Actor:
        return actor_of(self._request)

    @cached_property
    def nav(self) -> list[NavItem]:
        match = self._request.resolver_match
        here = match.view_name if match else ""
        return [
            NavItem(page, self.actor, address, here)
            for page in NAV
            if page.visible(self.actor) and (address := address_of(page.url_name))
        ]

    @cached_property
    def chain_head(self) -> dict[str, Any] | None:
        """Number and hash of the newest sealed entry: what a visitor may note down and compare later."""
        row = Entry.objects.order_by("-seq").values("seq", "leaf").first()
        return {"seq": row["seq"], "leaf": bytes(row["leaf"]).hex()} if row else None

    @cached_property
    def audit_url(self) -> str:
        return address_of("portal:audit") if can_read_log(self.actor) else ""

    @cached_property
    def differencing_url(self) -> str:
        return address_of("portal:differencing") if logged_in(self.actor) else ""

    @cached_property
    def home_url(self) -> str:
        return address_of("portal:home") or "/"

    @cached_property
    def language_url(self) -> str:
        return address_of("set_language")

    @cached_property
    def login_url(self) -> str:
        return address_of("portal:login")

    @cached_property
    def password_url(self) -> str:
        return address_of("portal:password")

    @cached_property
    def logout_url(self) -> str:
        return address_of("portal:logout")


def portal(request: HttpRequest) -> dict[str, Any]:
    """Context processor."""
    return {"portal": Portal(request)}


def address_of(name: str) -> str:
    """The address behind a name, "" where this installation does not serve it."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@cache
def _version() -> str:
    try:
        return version("dataspace")
    except PackageNotFoundError:
        return ""
