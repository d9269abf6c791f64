"""What is done with the log itself goes on record too. Who may, the caller has checked."""

from __future__ import annotations

from typing import Any

from audit import export
from audit.events import Event
from audit.export import Head
from audit.recorder import Who, record
from audit.use_case import use_case


@use_case("log.export", about="-")
def record_export(*, actor: Who, scope: str = "", openings: str = "") -> Head:
    """Record that `actor` takes a copy. Returns the head the copy reaches at least.

    `scope` is the organization whose entries it holds ("" for the whole log). `openings` says that it is not the log
    but what opens its personal fields: "opened" with their values, "withheld" only where there are some.
    """
    head = export.head()
    more: dict[str, Any] = {
        name: value for name, value in (("scope", scope), ("openings", openings)) if value
    }
    record(Event.EXPORTED, actor=actor, about="log:0", entries=head.entries, head=head.leaf, **more)
    return head
