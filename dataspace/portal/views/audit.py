"""The auditors' pages: the log's head and backlog, its entries, verifying, exporting, and falsifying a copy.

The auditor of one organization sees the entries that concern it; what takes the whole log is for those who read it all.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from audit import chain
from audit.models import Entry
from audit.transparency import proofs
from dataspace.exports import open_to
from dataspace.portal.chain_strip import strip
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.entry_proof import proof_of
from dataspace.portal.forms.audit import LogFilter, VerifyForm
from dataspace.portal.log_reading import (
    Log,
    Names,
    Thing,
    page_of,
    payload,
    shell_check,
)
from dataspace.portal.parts import Crumb, Fact
from dataspace.portal.reconciled import last_reconciliation
from dataspace.portal.views import personal
from parties.actors import Actor
from parties.models import Organization
from parties.permissions import readable_entries, reads_whole_log


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the list, with names."""

    entry: Entry
    who: str
    organization: str
    thing: Thing


@require_safe
@login_required
@door
def audit(request: HttpRequest) -> HttpResponse:
    """The newest entries, or those the filters name."""
    actor = actor_of(request)
    readable, within = readable_entries(actor), _within(actor)
    form = LogFilter(request.GET, within=within)
    page = page_of(form.narrowed(readable), _number(request, "before"), _number(request, "after"))
    names = Names(page.entries, within=within)
    log = Log.now()
    context = {
        "log": log,
        "strip": strip(log.head.entries),
        "whole": within is None,
        "exports": open_to(actor),
        "reconciled": last_reconciliation() if within is None else None,
        "filter": form,
        "narrowed": any(request.GET.get(name) for name in form.fields),
        "page": page,
        "lines": [
            Line(e, names.actor(e.actor), names.organization(e.org) if e.org else "", names.thing(e.obj))
            for e in page.entries
        ],
        "verify": VerifyForm(),
    }
    return render(request, "portal/audit.html", context)


@require_safe
@login_required
@door
def entry(request: HttpRequest, seq: int) -> HttpResponse:
    """One entry: its fields, its bytes, its hashes, and how to check them by hand."""
    actor = actor_of(request)
    around = {e.seq: e for e in readable_entries(actor).filter(seq__in=(seq - 1, seq, seq + 1))}
    shown = around.get(seq)
    if shown is None:
        raise Http404
    names = Names([shown], within=_within(actor))
    after = Entry.objects.filter(seq=seq + 1).only("prev").first()  # of it only what it says of this one
    thing = names.thing(shown.obj)
    facts = [
        Fact(_("Event"), shown.text, help=shown.act),
        Fact(
            _("Time"), timezone.localtime(shown.at).isoformat(sep=" ", timespec="microseconds"), kind="mono"
        ),
        Fact(_("Account"), names.actor(shown.actor), help=shown.actor),
        Fact(_("Organization"), names.organization(shown.org) or "–", help=shown.org),
        Fact(_("Object"), thing.label, url=thing.url, help=shown.obj),
        Fact(_("Outcome"), shown.fields["out"], kind="mono"),
        *(Fact(name, str(value), kind="mono") for name, value in payload(shown)),
    ]
    context = {
        "entry": shown,
        "trail": [Crumb(_("Audit log"), address("portal:audit"))],
        "facts": facts,
        **personal.shown(shown, actor),
        "body": bytes(shown.body).decode(),
        "prev": bytes(shown.prev).hex(),
        "computed": chain.leaf(bytes(shown.body)).hex(),
        "next_prev": bytes(after.prev).hex() if after else "",
        "command": shell_check(shown),
        "earlier": around.get(seq - 1),
        "later": around.get(seq + 1),
        "same_object": f"{address('portal:audit')}?object={shown.obj}",
        "proof": proof_of(shown),
    }
    return render(request, "portal/audit_entry.html", context)


@require_safe
@login_required
@door
def proof(request: HttpRequest, seq: int) -> HttpResponse:
    """The entry's proof as a file, c2sp.org/tlog-proof@v1."""
    if not readable_entries(actor_of(request)).filter(seq=seq).exists():
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{seq}.tlog-proof"', "Cache-Control": "no-store"}
    return HttpResponse(
        proofs.View().tlog_proof(seq), content_type="text/plain; charset=utf-8", headers=headers
    )


def _within(actor: Actor) -> Organization | None:
    """The organization whose entries are all the reader may read; None for whoever reads the whole log."""
    return None if reads_whole_log(actor) else actor.organization


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
