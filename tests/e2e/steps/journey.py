"""Who is on the way together, and what they found on it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.visitor import Visitor


@dataclass
class Journey:
    """Who takes part, and the addresses found on the way."""

    csv: Path
    folder: Path
    people: dict[str, Visitor] = field(default_factory=dict)
    request: str = ""
    contract: str = ""
    runs: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)


def digits(text: str) -> str:
    """Without the marks between thousands."""
    return re.sub(r"(?<=\d)[,\u202f\u00a0\u2009\s](?=\d{3})", "", text)
