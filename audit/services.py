"""What is done with the log itself goes on record too."""

from __future__ import annotations

from typing import Any

from audit import export
from audit.events import Event
from audit.export import Head
from audit.recorder import record
from audit.use_case import use_case


@use_case("log.export", about="-")
def record_export(*, actor: Any) -> Head:
    """Record that `actor` takes a copy. Returns the head the copy reaches at least. Who may, the caller has checked."""
    head = export.head()
    record(Event.EXPORTED, actor=actor, about="log:0", entries=head.entries, head=head.leaf)
    return head
