"""What every page does at its door: who acts, what a refusal looks like, which address a page may link to.

A hidden object and an absent one are the same 404 (P6). Any other refusal is shown with its reason, under the same
status as in the API.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from catalog.admin_base import actor_of
from dataspace.api.errors import status_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

NOT_FOUND = "not_found"


def door(view: View[P]) -> View[P]:
    """Decorate a view: a refusal it does not show itself becomes a 404 or a page with the reason.

    Whoever is not logged in is led to the log-in instead of being told that a role is missing.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Refused as refused:
            return refusal(request, refused)

    return guarded


def refusal(request: HttpRequest, refused: Refused) -> HttpResponse:
    """A whole page that says no and why. Raises Http404 for what is not there, or not there for this reader."""
    if refused.code == NOT_FOUND:
        raise Http404
    if refused.code == "role.missing" and not request.user.is_authenticated:
        return to_login(request)
    back = address("portal:home")
    return render(
        request, "portal/refused.html", {"refused": refused, "back": back}, status=status_of(refused)
    )


def reason_against(check: Callable[..., Any], *args: Any) -> StrOrPromise:
    """Why a step is refused: the text for a greyed-out button; "" where it is open."""
    try:
        check(*args)
    except Refused as refused:
        return refused.reason
    return ""


def to_login(request: HttpRequest) -> HttpResponseRedirect:
    """To the log-in, and from there back to the page (of a POST: to where it can be sent again)."""
    target = request.get_full_path() if request.method == "GET" else address("portal:home")
    return HttpResponseRedirect(f"{address('portal:login')}?{urlencode({'next': target})}")


def address(name: str, *args: object) -> str:
    """The address behind a name; "" where this installation does not serve that page."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


__all__ = ["actor_of", "address", "door", "reason_against", "refusal", "status_of", "to_login"]
