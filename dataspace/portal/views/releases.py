"""What came out: download it, and for reviewers what the rules saw."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_safe

from audit.refusals import Refused
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.evidence_page import EvidencePage, PrivateEvidencePage, check_can_review, evidence_of
from dataspace.portal.forms.statistics import StatisticForm
from dataspace.portal.parts import Cell, Col, Crumb, Tab, Table
from dataspace.portal.questions import title_of_computation
from dataspace.portal.rules import outcome_words
from sandbox.formats import from_ipc
from sandbox.permissions import check_can_open
from sandbox.selectors import get_release
from sandbox.services.download import download as take
from sandbox.statistics import Worked, choices, work_out


@require_GET
@login_required
@never_cache
@door
def download(request: HttpRequest, uid: UUID, format_name: str) -> HttpResponse:
    """`format_name`: csv, xlsx, parquet or receipt. Each download is an entry of the log."""
    actor = actor_of(request)
    file = take(actor=actor, release=get_release(actor, uid), format_name=format_name)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
    return HttpResponse(file.body, content_type=file.content_type, headers=headers)


@require_safe
@login_required
@never_cache
@door
def evidence(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Contributors and reasons per cell. Read only; `?outcome=` narrows."""
    actor = actor_of(request)
    release = get_release(actor, uid)
    check_can_review(actor)
    outcome = request.GET.get("outcome", "")
    page = evidence_of(release, request.GET.get("page"), outcome)
    context = {
        "release": release,
        "page": page,
        "tabs": evidence_tabs(page, outcome),
        "trail": [
            Crumb(_("Computations"), address("portal:runs")),
            Crumb(title_of_computation(release.run.computation), address("portal:run", release.run.uid)),
        ],
    }
    return render(request, "portal/release_evidence.html", context)


def evidence_tabs(page: EvidencePage | PrivateEvidencePage, outcome: str) -> list[Tab]:
    tabs = [Tab(_("All"), "?", current=not outcome, count=sum(page.counts.values()))]
    return tabs + [
        Tab(outcome_words(name), f"?outcome={name}", current=outcome == name, count=count)
        for name, count in page.counts.items()
    ]


@require_safe
@login_required
@never_cache
@door
def statistics(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Quantiles, correlations and regressions from the released table alone. Nothing is charged or recorded."""
    actor = actor_of(request)
    release = get_release(actor, uid)
    check_can_open(actor, release)
    table = from_ipc(bytes(release.table))
    intervals = release.summary.get("intervals", {})
    hidden = [end for ends in intervals.values() for end in ends]
    form = StatisticForm(request.GET or None, choices=choices(table, release.dimensions, hidden))
    worked, refused = None, None
    if form.is_valid():
        try:
            worked = work_out(table, release.dimensions, intervals, form.wanted)
        except Refused as error:
            refused = error
    context = {
        "release": release,
        "form": form,
        "refused": refused,
        "table": worked and _worked_table(worked),
        "references": worked.references if worked else (),
        "trail": [
            Crumb(_("Computations"), address("portal:runs")),
            Crumb(title_of_computation(release.run.computation), address("portal:run", release.run.uid)),
        ],
    }
    return render(request, "portal/release_statistics.html", context)


def _worked_table(worked: Worked) -> Table:
    columns = [
        Col(_("Of")),
        Col(_("Value"), numeric=True),
        Col(_("Standard error of the noise"), numeric=True),
    ]
    rows = [
        [
            label,
            Cell("–" if value is None else f"{value:,.6g}"),
            Cell("–" if error is None else f"{error:,.3g}"),
        ]
        for label, value, error in worked.rows
    ]
    return Table(_("Worked out"), columns, rows)
