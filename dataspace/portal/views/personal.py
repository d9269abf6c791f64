"""The personal fields of an entry: shown to those who may see them, opened in a file of their own, erased for ever."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from audit.erasure import check_not_own
from audit.models import Entry
from dataspace.portal.doors import actor_of, door, reason_against
from dataspace.portal.forms.audit import EraseForm
from dataspace.portal.personal_fields import personal_fields
from parties.actors import Actor
from parties.permissions import check_can_erase, readable_entries
from parties.services import erase_personal


def shown(entry: Entry, actor: Actor) -> dict[str, object]:
    """For the entry's page: its personal fields, and for whoever may erase the form that does it."""
    fields = personal_fields(entry, actor)
    kept = [field for field in fields if field.is_kept]
    refused = reason_against(check_can_erase, actor)
    form = EraseForm(kept=kept) if kept and not refused else None
    return {
        "personal": fields,
        "erase": form,
        "erase_refused": reason_against(check_not_own, entry.fields, actor),
    }


@require_POST
@login_required
@door
def erase(request: HttpRequest, seq: int) -> HttpResponse:
    """Erase personal fields of one entry."""
    actor = actor_of(request)
    entry = readable_entries(actor).filter(seq=seq).first()
    if entry is None:
        raise Http404
    erase_personal(
        actor=actor, event_ids=[entry.event_id], fields=request.POST.getlist("fields"),
        basis=request.POST.get("basis", ""),
    )  # fmt: skip
    messages.success(request, _("Erased. The log says so."))
    return redirect("portal:audit_entry", seq)
