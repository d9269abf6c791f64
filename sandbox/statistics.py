"""Statistics worked out from a released table: what may be asked of it, and the answer as a small table. Pure.

They read what was released and nothing else, so they need no decision, no budget and no reviewer. In the private lane
the unbiased middle of each interval is read instead of the shown number, and its width tells the noise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from sandbox.disclosure.models.correlation import correlation
from sandbox.disclosure.models.design import Fit
from sandbox.disclosure.models.linear import linear_regression
from sandbox.disclosure.models.logistic import logistic_regression
from sandbox.disclosure.models.quantiles import NORMAL_95, histogram, quantile

Number = float | None


class Statistic(StrEnum):
    HISTOGRAM = "histogram"
    QUANTILE = "quantile"
    CORRELATION = "correlation"
    LINEAR = "linear"
    LOGISTIC = "logistic"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`dimensions`: one for a quantile or histogram, two for a correlation, those that explain for a regression.

    `count`: label of the counts; `total`: of the sums a linear regression explains; `outcome` and `success`: the
    dimension and its value that a logistic one explains; `share`: of a quantile.
    """

    statistic: Statistic
    dimensions: tuple[str, ...]
    count: str
    total: str = ""
    outcome: str = ""
    success: str = ""
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Worked:
    """One row for each value: what it is of, the value, its standard error (None where the table cannot tell)."""

    rows: tuple[tuple[str, Number, Number], ...]
    references: tuple[str, ...] = ()  # of a regression: the values that the others are compared with


def work_out(released: pa.Table, dimensions: int, intervals: dict[str, list[str]], wanted: Wanted) -> Worked:
    """`dimensions`: how many of the first columns are dimensions; `intervals`: as in a private release's summary.

    Raises Refused models.*: in words that say what to ask differently.
    """
    table = _cells(released, dimensions, intervals)
    noise = {label: _noise(released, ends) for label, ends in intervals.items()}
    expected = {Statistic.QUANTILE: 1, Statistic.HISTOGRAM: 1, Statistic.CORRELATION: 2}.get(wanted.statistic)
    if not wanted.dimensions or (expected is not None and len(wanted.dimensions) != expected):
        reason = say(
            "Choose one dimension for a quantile or histogram, two for a correlation, one or more to explain."
        )
        raise Refused("models.dimensions", reason)
    return _WORK[wanted.statistic](table, wanted, noise)


def _cells(released: pa.Table, dimensions: int, intervals: dict[str, list[str]]) -> pa.Table:
    """Without rows of totals, and with unbiased numbers where there are intervals."""
    table = released
    for label, ends in intervals.items():
        low, high = (released.column(end).to_pylist() for end in ends)
        middles = [None if a is None else (a + b) / 2 for a, b in zip(low, high, strict=True)]
        table = table.set_column(table.column_names.index(label), label, pa.array(middles, pa.float64()))
    whole = [
        i for i, row in enumerate(released.select(range(dimensions)).to_pylist()) if None not in row.values()
    ]
    return table.take(pa.array(whole, pa.int64()))


def _noise(released: pa.Table, ends: list[str]) -> float:
    """Standard deviation of the noise: half the width of the first interval, which all cells share."""
    low, high = (released.column(end).to_pylist() for end in ends)
    return next(((b - a) / 2 / NORMAL_95 for a, b in zip(low, high, strict=True) if a is not None), 0.0)


def _histogram(table: pa.Table, wanted: Wanted, noise: dict[str, float]) -> Worked:
    bars = histogram(table, wanted.dimensions[0], wanted.count, noise.get(wanted.count, 0.0))
    return Worked(tuple((bar.label, bar.count, bar.error) for bar in bars))


def _quantile(table: pa.Table, wanted: Wanted, noise: dict[str, float]) -> Worked:
    found = quantile(table, wanted.dimensions[0], wanted.count, wanted.share, noise.get(wanted.count, 0.0))
    error = (found.high - found.low) / 2 / NORMAL_95
    sign = {"": "", "at_most": "≤ ", "at_least": "≥ "}[found.note]
    return Worked(((f"{sign}{wanted.share:g}", found.value, error),))


def _correlation(table: pa.Table, wanted: Wanted, noise: dict[str, float]) -> Worked:
    first, second = wanted.dimensions
    found = correlation(table, first, second, wanted.count, noise.get(wanted.count, 0.0))
    return Worked(((" × ".join(wanted.dimensions), found.value, found.error),))


def _linear(table: pa.Table, wanted: Wanted, noise: dict[str, float]) -> Worked:
    noises = noise.get(wanted.total, 0.0), noise.get(wanted.count, 0.0)
    return _fit(linear_regression(table, wanted.dimensions, wanted.total, wanted.count, *noises))


def _logistic(table: pa.Table, wanted: Wanted, noise: dict[str, float]) -> Worked:
    noise_count = noise.get(wanted.count, 0.0)
    return _fit(
        logistic_regression(
            table, wanted.outcome, wanted.success, wanted.dimensions, wanted.count, noise_count
        )
    )


def _fit(fit: Fit) -> Worked:
    rows = [
        (f"{c.dimension} = {c.value}" if c.dimension else "1", c.estimate, c.error) for c in fit.coefficients
    ]
    return Worked(tuple(rows), tuple(f"{name} = {value}" for name, value in fit.references))


_WORK: Final[dict[Statistic, Callable[[pa.Table, Wanted, dict[str, float]], Worked]]] = {
    Statistic.HISTOGRAM: _histogram,
    Statistic.QUANTILE: _quantile,
    Statistic.CORRELATION: _correlation,
    Statistic.LINEAR: _linear,
    Statistic.LOGISTIC: _logistic,
}


def choices(released: pa.Table, dimensions: int, hidden: Sequence[str]) -> dict[str, Any]:
    """What a form can offer: labels of dimensions and measures, and each dimension's values."""
    names = released.column_names
    values = {name: [v for v in dict.fromkeys(released.column(name).to_pylist()) if v is not None]
              for name in names[:dimensions]}  # fmt: skip
    return {"dimensions": values, "measures": [name for name in names[dimensions:] if name not in hidden]}
