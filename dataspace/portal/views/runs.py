"""Computations: those the reader may see, one of them with its live state and result, cancelling it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from audit.refusals import Refused
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.forms.runs import RunFilter
from dataspace.portal.parts import Action
from dataspace.portal.run_page import RunPage
from parties.actors import Actor
from parties.roles import OrganizationKind
from sandbox.models import Run
from sandbox.selectors import get_run, visible_runs
from sandbox.services import submit as runs_service

PAGE = 25


@require_safe
@login_required
@door
def runs(request: HttpRequest) -> HttpResponse:
    """The reader's, newest first; `?contract=` and `?state=` narrow them."""
    actor = actor_of(request)
    form = RunFilter(request.GET, actor=actor)
    rows = visible_runs(actor).select_related("contract__request").order_by("-queued")
    page = Paginator(form.narrowed(rows), PAGE).get_page(request.GET.get("page"))
    begin = Action(_("See the contracts"), address("portal:contracts"), icon="signature")
    context = {
        "page": page,
        "form": form,
        "begin": begin if actor.kind == OrganizationKind.ENTERPRISE else None,
        "narrowed": any(request.GET.get(name) for name in form.fields),
        "others": actor.kind != OrganizationKind.ENTERPRISE,
    }
    return render(request, "portal/runs.html", context)


@require_safe
@login_required
@never_cache
@door
def run(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One run: how far it is, what was asked, what came out."""
    shown = RunPage(*_found(request, uid))
    release = shown.release
    rows = release.page(request.GET.get("page")) if release else None
    context = {
        "page": shown,
        "run": shown.run,
        "release": release,
        "rows": rows,
        "table": release.table(rows) if release and rows is not None else None,
    }
    return render(request, "portal/run.html", context)


@require_safe
@login_required
@never_cache
@door
def status(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The moving part of the page alone; the whole page anew once the run is over."""
    shown = RunPage(*_found(request, uid))
    slow = "review" in request.GET
    if shown.run.is_over or shown.in_review != slow:  # the page's buttons and pace are others now
        return HttpResponseClientRefresh()
    return render(request, "portal/run_status.html", {"page": shown, "run": shown.run})


@require_POST
@login_required
@door
def cancel(request: HttpRequest, uid: UUID) -> HttpResponse:
    actor, found = _found(request, uid)
    try:
        runs_service.cancel(actor=actor, run=found)
    except Refused as refused:
        messages.error(request, refused.reason)
    else:
        messages.success(request, _("Cancelled; a run under way stops within a second."))
    return HttpResponseRedirect(address("portal:run", found.uid))


def _found(request: HttpRequest, uid: UUID) -> tuple[Actor, Run]:
    actor = actor_of(request)
    return actor, get_run(actor, uid)
