"""Pearson's correlation of two banded dimensions, from their two-way table of counts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from sandbox.disclosure.models.bands import in_order, midpoints
from sandbox.disclosure.models.reading import Floats, counts_by, levels


@dataclass(frozen=True, slots=True)
class Correlation:
    value: float
    error: float  # standard error of the noise


def correlation(table: pa.Table, first: str, second: str, count: str, noise: float = 0.0) -> Correlation:
    """Every value is taken to stand in the middle of its band; counts below 0 are taken as 0.

    Error: the delta method, noise * sqrt(lines) / whole * |influence of each cell|. Grouping into bands usually draws a
    correlation a little towards 0, and so does cutting counts at 0; neither is in the error.
    Raises: Refused models.bands, models.no_spread (all in one band), and as `reading.counts_by`.
    """
    if first == second:
        raise Refused("models.column", say("Choose two different dimensions."))
    counts, lines = counts_by(table, (first, second), count)
    axes = []
    for dimension in (first, second):
        bands, order = in_order(levels(table, dimension)[0])
        places = np.empty(len(bands))
        places[order] = midpoints(bands)
        axes.append(places)
    weights = np.maximum(counts, 0.0)
    whole = float(weights.sum())
    x, y = _standard(axes[0], weights.sum(axis=1)), _standard(axes[1], weights.sum(axis=0))
    product = np.outer(x, y)
    value = float((weights * product).sum() / whole)
    influence = product - value / 2 * (x[:, None] ** 2 + y[None, :] ** 2)
    return Correlation(value, noise * sqrt(lines) * float(np.linalg.norm(influence)) / whole)


def _standard(values: Floats, weights: Floats) -> Floats:
    """Less the mean, over the standard deviation."""
    whole = weights.sum()
    centred = values - (weights @ values / whole if whole > 0 else 0.0)
    variance = weights @ centred**2 / whole if whole > 0 else 0.0
    if not variance > 0:
        raise Refused("models.no_spread", say("All that is counted lies in one band: nothing varies."))
    return np.asarray(centred / np.sqrt(variance))
