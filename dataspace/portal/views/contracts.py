"""Contracts: those the reader may see, one in detail, signing it, suspending, resuming and terminating it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe
from django_stubs_ext import StrOrPromise

from audit.refusals import Refused
from contracts.models import Contract
from contracts.selectors import contracts_waiting_for, get_contract, visible_contracts
from contracts.services.signing import resume_contract, sign_contract, suspend_contract, terminate_contract
from contracts.states import ContractState
from dataspace.portal.contract_page import ContractPage, days_left, runs_left, signatures_of
from dataspace.portal.doors import actor_of, address, door, status_of
from dataspace.portal.forms.contracts import SignForm
from dataspace.portal.parts import Action, Tab
from parties.actors import Actor
from parties.names import name_of

PAGE = 20


@dataclass(frozen=True, slots=True)
class Row:
    """A contract in the list."""

    contract: Contract
    enterprise: str
    signatures: list[tuple[str, bool]]  # organization, whether it has signed
    runs_left: int
    days_left: int


@require_safe
@login_required
@door
def contracts(request: HttpRequest) -> HttpResponse:
    """All that concern the reader's organization; `?show=waiting` those it has yet to sign, `?show=active` in force."""
    actor = actor_of(request)
    waiting, every = contracts_waiting_for(actor), visible_contracts(actor)
    show = request.GET.get("show", "")
    chosen = {"waiting": waiting, "active": every.filter(state=ContractState.ACTIVE)}.get(show, every)
    page = Paginator(chosen, PAGE).get_page(request.GET.get("page"))
    tabs = [
        Tab(_("All"), address("portal:contracts"), current=show not in {"waiting", "active"}),
        Tab(
            _("Waiting for our signature"), "?show=waiting", current=show == "waiting", count=waiting.count()
        ),
        Tab(_("In force"), "?show=active", current=show == "active"),
    ]
    rows = [Row(c, name_of(c.enterprise), signatures_of(c), runs_left(c), days_left(c)) for c in page]
    begin = Action(_("See the requests"), address("portal:requests"), icon="inbox")
    return render(
        request, "portal/contracts.html", {"page": page, "rows": rows, "tabs": tabs, "begin": begin}
    )


@require_safe
@login_required
@door
def contract(request: HttpRequest, uid: str) -> HttpResponse:
    """One contract: state, parties, terms, meter, and what the reader can do about it."""
    actor = actor_of(request)
    return _page(request, actor, get_contract(actor, uid))


@require_POST
@login_required
@door
def sign(request: HttpRequest, uid: str) -> HttpResponse:
    """Sign the document whose digest the form carries: what is signed is what was shown."""
    actor = actor_of(request)
    shown = get_contract(actor, uid)
    form = SignForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, shown, form=form, status=422)
    digest = form.cleaned_data["digest"]
    return _do(
        request, actor, shown, lambda: sign_contract(actor=actor, contract=shown, digest=digest),
        _("Signed for your organization."),
    )  # fmt: skip


@require_POST
@login_required
@door
def suspend(request: HttpRequest, uid: str) -> HttpResponse:
    actor = actor_of(request)
    shown, reason = get_contract(actor, uid), request.POST.get("reason", "")
    return _do(
        request, actor, shown, lambda: suspend_contract(actor=actor, contract=shown, reason=reason),
        _("Suspended. Nothing is computed or downloaded under it until it is resumed."),
    )  # fmt: skip


@require_POST
@login_required
@door
def resume(request: HttpRequest, uid: str) -> HttpResponse:
    actor = actor_of(request)
    shown = get_contract(actor, uid)
    return _do(
        request, actor, shown, lambda: resume_contract(actor=actor, contract=shown), _("In force again.")
    )  # fmt: skip


@require_POST
@login_required
@door
def terminate(request: HttpRequest, uid: str) -> HttpResponse:
    actor = actor_of(request)
    shown, reason = get_contract(actor, uid), request.POST.get("reason", "")
    return _do(
        request, actor, shown, lambda: terminate_contract(actor=actor, contract=shown, reason=reason), _("Terminated.")
    )  # fmt: skip


def _do(
    request: HttpRequest, actor: Actor, shown: Contract, act: Callable[[], object], done: StrOrPromise
) -> HttpResponse:
    """Call the service and show the contract anew, or as it now is with the reason why not."""
    try:
        act()
    except Refused as refused:
        return _page(
            request, actor, get_contract(actor, shown.uid), refused=refused, status=status_of(refused)
        )
    messages.success(request, str(done))
    return redirect("portal:contract", shown.uid)


def _page(
    request: HttpRequest,
    actor: Actor,
    shown: Contract,
    *,
    form: SignForm | None = None,
    refused: Refused | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"page": ContractPage(actor, shown, form), "contract": shown, "refused": refused}
    return render(request, "portal/contract.html", context, status=status)
