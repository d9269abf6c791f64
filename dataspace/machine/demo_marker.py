"""`DemoMarker`: a note whether the demo was seeded, so that a seeding cut short is not taken for whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DemoMarker:
    file: Path

    @property
    def is_done(self) -> bool:
        return self._text() == "seeded"

    @property
    def was_cut_short(self) -> bool:
        """True only for a database that was empty when its seeding began."""
        return self._text() == "seeding"

    def begin(self) -> None:
        self.file.write_text("seeding")

    def finish(self) -> None:
        self.file.write_text("seeded")

    def _text(self) -> str:
        return self.file.read_text() if self.file.exists() else ""
