"""Erase personal fields: value and salt go, the commitment stays, and an entry says what was erased and why.

Chain, tree and signatures stay as they are. Who may is asked by the caller (parties/services.py); that nobody erases
what the log says of themselves is asked here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit import reading
from audit.events import PERSONAL_TEXT, Event
from audit.models import Entry, OutboxRow, Personal
from audit.recorder import Who, record
from audit.refusals import Refused

IDS_PER_ENTRY = 500


class Basis(models.TextChoices):
    """On which ground (PIPL art. 47; the words of a closed list, since the log holds codes only)."""

    CONSENT_WITHDRAWN = "consent_withdrawn", _("consent was withdrawn")
    PURPOSE_FULFILLED = "purpose_fulfilled", _("the purpose is fulfilled, or no longer needs them")
    RETENTION_OVER = "retention_over", _("the time of retention is over")
    AUTHORITY_ORDER = "authority_order", _("an authority or a law demands it")


def erase(
    *, actor: Who, event_ids: Iterable[UUID] = (), account: str = "", fields: Collection[str], basis: str
) -> int:
    """Erase `fields` of the entries named by id, and of those by or about an account; sealed or not.

    Runs in the caller's transaction. Returns how many values were erased. Raises Refused: erasure.basis,
    erasure.fields, erasure.nothing (none of them is there), erasure.own.
    """
    if basis not in Basis.values:
        raise Refused("erasure.basis", _("Choose one of the grounds offered."))
    if not fields or not set(fields) <= PERSONAL_TEXT.keys():
        raise Refused("erasure.fields", _("Choose at least one personal field."))
    wanted = {*event_ids, *(_ids_of_account(account) if account else ())}
    found = Personal.objects.filter(event_id__in=wanted, field__in=fields).select_for_update()
    erased = sorted(found.values_list("event_id", "field"))
    if not erased:
        raise Refused("erasure.nothing", _("None of these fields is there any longer."))
    ids = sorted({event_id for event_id, _field in erased})
    names = sorted({field for _id, field in erased})
    for chunk in (ids[at : at + IDS_PER_ENTRY] for at in range(0, len(ids), IDS_PER_ENTRY)):
        parties = _checked_parties(chunk, actor)
        record(
            Event.ERASED, actor=actor, about="log:0", concerns=parties, ids=[str(one) for one in chunk],
            fields=names, basis=str(basis),
        )  # fmt: skip
        Personal.objects.filter(event_id__in=chunk, field__in=names).delete()
    return len(erased)


def check_not_own(fields: Mapping[str, Any], actor: Who) -> None:
    """Raises Refused erasure.own for an entry by or about the actor."""
    if _is_of(actor.uid, fields):
        raise own()


def own() -> Refused:
    return Refused("erasure.own", _("Nobody erases what the log says of themselves. Ask a colleague."))


@dataclass(frozen=True, slots=True)
class Erasure:
    """What one entry says was erased."""

    fields: frozenset[str]
    basis: str
    at: datetime

    @property
    def ground(self) -> StrOrPromise:
        return Basis(self.basis).label


def erasures_of(event_id: UUID) -> list[Erasure]:
    """The erasures that name this event, newest first, sealed or waiting."""
    return [
        Erasure(frozenset(said["x"]["fields"]), said["x"]["basis"], Entry.moment(said))
        for said in reading.of_kind(Event.ERASED, naming=str(event_id))
    ]


def _checked_parties(ids: Collection[UUID], actor: Who) -> set[str]:
    """The organizations these entries concern. Raises Refused erasure.own."""
    parties: set[str] = set()
    for fields in reading.entries(ids):
        check_not_own(fields, actor)
        parties.update(Entry.parties_of(fields))
    return parties


def _ids_of_account(uid: str) -> set[UUID]:
    """Events with personal fields by or about the account."""
    sealed = Entry.objects.filter(Q(actor=uid) | Q(obj=f"account:{uid}"))
    ids = set(
        Personal.objects.filter(event_id__in=sealed.values("event_id")).values_list("event_id", flat=True)
    )
    waiting = OutboxRow.objects.filter(event_id__in=Personal.objects.values("event_id"))
    for event_id, body in waiting.values_list("event_id", "body"):
        if _is_of(uid, reading.said(body)):
            ids.add(event_id)
    return ids


def _is_of(uid: str, fields: Mapping[str, Any]) -> bool:
    return uid in (fields.get("actor"), str(fields.get("obj")).removeprefix("account:"))
