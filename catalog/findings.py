"""What a check found, in words for the provider: by column and kind of fault, with rows of the file.

Stored with the version as `catalog.ingest.Findings.to_json` writes it. Samples may show values, so this is never
shown to anyone but the provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.models import Version

FAULT_NAMES: Mapping[str, StrOrPromise] = {
    "missing": _("is empty and may not be"),
    "type": _("is not of the type"),
    "range": _("is out of the range of the type"),
    "fraction": _("has digits after the point"),
    "scale": _("has too many digits after the point"),
    "domain": _("is not in the list of values"),
    "ragged": _("the row has more or fewer cells than the header"),
    "quotes": _("quotation marks are not closed"),
    "line": _("the line cannot be read"),
    "long": _("is longer than a cell may be"),
}
SHOWN_ROWS = 20  # of each fault


@dataclass(frozen=True, slots=True)
class Finding:
    column: str  # "" for the row as a whole
    code: str
    text: StrOrPromise
    count: int
    samples: list[
        dict[str, Any]
    ]  # row (1-based, header not counted), value (None where it must not be shown)


def findings_of(version: Version) -> list[Finding]:
    return [
        Finding(
            fault["column"], fault["code"], FAULT_NAMES.get(fault["code"], fault["code"]), fault["count"],
            fault["samples"][:SHOWN_ROWS],
        )
        for fault in (version.findings or {}).get("faults", [])
    ]  # fmt: skip
