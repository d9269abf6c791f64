"""A question as the attacker keeps it: its text for the product, and the rows of each of its numbers for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tests.attacks.attacker.worlds import DATASET, UNDECLARED, UNIT, VALUE, Frame, Mask

SUM, ROWS, UNITS = "s", "n", "u"
_CALLS = {SUM: f"SUM({VALUE})", ROWS: "COUNT(*)", UNITS: f"COUNT(DISTINCT {UNIT})"}


@dataclass(frozen=True)
class Question:
    """`where`: a dimension and the values it may have. `tail`: HAVING, ORDER BY, LIMIT, WITH TOTALS.

    `spared`: a unit left out by `<>`, which the language does not have. `form` varies the text and nothing else.
    """

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tail: str = ""
    spared: int | None = None
    form: int = 0

    @property
    def text(self) -> str:
        names = [*self.by, *(f"{_CALLS[m]} AS {m}" for m in self.measures)]
        if self.form & 1:
            names.reverse()
        kept = [
            f"{name} IN ({', '.join(repr(v) for v in self._turned(values))})" for name, values in self.where
        ]
        kept += [f"{UNIT} <> '{self.spared}'"] if self.spared is not None else []
        text = f"SELECT {', '.join(names)} FROM {DATASET}"
        text += f" WHERE {' AND '.join(self._turned(kept))}" if kept else ""
        text += f" GROUP BY {', '.join(self._turned(self.by))}" if self.by else ""
        text += f" {self.tail}" if self.tail else ""
        return text.lower().replace(f" {DATASET}", f"\n {DATASET} /* again */") if self.form & 4 else text

    def _turned(self, items: Sequence[str]) -> Sequence[str]:
        return items[::-1] if self.form & 2 else items

    def cells(self, frame: Frame) -> Iterator[tuple[tuple[str | None, ...], Mask]]:
        """Values of `by` and the rows counted there; a None, of a total, stands for every declared value."""
        kept = self._kept(frame)
        for places in product(*([None, *range(len(frame.dims[name]))] for name in self.by)):
            rows = kept.copy()
            for name, place in zip(self.by, places, strict=True):
                found = frame.places[name]
                rows &= found != UNDECLARED if place is None else found == place
            named = zip(self.by, places, strict=True)
            yield tuple(None if place is None else frame.dims[name][place] for name, place in named), rows

    def _kept(self, frame: Frame) -> Mask:
        kept = np.ones(len(frame), bool)
        for name, values in self.where:
            kept &= np.isin(frame.places[name], [frame.dims[name].index(value) for value in values])
        return kept if self.spared is None else kept & (frame.unit != self.spared)


@dataclass(frozen=True)
class Told:
    """What the asker sees: `outcome` "released" or a code, and the table's rows by label."""

    outcome: str
    rows: tuple[dict[str, object], ...] = ()

    @property
    def pattern(self) -> tuple[object, ...]:
        """Everything but the numbers: what an oracle of refusals and blanks gives."""
        blank = tuple(tuple(value is None for value in row.values()) for row in self.rows)
        return self.outcome, blank
