"""What auditors do with the whole log: verify it, take a copy, falsify one to see it found."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from audit.models import Entry
from audit.reconciliation import Busy, reconcile
from audit.verifier.result import Finding
from dataspace.exports import take
from dataspace.portal.doors import actor_of, address, door
from dataspace.portal.forms.audit import FORGERIES, TamperForm, VerifyForm
from dataspace.portal.log_reading import Log
from dataspace.portal.parts import Crumb
from dataspace.portal.tamper_trial import trial
from dataspace.portal.tampering import Forged, Forgery
from dataspace.portal.verifying import Expired, Verification
from parties.names import reads_english
from parties.permissions import check_reads_whole_log


@require_POST
@login_required
@door
def verify_now(request: HttpRequest) -> HttpResponse:
    """One step of reading the whole log through the verifier. Changes nothing."""
    check_reads_whole_log(actor_of(request))
    context: dict[str, object] = {"log": Log.now(), "verify": VerifyForm(request.POST)}
    try:
        verification = _verification(request)
    except Expired:
        context["expired"] = True
    else:
        if verification is not None:
            verification.step()
            context["verification"] = verification
            if verification.done and verification.report.finding is not None:
                context["words"] = words(verification.report.finding)
    template = "portal/audit_report.html" if request.htmx else "portal/audit_verify.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _verification(request: HttpRequest) -> Verification | None:
    """The one under way, or a new one; None where the form holds no hash. Raises Expired."""
    if "state" in request.POST:
        return Verification.resume(request.POST["state"])
    form = VerifyForm(request.POST)
    if not form.is_valid():
        return None
    head = form.cleaned_data["head"]
    return Verification.begin([head] if head else [])


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
    """The log in one of the forms of `exports.open_to`, for `python -m audit.verifier`."""
    form, pieces = take(actor_of(request), request.POST.get("form", ""))
    return StreamingHttpResponse(
        pieces,
        content_type=form.content_type,
        headers={"Content-Disposition": f'attachment; filename="{form.name}"', "Cache-Control": "no-store"},
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@door
def tamper(request: HttpRequest) -> HttpResponse:
    """Falsify a copy and see which line of defence finds it, and where. The log itself is not touched."""
    check_reads_whole_log(actor_of(request))
    log = Log.now()
    form = TamperForm(request.POST or None, entries=max(log.head.entries, 1))
    trail = [Crumb(_("Audit log"), address("portal:audit"))]
    context: dict[str, object] = {"log": log, "form": form, "trail": trail}
    if request.method == "POST" and form.is_valid() and log.head.entries and not log.too_long:
        forged = Forged(Forgery(form.cleaned_data["forgery"]), form.cleaned_data["seq"])
        defences = trial(lambda: _stored(log.head.entries), forged)
        context |= {
            "forged": forged,
            "what": FORGERIES[forged.forgery],
            "before": forged.before.decode(),
            "after": (forged.after or b"").decode(),
            "defences": [(one.label, one.finding, words(one.finding)) for one in defences],
        }
    return render(request, "portal/audit_tamper.html", context)


def words(finding: Finding | None) -> str:
    """What the verifier found, in the reader's language; "" where it found nothing."""
    if finding is None:
        return ""
    return finding.en if reads_english() else finding.zh


def _stored(entries: int) -> Iterator[bytes]:
    """The first so many entries as they are stored."""
    rows = Entry.objects.filter(seq__lt=entries).order_by("seq").values_list("body", flat=True)
    return (bytes(body) for body in rows.iterator(chunk_size=2000))
