"""`Recorded`: a row that carries the id of the entry which made or last changed it: neither can go missing alone.

The row says which entries may stand for it and in which state; `audit.recorder` writes the entry under the row's id
and `audit.reconciliation` compares the two. Ids are unique in the log: two changes under one id fail.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Expression, Value

from audit.events import Event

# State -> the events that lead to it, or may have happened in it since; "" where there are no states.
Events = Mapping[str, frozenset[Event]]


class Recorded(models.Model):
    """A row whose making and changes are entries. Subclasses set KIND and EVENTS.

    ABOUT is the kind and the path to the uid of what the row's entries are about: the row itself, unless it is a part
    of something else (the signature of a contract). STATE is what EVENTS goes by: a field's name or an expression. BY
    is the path to the organization that must have made a part what it is, once its state is not "".
    Facts that leave the row as it is have ids of their own.
    """

    KIND: ClassVar[str]
    EVENTS: ClassVar[Events]
    ABOUT: ClassVar[tuple[str, str] | None] = None
    STATE: ClassVar[str | Expression] = Value("")
    BY: ClassVar[str] = ""

    # The id of the latest entry that made or changed the row. It is there before the row is: creation costs nothing.
    event_id = models.UUIDField(default=uuid.uuid4, editable=False)

    # Whether no entry has this id yet. A row that was read has the id of the entry that it was read with.
    event_is_new = True

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> Self:
        row = super().from_db(db, field_names, values, **options)
        row.event_is_new = False
        return row

    @property
    def audit_ref(self) -> str:
        """`kind:uid` of what the row's entries are about."""
        if self.ABOUT is None:
            return f"{self.KIND}:{self.uid}"  # type: ignore[attr-defined]  # every whole has one
        kind, path = self.ABOUT
        return f"{kind}:{attrgetter(path.replace('__', '.'))(self)}"

    @property
    def audit_parties(self) -> Iterable[str]:
        """Uids of the organizations the row concerns: their auditors read its entries. Subclasses say which."""
        raise NotImplementedError

    @classmethod
    def audit_about(cls) -> tuple[str, str]:
        return cls.ABOUT or (cls.KIND, "uid")

    @classmethod
    def audit_events(cls) -> Events:
        return cls.EVENTS

    def new_event(self) -> None:
        """To be called before a change is saved: locks the row and gives it the id of the entry to come.

        Under the lock entries stand in the order of the changes. `move` does the same for a change of state.
        """
        rows = type(self)._base_manager  # noqa: SLF001  # Django's documented name
        rows.select_for_update().only("pk").get(pk=self.pk)
        self.take_new_id()

    def take_new_id(self) -> None:
        self.event_id, self.event_is_new = uuid.uuid4(), True

    def carries(self, event: Event) -> bool:
        """Whether an entry of this event makes or changes the row, so that the two have one id."""
        return event in events_of(type(self))


@cache
def events_of(model: type[Recorded]) -> frozenset[Event]:
    """The events whose entries a row of this model carries the id of."""
    return frozenset().union(*model.audit_events().values())
