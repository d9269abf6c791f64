"""What a trial tells: shares in whole percent, never the count of a cell nor how many cells there are. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from sandbox.disclosure.findings import Outcome
from sandbox.guard import AggregateQuery
from sandbox.trials.tables import COUNTS

UNDER, OVER = "under", "over"


@dataclass(frozen=True, slots=True)
class Share:
    """Withheld cells that hold units ÷ cells that hold units, in whole percent.

    0 and 100 are exactly none and all. `bound`: "under" 1 %, "over" 99 %, or "".
    """

    percent: int
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Of one measure in one table. `share` is None where no cell holds anybody with a value."""

    measure: str  # a column, or COUNTS
    share: Share | None


@dataclass(frozen=True, slots=True)
class Table:
    """`cells`: as many as the table could have. `problem`: why it has no shares: `not_releasable`, `limit`, or ""."""

    by: tuple[str, ...]
    cells: int
    lane: str
    withheld: tuple[Withheld, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Noise:
    """Half the width of the 95 % interval of each cell of the table `by`, where the measure is asked for alone."""

    measure: str
    by: tuple[str, ...]
    half_width: float


@dataclass(frozen=True, slots=True)
class Tried:
    """One dataset. `questions_left`: full questions of the private lane; None without it."""

    dataset: str
    tables: tuple[Table, ...]
    noise: tuple[Noise, ...] = ()
    questions_left: int | None = None


def to_json(tried: list[Tried]) -> dict[str, Any]:
    return {"datasets": [asdict(one) for one in tried]}


def share_of(withheld: int, filled: int) -> Share | None:
    """Rounded half up, but never to none or to all."""
    if not filled:
        return None
    if withheld in (0, filled):
        return Share(0 if withheld == 0 else 100)
    if withheld * 100 < filled:
        return Share(1, UNDER)
    if (filled - withheld) * 100 < filled:
        return Share(99, OVER)
    return Share((withheld * 200 + filled) // (2 * filled))


def withheld_of(evidence: pa.Table, query: AggregateQuery) -> tuple[Withheld, ...]:
    """From the reviewers' evidence on a protected table, for each measure of the bare question."""
    filled = dict.fromkeys((m.label for m in query.measures), 0)
    hidden = dict(filled)
    columns = [evidence.column(name).to_pylist() for name in ("measure", "contributors", "outcome")]
    for label, contributors, outcome in zip(*columns, strict=True):
        if contributors > 0:
            filled[label] += 1
            hidden[label] += outcome == Outcome.WITHHELD
    return tuple(
        Withheld(COUNTS if m.column is None else m.column.column, share_of(hidden[m.label], filled[m.label]))
        for m in query.measures
    )
