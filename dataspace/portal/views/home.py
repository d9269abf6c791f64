"""The front page: what this is, or, to somebody logged in, what waits for them and how things stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_stubs_ext import StrOrPromise

from catalog.permissions import is_steward
from contracts.models import Contract
from contracts.selectors import visible_contracts, visible_requests
from contracts.states import ContractState, RequestState
from dataspace.portal.charts import chart_for
from dataspace.portal.contract_page import days_left, runs_left
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.figures import public_figures, sizes_chart
from dataspace.portal.parts import Action
from dataspace.portal.questions import title_of_computation
from dataspace.portal.request_page import RequestRow, request_row
from dataspace.portal.run_page import RunPage
from dataspace.portal.waiting import waiting_for
from parties.actors import Actor
from parties.names import name_of
from parties.roles import OrganizationKind, Role
from sandbox.models import Release
from sandbox.selectors import visible_releases

SHOWN = 5


@dataclass(frozen=True, slots=True)
class InForce:
    """A contract of the reader's organization and what is left of it."""

    contract: Contract
    url: str
    runs_left: int
    runs_most: int
    days_left: int


@dataclass(frozen=True, slots=True)
class Result:
    release: Release
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Latest:
    result: Result
    chart: dict[str, Any]


@require_safe
@door
def home(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    if actor.user is None:
        return render(request, "portal/home.html", {"figures": public_figures(), "chart": sizes_chart()})
    results = _results(actor)
    context = {
        "organization": name_of(actor.organization) if actor.organization else "",
        "queue": waiting_for(actor),
        "in_force": _in_force(actor),
        "under_way": _under_way(actor),
        "results": results,
        "latest": _latest(actor, results),
        "next": _next_steps(actor),
        "figures": public_figures(),
    }
    return render(request, "portal/home.html", context)


def _in_force(actor: Actor) -> list[InForce]:
    """Contracts the reader's organization is a party to, the one that ends first on top."""
    own = visible_contracts(actor).filter(
        state=ContractState.ACTIVE, signatures__organization=actor.organization
    )
    return [
        InForce(c, address("portal:contract", c.uid), runs_left(c), c.terms.max_runs, days_left(c))
        for c in own.distinct().order_by("valid_until")[:SHOWN]
    ]


def _under_way(actor: Actor) -> list[RequestRow]:
    """The reader's own organization's requests that others hold."""
    own = visible_requests(actor).filter(organization=actor.organization, state=RequestState.FILED)
    return [request_row(asked) for asked in own[:SHOWN]]


def _results(actor: Actor) -> list[Result]:
    found = visible_releases(actor).defer("table", "receipt", "evidence").order_by("-released")[:SHOWN]
    return [
        Result(r, title_of_computation(r.run.computation), address("portal:run", r.run.uid)) for r in found
    ]


def _latest(actor: Actor, results: list[Result]) -> Latest | None:
    """The newest result that its contract still opens to the reader and that makes a chart; of its first measure."""
    for result in results:
        page = RunPage(actor, result.release.run).release
        if page is None:
            continue
        columns = page.release.dimensions + 1
        chart = chart_for(page.columns[:columns], [row[:columns] for row in page.rows], narrow=True)
        if chart is not None:
            return Latest(result, chart)
    return None


def _next_steps(actor: Actor) -> list[tuple[Action, StrOrPromise]]:
    """What each role can begin from here, with a line of why."""
    steps: list[tuple[bool, str, StrOrPromise, str, StrOrPromise]] = [
        (
            actor.kind == OrganizationKind.ENTERPRISE, "portal:catalog", _("Find data"), "search",
            _("Choose datasets and columns, say what for; the providers and the bureau decide."),
        ),
        (
            actor.kind == OrganizationKind.ENTERPRISE, "portal:runs", _("Computations"), "calculator",
            _("Ask under a contract in force; what comes out is protected before it leaves."),
        ),
        (
            is_steward(actor), "admin:catalog_dataset_changelist", _("Publish data"), "upload",
            _("Describe a dataset, hand in a file, look at what does not fit, publish."),
        ),
        (
            actor.holds(Role.APPROVER), "portal:requests", _("Requests"), "inbox",
            _("Grant or decline your part, with a reason and stricter limits where you want them."),
        ),
        (
            actor.holds(Role.SIGNATORY), "portal:contracts", _("Contracts"), "signature",
            _("Read the terms in words, sign the document, suspend or terminate."),
        ),
        (
            actor.holds(Role.AUDITOR), "portal:audit", _("Audit log"), "shield-check",
            _("Look for an entry, export the log, verify it on another machine."),
        ),
        (
            actor.holds(Role.ADMINISTRATOR), "admin:index", _("Back office"), "user",
            _("Organizations, accounts, roles and signing keys."),
        ),
    ]  # fmt: skip
    return [
        (Action(label, url, icon=icon), why)
        for wanted, name, label, icon, why in steps
        if wanted and (url := address(name))
    ]
