"""Parts of this room that act by themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """`System("sealer")`: acts for no organization."""

    name: str

    @property
    def uid(self) -> str:
        return f"system:{self.name}"

    @property
    def organization_uid(self) -> str:
        return ""


CHECKPOINTER = System("checkpointer")
CONSOLE = System("console")
RECONCILER = System("reconciler")
WATCH = System("watch")
