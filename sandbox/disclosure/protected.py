"""What the disclosure rules make of a raw table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Protected:
    """`table` and `summary` may be told; `evidence` and `exposed` never are.

    `table`: every declared cell, null where nothing is shown; in the perturbed lane the totals too, where they are
    asked for. `summary`: which rules ran with which parameters.
    `exposed`: labels of measures where some withheld value could still be worked out from totals although
    everything that helps is withheld; such an answer is not released.
    """

    table: pa.Table
    summary: dict[str, Any]
    evidence: pa.Table
    exposed: tuple[str, ...] = ()
