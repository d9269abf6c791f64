"""Requests: those the reader may see, one in detail, the decision on it, its withdrawal."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HTMX_STOP_POLLING

from audit.refusals import Refused
from contracts.models import AccessRequest
from contracts.selectors import get_request, requests_waiting_for, visible_requests
from contracts.services.requests import decide_request, withdraw_request
from dataspace.portal.doors import actor_of, address, door, status_of
from dataspace.portal.forms.decisions import DecisionForm
from dataspace.portal.parts import Action, Tab
from dataspace.portal.request_page import RequestPage, decision_form, request_row
from dataspace.portal.trial_panel import TrialPanel
from parties.actors import Actor
from sandbox.models import Trial
from sandbox.selectors import get_trial
from sandbox.services.trials import try_terms

PAGE = 20


@require_safe
@login_required
@door
def requests(request: HttpRequest) -> HttpResponse:
    """All that concern the reader's organization; `?show=waiting` those that wait for its decision."""
    actor = actor_of(request)
    waiting = requests_waiting_for(actor)
    only_waiting = request.GET.get("show") == "waiting"
    page = Paginator(waiting if only_waiting else visible_requests(actor), PAGE).get_page(
        request.GET.get("page")
    )
    tabs = [
        Tab(_("All"), address("portal:requests"), current=not only_waiting),
        Tab(_("Waiting for us"), "?show=waiting", current=only_waiting, count=waiting.count()),
    ]
    begin = Action(_("Browse the catalog"), address("portal:catalog"), tone="primary", icon="search")
    context = {
        "page": page,
        "rows": [request_row(asked) for asked in page],
        "tabs": tabs,
        "waiting": only_waiting,
        "begin": begin,
    }
    return render(request, "portal/requests.html", context)


@require_safe
@login_required
@door
def request(request: HttpRequest, uid: str) -> HttpResponse:
    """One request: what is asked, who holds it and since when, what the reader can do about it."""
    actor = actor_of(request)
    return _page(request, actor, get_request(actor, uid))


@require_POST
@login_required
@door
def decide(request: HttpRequest, uid: str) -> HttpResponse:
    """Put the decision on record, or with `preview` see first what its limits and lanes would do to the data."""
    actor = actor_of(request)
    asked = get_request(actor, uid)
    if "preview" in request.POST:
        return _try(request, actor, asked)
    form = decision_form(actor, asked, request.POST)
    if not form.is_valid():
        return _page(request, actor, asked, form=form, status=422)
    try:
        decide_request(
            actor=actor, request=asked, outcome=form.cleaned_data["outcome"], reason=form.cleaned_data["reason"],
            limits=form.limits, lanes=form.lanes,
        )  # fmt: skip
    except Refused as refused:
        return _page(request, actor, get_request(actor, uid), form=form, refused=refused)
    messages.success(request, _("Your decision is on record."))
    return redirect("portal:request", uid)


@require_safe
@login_required
@never_cache
@door
def trial(request: HttpRequest, uid: str) -> HttpResponse:
    """The moving part of a trial alone; 286 tells the page to ask no more."""
    panel = TrialPanel(get_trial(actor_of(request), uid))
    status = HTMX_STOP_POLLING if panel.trial.is_over else 200
    return render(request, "portal/trial.html", {"panel": panel}, status=status)


@require_POST
@login_required
@door
def withdraw(request: HttpRequest, uid: str) -> HttpResponse:
    actor = actor_of(request)
    asked = get_request(actor, uid)
    try:
        withdraw_request(actor=actor, request=asked)
    except Refused as refused:
        return _page(request, actor, asked, refused=refused)
    messages.success(request, _("The request is withdrawn."))
    return redirect("portal:request", uid)


def _try(request: HttpRequest, actor: Actor, asked: AccessRequest) -> HttpResponse:
    """The same page, with what was entered kept and the trial below it."""
    form = decision_form(actor, asked, request.POST, trying=True)
    if not form.is_valid():
        return _page(request, actor, asked, form=form, status=422)
    try:
        found = try_terms(actor=actor, request=asked, limits=form.limits, lanes=form.lanes)
    except Refused as refused:
        return _page(request, actor, get_request(actor, uid=asked.uid), form=form, refused=refused)
    return _page(request, actor, asked, form=form, trial=found)


def _page(
    request: HttpRequest,
    actor: Actor,
    asked: AccessRequest,
    *,
    form: DecisionForm | None = None,
    trial: Trial | None = None,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    page = RequestPage(actor, asked, form, trial)
    context = {"page": page, "asked": asked, "refused": refused}
    return render(request, "portal/request.html", context, status=status_of(refused) if refused else status)
