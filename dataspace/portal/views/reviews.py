"""Results that wait for two reviewers: see what would leave, approve or refuse."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from audit.refusals import Refused
from dataspace.portal.doors import actor_of, door, status_of
from dataspace.portal.evidence_page import check_can_review
from dataspace.portal.forms.scripts import ReviewForm
from dataspace.portal.review_page import RunReviewPage
from dataspace.portal.views.releases import evidence_tabs
from parties.actors import Actor
from sandbox.models import Run
from sandbox.selectors import get_run
from sandbox.services.reviews import review_run
from sandbox.states import RunState


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@door
def review(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET shows the result while it waits; POST gives the reader's review."""
    actor = actor_of(request)
    run = get_run(actor, uid)
    check_can_review(actor)
    if run.state != RunState.IN_REVIEW:
        if request.method == "POST":
            messages.error(request, _("This result does not wait for a review."))
        return redirect("portal:run", run.uid)
    if request.method != "POST":
        return _page(request, actor, run)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, run, form, status=422)
    try:
        review_run(actor=actor, run=run, **form.cleaned_data)
    except Refused as refused:
        return _page(request, actor, run, form, refused, status=status_of(refused))
    messages.success(request, _("Your review is on record."))
    return redirect("portal:run", run.uid)


def _page(
    request: HttpRequest,
    actor: Actor,
    run: Run,
    form: ReviewForm | None = None,
    refused: Refused | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    outcome = request.GET.get("outcome", "")
    page = RunReviewPage(actor, run, form, page=request.GET.get("page"), outcome=outcome)
    context = {"page": page, "run": run, "refused": refused, "tabs": evidence_tabs(page.evidence, outcome)}
    return render(request, "portal/run_review.html", context, status=status)
