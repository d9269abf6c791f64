"""Bands as numbers: `<10`, `10-20`, `>=20`, the labels of `catalog.schema.Derivation`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isinf

import numpy as np
from numpy.typing import NDArray

from audit.refusals import Refused
from audit.wording import say

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LOWEST = re.compile(rf"<({_NUMBER})")
_INNER = re.compile(rf"({_NUMBER})-({_NUMBER})")
_HIGHEST = re.compile(rf">=({_NUMBER})")


@dataclass(frozen=True, slots=True, order=True)
class Band:
    """The half-open interval [low, high); infinite ends are open."""

    low: float
    high: float


def band(label: str) -> Band:
    """Raises: Refused("models.bands") for a label that is no band."""
    if found := _LOWEST.fullmatch(label):
        return Band(-inf, float(found[1]))
    if found := _HIGHEST.fullmatch(label):
        return Band(float(found[1]), inf)
    if found := _INNER.fullmatch(label):
        return Band(float(found[1]), float(found[2]))
    raise Refused("models.bands", say('"%(label)s" is not a band of numbers.', label=label))


def in_order(labels: tuple[str, ...]) -> tuple[list[Band], NDArray[np.int64]]:
    """The bands, lowest first, and the place of each among `labels`.

    Raises: Refused("models.bands") where one is missing between two others, or they overlap.
    """
    bands = [band(label) for label in labels]
    order = sorted(range(len(bands)), key=bands.__getitem__)
    ordered = [bands[place] for place in order]
    if any(below.high != above.low for below, above in pairwise(ordered)):
        raise Refused("models.bands", say("The bands do not follow one another without a gap."))
    return ordered, np.array(order, np.int64)


def midpoints(bands: list[Band]) -> NDArray[np.float64]:
    """The middle of each band; an open band is taken to be as wide as its neighbour.

    That is an assumption about data nobody has seen: what lies far out in an open band is not in the result.
    Raises: Refused("models.bands") where no band has two ends, so that nothing is known of a width.
    """
    if all(isinf(b.high - b.low) for b in bands):
        raise Refused("models.bands", say("Bands without two ends have no middle: declare more edges."))
    widths = [b.high - b.low for b in bands]
    first, last = bands[0], bands[-1]
    middles = [(b.low + b.high) / 2 for b in bands]
    if isinf(first.low):
        middles[0] = first.high - widths[1] / 2
    if isinf(last.high):
        middles[-1] = last.low + widths[-2] / 2
    return np.array(middles)
