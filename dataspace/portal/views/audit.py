"""The auditors' pages: the log's head and backlog, its entries, verifying, exporting, and falsifying a copy.

The auditor of one organization sees the entries that concern it; what takes the whole log is for those who read it all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit import chain, export
from audit.export import Head
from audit.models import Entry
from audit.reconciliation import Busy, reconcile
from audit.services import record_export
from audit.verifier.check import Report, verify
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.forms.audit import FORGERIES, LogFilter, TamperForm, VerifyForm
from dataspace.portal.log_reading import (
    Backlog,
    Names,
    Thing,
    backlog,
    page_of,
    payload,
    shell_check,
)
from dataspace.portal.parts import Crumb, Fact
from dataspace.portal.reconciled import last_reconciliation
from dataspace.portal.tampering import Forged, Forgery
from dataspace.portal.views import personal
from parties.actors import Actor
from parties.models import Organization
from parties.names import reads_english
from parties.permissions import (
    can_open,
    check_reads_whole_log,
    readable_entries,
    reads_whole_log,
)

IN_REQUEST = 200_000  # entries that are read through while the reader waits; more are verified from an export


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the list, with names."""

    entry: Entry
    who: str
    organization: str
    thing: Thing


@dataclass(frozen=True, slots=True)
class Log:
    """Where the log stands at this moment."""

    head: Head
    newest: Entry | None
    backlog: Backlog

    @classmethod
    def now(cls) -> Log:
        newest = Entry.objects.order_by("-seq").only("seq", "at").first()
        return cls(export.head(), newest, backlog())

    @property
    def too_long(self) -> bool:
        return self.head.entries > IN_REQUEST

    @property
    def limit(self) -> int:
        return IN_REQUEST


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
    context = {
        "log": Log.now(),
        "whole": within is None,
        "opens": can_open(actor),
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
    }
    return render(request, "portal/audit_entry.html", context)


@require_POST
@login_required
@door
def verify_now(request: HttpRequest) -> HttpResponse:
    """Read the whole log through the verifier, as from an export. Changes nothing."""
    check_reads_whole_log(actor_of(request))
    form = VerifyForm(request.POST)
    log = Log.now()
    context: dict[str, object] = {"log": log}
    if form.is_valid() and not log.too_long:
        heads = [form.cleaned_data["head"]] if form.cleaned_data["head"] else []
        with _copy() as lines:
            context |= _shown(verify(lines, expected_heads=heads)) | {"noted": bool(heads)}
    template = "portal/audit_report.html" if request.htmx else "portal/audit_verify.html"  # type: ignore[attr-defined]
    return render(request, template, {**context, "verify": form})


@require_POST
@login_required
@door
def reconcile_now(request: HttpRequest) -> HttpResponse:
    """Compare business rows and log, and record what came out."""
    actor = actor_of(request)
    check_reads_whole_log(actor)
    if Log.now().too_long:
        messages.warning(request, _("The log is too long to be compared while you wait."))
        return redirect("portal:audit")
    try:
        outcome = reconcile(actor=actor)
    except Busy:
        messages.warning(request, _("A comparison is under way. Look again in a moment."))
    else:
        if outcome.ok:
            messages.success(request, _("Compared: nothing is missing."))
        else:
            messages.error(request, _("Compared: something does not fit. See below."))
    return redirect("portal:audit")


@require_POST
@login_required
@door  # type: ignore[arg-type]  # a response that streams is no HttpResponse to the type checker
def export_log(request: HttpRequest) -> StreamingHttpResponse:
    """The log as a file for `python -m audit.verifier`. Who took it and how far it went is an entry of its own."""
    actor = actor_of(request)
    check_reads_whole_log(actor)
    head = record_export(actor=actor)
    name = f"audit-log-{head.entries}.jsonl"
    return StreamingHttpResponse(
        export.lines(),
        content_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@door
def tamper(request: HttpRequest) -> HttpResponse:
    """Falsify a copy in memory and see whether and where the verifier finds it. The log itself is not touched."""
    check_reads_whole_log(actor_of(request))
    log = Log.now()
    form = TamperForm(request.POST or None, entries=max(log.head.entries, 1))
    trail = [Crumb(_("Audit log"), address("portal:audit"))]
    context = {"log": log, "form": form, "trail": trail}
    if request.method == "POST" and form.is_valid() and not log.too_long:
        forged = Forged(Forgery(form.cleaned_data["forgery"]), form.cleaned_data["seq"])
        context |= _tried(forged, log.head)
    return render(request, "portal/audit_tamper.html", context)


def _tried(forged: Forged, noted: Head) -> dict[str, object]:
    """What the verifier says of the falsified copy; where the copy is consistent, also with the head noted before."""
    with _copy() as lines:
        report = verify(forged.lines(lines))
    found = {**_shown(report), "forged": forged, "what": FORGERIES[forged.forgery]}
    found |= {"before": forged.before.decode(), "after": (forged.after or b"").decode()}
    if report.ok:
        with _copy() as lines:
            found["with_head"] = _words(verify(forged.lines(lines), expected_heads=[noted.leaf]))
    return found


@contextmanager
def _copy() -> Iterator[Iterator[bytes]]:
    """The lines of an export, read to their end whatever the reader does: half read, it would hold its transaction."""
    lines = export.lines()
    try:
        yield lines
    finally:
        for _line in lines:
            pass


def _shown(report: Report) -> dict[str, object]:
    return {"report": report, "finding": _words(report)}


def _words(report: Report) -> str:
    """What the verifier found, in the reader's language; "" where all is well."""
    if report.finding is None:
        return ""
    return report.finding.en if reads_english() else report.finding.zh


def _within(actor: Actor) -> Organization | None:
    """The organization whose entries are all the reader may read; None for whoever reads the whole log."""
    return None if reads_whole_log(actor) else actor.organization


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
