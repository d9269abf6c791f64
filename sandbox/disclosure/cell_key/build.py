"""The program that made the stored tables: `python -m sandbox.disclosure.cell_key.build FOLDER`.

Counts. For each count c from 1 to 750 a distribution of changes d with c + d >= 0 and |d| <= BOUND, mean 0 and the
given variance, and of all such the one of greatest entropy: p(d) proportional to exp(a·d + b·d²). Counted in 256ths,
the nearest whole numbers that keep mean and variance exactly; each of the 256 keys then gets one change, in an order
that SHA-256 mixes anew for each count.
Source: Marley and Leaver, A method for confidentialising user-defined tables: statistical properties and a
risk-utility analysis (ISI 2011); Giessing, Computational issues in the design of transition probabilities and
disclosure risk estimation for additive noise (PSD 2016), on which the R package ptable rests.

Sums. Each key gets one odd number of ±1, ±3 ... ±255: direction, and place in the band in 256ths; uniform, so of
greatest entropy in the band, and symmetric, so of mean 0.
"""

from __future__ import annotations

import hashlib
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sandbox.engines.cell_keys import KEYS

VERSION = "1"
LAST_COUNT = 750
BOUND = 5
VARIANCE = 4

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


def distribution(count: int) -> tuple[Whole, Floats]:
    """The possible changes of `count` and their probabilities. Newton's method on the dual, which is convex."""
    changes = np.arange(-min(count, BOUND), BOUND + 1)
    moments = np.stack([changes, changes**2]).astype(float)
    weights, wanted = np.zeros(2), np.array([0.0, VARIANCE])
    while True:
        p = np.exp(weights @ moments)
        p /= p.sum()
        missed = moments @ p - wanted
        if np.abs(missed).max() < 1e-10:
            return changes, p
        spread = (moments * p) @ moments.T - np.outer(moments @ p, moments @ p)
        weights -= np.linalg.solve(spread, missed)


def allocation(count: int) -> tuple[Whole, Whole]:
    """The possible changes of `count` and how many of the 256 keys each has: exact in mean and variance."""
    changes, p = distribution(count)
    steps = np.array(list(product((-1, 0, 1), repeat=len(changes))))
    keys = np.rint(p * KEYS).astype(np.int64) + steps
    exact = (keys >= 0).all(axis=1) & (keys.sum(axis=1) == KEYS)
    exact &= (keys @ changes == 0) & (keys @ changes**2 == VARIANCE * KEYS)
    keys = keys[exact]
    return changes, keys[np.square(keys - p * KEYS).sum(axis=1).argmin()]


def mixed(label: str) -> list[int]:
    """The numbers 0 to 255 in an order that follows from the label alone."""
    return sorted(range(KEYS), key=lambda i: hashlib.sha256(f"{VERSION}/{label}/{i}".encode()).digest())


def counts() -> NDArray[np.int8]:
    """Shape (750, 256): the change of count i + 1 for each key."""
    table = np.zeros((LAST_COUNT, KEYS), dtype=np.int8)
    rows = {low: np.repeat(*allocation(low)) for low in range(1, BOUND + 1)}
    for count in range(1, LAST_COUNT + 1):
        table[count - 1, mixed(f"count/{count}")] = rows[min(count, BOUND)]
    return table


def sums() -> NDArray[np.int16]:
    """Shape (256,): direction and place in the band, in 256ths, for each key."""
    parts = np.zeros(KEYS, dtype=np.int16)
    parts[mixed("sum")] = np.arange(1 - KEYS, KEYS, 2)
    return parts


def write(folder: Path) -> None:
    """Both tables as Parquet; counts with the columns of the Office for National Statistics' ptable."""
    changes = counts()
    pcv = np.repeat(np.arange(1, LAST_COUNT + 1, dtype=np.int16), KEYS)
    ckey = np.tile(np.arange(KEYS, dtype=np.int16), LAST_COUNT)
    table = pa.table({"pcv": pcv, "ckey": ckey, "pvalue": changes.ravel()})
    pq.write_table(table, folder / f"counts-{VERSION}.parquet", compression="zstd")
    table = pa.table({"ckey": np.arange(KEYS, dtype=np.int16), "part": sums()})
    pq.write_table(table, folder / f"sums-{VERSION}.parquet", compression="zstd")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
