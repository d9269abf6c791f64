"""What protection hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Protected:
    """`table`, `totals` and `summary` are for the requester; `evidence` and `exposed` never are.

    `table`: every declared cell that HAVING and LIMIT leave, null where nothing is shown.
    `totals`: sums of published values (in the perturbed lane: cells of their own) with null for "all"; None
    where not asked for.
    `exposed`: labels of measures where some withheld value could still be worked out from totals although
    everything that helps is withheld; a reviewer must judge before release.
    """

    table: pa.Table
    totals: pa.Table | None
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...]
