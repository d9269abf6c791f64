"""The receipt as it is handed out: with proof that the log names it, and is still the log it was made under.

The format: docs/audit-log.md. `python -m audit.verifier FILE` checks it without us.
"""

from __future__ import annotations

import base64
import json

import rfc8785
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.models import Entry
from audit.refusals import Refused
from audit.transparency import proofs
from sandbox.models import Release


def check_can_prove(release: Release) -> Entry:
    """The log's entry of the release, once a checkpoint covers it. Raises Refused: release.receipt_pending."""
    entry = Entry.objects.filter(obj=release.run.audit_ref, act=Event.RUN_RELEASED).first()
    checkpoint = proofs.newest()
    if entry is None or checkpoint is None or entry.seq >= checkpoint.size:
        raise Refused(
            "release.receipt_pending",
            _(
                "The next checkpoint of the log will cover this release; its receipt is there in a few seconds."
            ),
        )
    return entry


def receipt_proof(release: Release) -> bytes:
    """Canonical JSON of type `dataspace.receipt-proof`. Raises Refused: release.receipt_pending, log.damaged."""
    entry = check_can_prove(release)
    view = proofs.View()
    first = json.loads(bytes(release.receipt)).get("checkpoint", {}).get("size", 0)
    consistency = view.consistency(first).proof
    return rfc8785.dumps(
        {
            "type": "dataspace.receipt-proof",
            "version": 1,
            "receipt": bytes(release.receipt).decode(),
            "entry": bytes(entry.body).decode(),
            "proof": view.tlog_proof(entry.seq).decode(),
            "consistency": [base64.b64encode(one).decode() for one in consistency],
            "key_changes": [one.decode() for one in view.handovers()],
        }
    )
