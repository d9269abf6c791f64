"""Reviewed scripts: hand one in, see how far it is, withdraw it, review it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from contracts.models import Contract
from contracts.names import names_in
from contracts.permissions import allowed, check_can_compute
from contracts.policy.terms import DatasetTerm, Terms
from contracts.selectors import get_contract
from dataspace.portal.doors import actor_of, address, door, status_of
from dataspace.portal.forms.scripts import ReviewForm, ScriptForm
from dataspace.portal.parts import Crumb, Problem
from dataspace.portal.questions import Names, title
from dataspace.portal.reference import tables
from dataspace.portal.script_page import ScriptPage, why_no_script
from dataspace.portal.starter import starter
from parties.actors import Actor
from sandbox.models import Script
from sandbox.scripts.reading import check_dataset
from sandbox.selectors import get_script
from sandbox.services.reviews import review_script
from sandbox.services.scripts import submit_script, withdraw_script


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@door
def new(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET shows a script to begin with, for `?dataset=`. A refused one stays on the page to be mended."""
    actor = actor_of(request)
    contract = get_contract(actor, uid)
    check_can_compute(actor, contract)
    names, terms = names_in(contract), fitting(contract.terms)
    datasets = [(term.name, title(term, names)) for term in terms]
    if request.method != "POST":
        form = ScriptForm(initial=_opening(terms, names, request.GET.get("dataset", "")), datasets=datasets)
        return _form(request, contract, names, form)
    form = ScriptForm(request.POST, request.FILES, datasets=datasets)
    if not form.is_valid():
        return _form(request, contract, names, form, status=422)
    said = form.cleaned_data
    try:
        script = submit_script(
            actor=actor, contract=contract, dataset=said["dataset"], source=form.text, title=said["title"]
        )
    except Refused as refused:
        return _form(request, contract, names, form, refused, status=status_of(refused))
    messages.success(request, _("Submitted. Two reviewers read it before it is run."))
    return redirect("portal:script", script.uid)


def fitting(terms: Terms) -> list[DatasetTerm]:
    """The datasets that a script may prepare."""
    return [term for term in terms.datasets if allowed(check_dataset, term.name, terms)]


@require_safe
@login_required
@never_cache
@door
def script(request: HttpRequest, uid: UUID) -> HttpResponse:
    actor = actor_of(request)
    return _page(request, ScriptPage(actor, get_script(actor, uid)))


@require_safe
@login_required
@never_cache
@door
def status(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The moving part of the page alone; the whole page anew once nothing moves."""
    actor = actor_of(request)
    page = ScriptPage(actor, get_script(actor, uid))
    if not page.moves:
        return HttpResponseClientRefresh()
    return render(request, "portal/script_status.html", {"page": page})


@require_POST
@login_required
@door
def withdraw(request: HttpRequest, uid: UUID) -> HttpResponse:
    actor = actor_of(request)
    found = get_script(actor, uid)
    return _do(
        request,
        actor,
        found,
        lambda: withdraw_script(actor=actor, script=found),
        _("The script is withdrawn."),
    )


@require_POST
@login_required
@door
def review(request: HttpRequest, uid: UUID) -> HttpResponse:
    actor = actor_of(request)
    found = get_script(actor, uid)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _page(request, ScriptPage(actor, found, form), status=422)
    return _do(
        request, actor, found,
        lambda: review_script(actor=actor, script=found, **form.cleaned_data), _("Your review is on record."), form,
    )  # fmt: skip


def _do(
    request: HttpRequest, actor: Actor, found: Script, act: Callable[[], object], done: StrOrPromise,
    form: ReviewForm | None = None,
) -> HttpResponse:  # fmt: skip
    """Call the service and show the script anew, or as it now is with the reason why not."""
    try:
        act()
    except Refused as refused:
        page = ScriptPage(actor, get_script(actor, found.uid), form)
        return _page(request, page, refused, status=status_of(refused))
    messages.success(request, str(done))
    return redirect("portal:script", found.uid)


def _page(
    request: HttpRequest, page: ScriptPage, refused: Refused | None = None, *, status: int = 200
) -> HttpResponse:
    context = {"page": page, "script": page.script, "refused": refused}
    return render(request, "portal/script.html", context, status=status)


def _opening(terms: list[DatasetTerm], names: Names, wanted: str) -> dict[str, str]:
    chosen = next((term for term in terms if term.name == wanted), terms[0] if terms else None)
    return {"dataset": chosen.name, "source": starter(chosen, names)} if chosen else {"source": ""}


def _form(
    request: HttpRequest,
    contract: Contract,
    names: Names,
    form: ScriptForm,
    refused: Refused | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    problem = Problem.of(refused) if refused else None
    beside = problem is not None or (refused is not None and form.tell(refused))
    open_to = {term.name for term in fitting(contract.terms)}
    context = {
        "contract": contract,
        "form": form,
        "problem": problem,
        "refused": None if beside else refused,
        "closed": why_no_script(contract),
        "tables": [table for table in tables(contract.terms, names) if table.name in open_to],
        "trail": [
            Crumb(_("Contracts"), address("portal:contracts")),
            Crumb(str(contract.request.scenario)[:40], address("portal:contract", contract.uid)),
        ],
    }
    return render(request, "portal/script_new.html", context, status=status)
