"""Reading the audit log: who may, which entries, and the names behind the ids for those who may."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Min, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from audit import export
from audit.export import Head
from audit.models import Entry, OutboxRow, Trouble
from audit.transparency import troubles
from catalog.models import Dataset, Version
from catalog.names import title_of
from dataspace.portal.doors import address
from parties.models import Organization, User
from parties.names import name_of
from sandbox.models import Release

PAGE = 50
COPIED = 200_000  # entries that are copied and falsified while the reader waits; no more
_SYSTEM: dict[str, StrOrPromise] = {
    "system:worker": gettext_lazy("the system: worker"),
    "system:sealer": gettext_lazy("the system: sealer"),
    "system:checkpointer": gettext_lazy("the system: checkpointer"),
    "system:watch": gettext_lazy("the system: watch over the sealer"),
    "system:reconciler": gettext_lazy("the system: daily comparison"),
    "system:console": gettext_lazy("the operator's console"),
    "anonymous": gettext_lazy("a visitor"),
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries that are committed and not yet chained; normally none for longer than a fraction of a second."""

    waiting: int
    oldest: datetime | None


def backlog() -> Backlog:
    oldest = OutboxRow.objects.aggregate(oldest=Min("written"))["oldest"]
    return Backlog(OutboxRow.objects.count(), oldest)


@dataclass(frozen=True, slots=True)
class Log:
    """Where the log stands at this moment."""

    head: Head
    newest: Entry | None
    backlog: Backlog
    troubles: list[tuple[str, datetime]]  # what keeps it from being signed or published, each with its since

    @classmethod
    def now(cls) -> Log:
        newest = Entry.objects.order_by("-seq").only("seq", "at").first()
        found = [(troubles.words(trouble), trouble.since) for trouble in Trouble.objects.all()]
        return cls(export.head(), newest, backlog(), found)

    @property
    def too_long(self) -> bool:
        return self.head.entries > COPIED

    @property
    def limit(self) -> int:
        return COPIED


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries of one page, newest first; `older` and `newer` are the numbers to go on from (None: none that way)."""

    entries: list[Entry]
    older: int | None
    newer: int | None


def page_of(rows: QuerySet[Entry], before: int | None, after: int | None) -> LogPage:
    """By number, not by count: a growing log does not shift the pages."""
    if after is not None:
        found = list(rows.filter(seq__gt=after).order_by("seq")[: PAGE + 1])
        entries = found[:PAGE][::-1]
        newer = entries[0].seq if len(found) > PAGE else None
        return LogPage(entries, entries[-1].seq if entries else None, newer)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    found = list(rows.order_by("-seq")[: PAGE + 1])
    entries = found[:PAGE]
    older = entries[-1].seq if len(found) > PAGE else None
    return LogPage(entries, older, entries[0].seq if entries and before is not None else None)


# --- Names behind ids -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Thing:
    """What an id in an entry stands for."""

    ref: str
    label: StrOrPromise
    url: str = ""


class Names:
    """The names behind the ids of some entries, by at most five queries. An id without a row stays an id.

    `within` is the organization of a reader who reads only what concerns it: of others' people it sees the ids.
    """

    def __init__(self, entries: Sequence[Entry], *, within: Organization | None = None) -> None:
        objects = [entry.obj.partition(":") for entry in entries]
        ids: dict[str, set[str]] = {}
        for kind, _colon, uid in objects:
            ids.setdefault(kind, set()).add(uid)
        accounts = {*(entry.actor for entry in entries), *ids.get("account", ())}
        organizations = {*(entry.org for entry in entries), *ids.get("organization", ())}
        people = User.objects.filter(uid__in=_uuids(accounts))
        if within is not None:
            people = people.filter(organization=within)
        self._accounts = {str(u.uid): u for u in people}
        self._organizations = {
            str(o.uid): o for o in Organization.objects.filter(uid__in=_uuids(organizations))
        }
        datasets = Dataset.objects.filter(uid__in=_uuids(ids.get("dataset", ())))
        self._datasets = {str(d.uid): d for d in datasets.only("uid", "name", "title", "title_en")}
        versions = Version.objects.filter(uid__in=_uuids(ids.get("version", ()))).values_list(
            "uid", "number", "dataset__name"
        )
        self._versions = {str(uid): (number, name) for uid, number, name in versions}
        releases = Release.objects.filter(uid__in=_uuids(ids.get("release", ()))).values_list(
            "uid", "run__uid"
        )
        self._releases = {str(uid): str(run) for uid, run in releases}

    def actor(self, uid: str) -> str:
        user = self._accounts.get(uid)
        return str(user) if user else str(_SYSTEM.get(uid, uid))

    def organization(self, uid: str) -> str:
        organization = self._organizations.get(uid)
        return name_of(organization) if organization else uid

    def thing(self, ref: str) -> Thing:
        kind, _colon, uid = ref.partition(":")
        name = getattr(self, f"_{kind}", None)
        return name(ref, uid) if name else Thing(ref, ref)

    def _entry(self, ref: str, seq: str) -> Thing:
        return Thing(ref, _("entry %(seq)s") % {"seq": seq}, address("portal:audit_entry", seq))

    def _account(self, ref: str, uid: str) -> Thing:
        return Thing(ref, self.actor(uid))

    def _organization(self, ref: str, uid: str) -> Thing:
        return Thing(ref, self.organization(uid))

    def _dataset(self, ref: str, uid: str) -> Thing:
        dataset = self._datasets.get(uid)
        return (
            Thing(ref, title_of(dataset), address("portal:dataset", dataset.name))
            if dataset
            else Thing(ref, ref)
        )

    def _version(self, ref: str, uid: str) -> Thing:
        if uid not in self._versions:
            return Thing(ref, ref)
        number, name = self._versions[uid]
        return Thing(ref, f"{name} v{number}", address("portal:dataset", name))

    def _log_key(self, ref: str, uid: str) -> Thing:
        return Thing(ref, _("key %(short)s of the log") % {"short": uid})

    def _request(self, ref: str, uid: str) -> Thing:
        return Thing(ref, _("request %(short)s") % {"short": uid[:8]}, address("portal:request", uid))

    def _contract(self, ref: str, uid: str) -> Thing:
        return Thing(ref, _("contract %(short)s") % {"short": uid[:8]}, address("portal:contract", uid))

    def _run(self, ref: str, uid: str) -> Thing:
        return Thing(ref, _("computation %(short)s") % {"short": uid[:8]}, address("portal:run", uid))

    def _release(self, ref: str, uid: str) -> Thing:
        run = self._releases.get(uid)
        return Thing(
            ref, _("result %(short)s") % {"short": uid[:8]}, address("portal:run", run) if run else ""
        )


def _uuids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue  # such as system:worker
    return found


# --- One entry --------------------------------------------------------------------------------------------
def shell_check(entry: Entry) -> str:
    """A command that prints the entry's hash on any machine: nothing of ours takes part."""
    return f"printf '\\0%s' {shlex.quote(bytes(entry.body).decode())} | sha256sum"


def payload(entry: Entry) -> list[tuple[str, Any]]:
    """What the entry says besides who, what and when."""
    return sorted(entry.fields.get("x", {}).items())
