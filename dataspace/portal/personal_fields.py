"""The personal fields of one entry as a reader may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from audit import commitments, erasure
from audit.erasure import Erasure
from audit.events import PERSONAL_TEXT
from audit.models import Entry, Personal
from parties.actors import Actor
from parties.permissions import can_open

State = Literal["opened", "withheld", "erased", "missing", "wrong"]

_WORDS: dict[State, StrOrPromise] = {
    "opened": _("fits its commitment"),
    "withheld": _("kept; not for you to see"),
    "erased": _("erased"),
    "missing": _("gone, and no entry says that it was erased"),
    "wrong": _("not what was committed to"),
}


@dataclass(frozen=True, slots=True)
class PersonalField:
    """`value` is "" unless the reader may see it; `erased` says when and why."""

    name: str
    label: StrOrPromise
    state: State
    value: str = ""
    erased: Erasure | None = None

    @property
    def words(self) -> StrOrPromise:
        return _WORDS[self.state]

    @property
    def tone(self) -> str:
        return {"opened": "good", "missing": "bad", "wrong": "bad"}.get(self.state, "")

    @property
    def is_kept(self) -> bool:
        return self.state in {"opened", "withheld", "wrong"}


def personal_fields(entry: Entry, actor: Actor) -> list[PersonalField]:
    """In order of their names."""
    committed: dict[str, str] = entry.fields.get("pc", {})
    if not committed:
        return []
    kept = {row.field: row for row in Personal.objects.filter(event_id=entry.event_id)}
    gone = committed.keys() - kept.keys()
    erasures = erasure.erasures_of(entry.event_id) if gone else []
    return [
        _field(name, commitment, kept.get(name), erasures, opened=can_open(actor))
        for name, commitment in sorted(committed.items())
    ]


def _field(
    name: str, commitment: str, row: Personal | None, erasures: list[Erasure], *, opened: bool
) -> PersonalField:
    label = PERSONAL_TEXT.get(name, name)
    if row is None:
        said = next((one for one in erasures if name in one.fields), None)
        return PersonalField(name, label, "erased" if said else "missing", erased=said)
    if not opened:
        return PersonalField(name, label, "withheld")
    fits = commitments.opens(commitment, bytes(row.salt), name, row.value)
    return PersonalField(name, label, "opened" if fits else "wrong", value=row.value)
