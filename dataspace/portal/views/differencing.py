"""A differencing attack on an invented register: how it succeeds without rules, and how it fails in each lane."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dataspace.portal.differencing_page import DifferencingPage
from dataspace.portal.doors import door
from dataspace.portal.forms.differencing import AttackForm


@require_safe
@login_required
@never_cache
@door
def differencing(request: HttpRequest) -> HttpResponse:
    """`?attack=` and `?target=` choose. For every account; no row of the database is read but the reader's own."""
    form = AttackForm(request.GET)
    page = DifferencingPage(form.chosen_attack, form.chosen_target)
    return render(request, "portal/differencing.html", {"form": form, "page": page})
