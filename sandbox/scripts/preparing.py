"""An approved script's way to its prepared records: claim → (the jail, then `fitting`) → done | failed | given back.

As for runs, each step is a short transaction that checks the claim, so that a worker presumed dead cannot write over
another's result. The lease is longer than the jail lets a script run; the sweep takes up what a dead worker left.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.transitions import move
from catalog.ingest.digest import Digests
from contracts.decisions import Action, is_permitted
from contracts.models import Contract
from parties.actors import SYSTEM
from sandbox import queue
from sandbox.models import Script
from sandbox.scripts.facts import facts_of_script
from sandbox.scripts.states import ScriptState
from sandbox.states import Failure

MAX_ATTEMPTS = 3
SPARE = timedelta(
    seconds=600
)  # for reading the extract before the jail, and for writing the records after it


def claim(script_uid: str) -> Script | None:
    """Take an approved script that nobody works on. None if there is none, or it ended here."""
    now = timezone.now()
    with transaction.atomic():
        script = (
            Script.objects.select_for_update(of=["self"], skip_locked=True)
            .filter(Q(lease=None) | Q(lease__lt=now), uid=script_uid, state=ScriptState.APPROVED)
            .select_related("contract__enterprise", "contract__request")
            .first()
        )
        if script is None:
            return None
        if not _permitted(script.contract):
            _fail(script, Failure.CONTRACT_HALTED)
            return None
        if script.attempts >= MAX_ATTEMPTS:
            _fail(script, Failure.NOT_RELEASABLE, str(Failure.INTERRUPTED))
            return None
        script.claim, script.attempts = uuid.uuid4(), script.attempts + 1
        script.lease = now + timedelta(seconds=settings.SCRIPT_LIMITS.wall_seconds) + SPARE
        script.save(update_fields=["claim", "attempts", "lease"])
        return script


def keep(script: Script) -> Failure | None:
    """Why the work must stop, or None to go on: asked about once a second (P8)."""
    if not Script.objects.filter(pk=script.pk, claim=script.claim, state=ScriptState.APPROVED).exists():
        return Failure.INTERRUPTED
    return None if _permitted(_contract(script)) else Failure.CONTRACT_HALTED


def done(script: Script, digests: Digests) -> None:
    """The records stand in the folder of extracts under their digest.

    Their number stays the version's: that of the records made is the script's to choose, and nobody has reviewed it.
    """
    with transaction.atomic():
        row = _still_ours(script)
        if row is None:
            return
        made = replace(row.extract, sha256=digests.sha256, sm3=digests.sm3, script=row.digest)
        move(
            row, ScriptState.READY, actor=SYSTEM,
            set_fields={"prepared": made.to_json(), "claim": None, "lease": None}, source=row.digest,
            read=f"sha256:{row.extract.sha256}", sha256=made.sha256, sm3=made.sm3,
        )  # fmt: skip


def failed(script: Script, failure: Failure, *, cause: str = "") -> None:
    with transaction.atomic():
        row = _still_ours(script)
        if row is not None:
            _fail(row, failure, cause)


def give_back(script: Script) -> None:
    """The jail was lost: it is taken up again, at most MAX_ATTEMPTS times, as a script can end so on purpose."""
    with transaction.atomic():
        row = _still_ours(script)
        if row is not None:
            row.claim = row.lease = None
            row.save(update_fields=["claim", "lease"])
            queue.prepare(row.uid)


def sweep() -> int:
    """Nudge what nobody works on."""
    now = timezone.now()
    left = Script.objects.filter(
        Q(lease=None, state_since__lt=now - timedelta(seconds=5)) | Q(lease__lt=now),
        state=ScriptState.APPROVED,
    )
    uids = list(left.values_list("uid", flat=True)[:50])
    for uid in uids:
        with transaction.atomic():
            queue.prepare(uid)
    return len(uids)


def _fail(script: Script, failure: Failure, cause: str = "") -> None:
    fields = {"failure": failure, "cause": cause[:60], "claim": None, "lease": None}
    move(script, ScriptState.FAILED, actor=SYSTEM, set_fields=fields, code=str(failure))


def _still_ours(script: Script) -> Script | None:
    return Script.objects.select_for_update().filter(
        pk=script.pk, claim=script.claim, state=ScriptState.APPROVED
    ).first()  # fmt: skip


def _permitted(contract: Contract) -> bool:
    return is_permitted(contract, facts_of_script(Action.START, contract))


def _contract(script: Script) -> Contract:
    return Contract.objects.select_related("enterprise", "request").get(pk=script.contract_id)
