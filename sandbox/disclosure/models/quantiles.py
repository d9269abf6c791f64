"""Histograms and quantiles over a dimension of bands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, sqrt
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from sandbox.disclosure.models.bands import Band, in_order
from sandbox.disclosure.models.reading import Floats, counts_by, levels

NORMAL_95: Final = 1.959963984540054
Note = Literal[
    "", "at_most", "at_least"
]  # in an open band the edge is returned, with what is known of the value


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    count: float
    error: float  # standard error of the noise


@dataclass(frozen=True, slots=True)
class Quantile:
    """`low` and `high` end the 95 % interval of the noise; half a band of interpolation error comes on top."""

    value: float
    low: float
    high: float
    note: Note


def histogram(table: pa.Table, dimension: str, count: str, noise: float = 0.0) -> list[Bar]:
    """Counts of each value, added up over the other dimensions, in the table's order.

    Error: the noise of each line added up, noise * sqrt(lines); exact.
    Raises: Refused models.*, as `reading.counts_by`.
    """
    values, _ = levels(table, dimension)
    counts, lines = counts_by(table, (dimension,), count)
    error = noise * sqrt(lines)
    return [Bar(value, float(number), error) for value, number in zip(values, counts, strict=True)]


def median(table: pa.Table, dimension: str, count: str, noise: float = 0.0) -> Quantile:
    return quantile(table, dimension, count, 0.5, noise)


def quantile(table: pa.Table, dimension: str, count: str, share: float, noise: float = 0.0) -> Quantile:
    """The value below which `share` of the counted lie, 0 < share < 1.

    Cumulative counts are made monotone by isotonic least squares and followed linearly inside a band, as if its
    values lay evenly. Error: the noise of (count below - share * all), turned into values by the same curve
    (Woodruff, Confidence Intervals for Medians, 1952).
    Raises: Refused models.share, models.bands, models.too_few (the noise outweighs the whole count), and as
    `reading.counts_by`.
    """
    if not 0 < share < 1:
        raise Refused("models.share", say("A quantile lies between 0 and 1."))
    bands, order = in_order(levels(table, dimension)[0])
    counts, lines = counts_by(table, (dimension,), count)
    below = monotone(np.cumsum(counts[order]))
    whole = below[-1]
    each = noise * sqrt(lines)
    if whole <= 0 or whole < 2 * each * sqrt(len(bands)):
        raise Refused("models.too_few", say("The counts are too small beside their noise."))
    shares = below / whole
    under = int(np.searchsorted(shares, share)) + 1
    spread = each * sqrt(under * (1 - share) ** 2 + (len(bands) - under) * share**2) / whole
    value, note = _value(bands, shares, share)
    low, _ = _value(bands, shares, max(0.0, share - NORMAL_95 * spread))
    high, _ = _value(bands, shares, min(1.0, share + NORMAL_95 * spread))
    return Quantile(value, low, high, note)


def monotone(values: Floats) -> Floats:
    """The closest non-decreasing sequence in least squares, not below 0: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, length = blocks.pop()
            mean, size = (before * length + mean * size) / (length + size), length + size
        blocks.append((mean, size))
    means = np.repeat([mean for mean, _ in blocks], [size for _, size in blocks])
    return np.asarray(np.maximum(means, 0.0))


def _value(bands: list[Band], shares: Floats, share: float) -> tuple[float, Note]:
    place = min(int(np.searchsorted(shares, share)), len(bands) - 1)
    band, before = bands[place], shares[place - 1] if place else 0.0
    if isinf(band.low):
        return band.high, "at_most"
    if isinf(band.high):
        return band.low, "at_least"
    inside = shares[place] - before
    part = min(1.0, (share - before) / inside) if inside > 0 else 0.0
    return float(band.low + part * (band.high - band.low)), ""
