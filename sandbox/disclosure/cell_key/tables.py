"""The stored perturbation tables, read once and only if they are those on record."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from audit.refusals import Refused
from audit.wording import say
from sandbox.engines.cell_keys import KEYS

VERSION = "1"
BOUND = 5  # no count changes by more,
DEVIATION = 2  # and this is the standard deviation for every count
COLLISION = 0.131  # probability that two independent changes hide that a count grew by one
LAST_COUNT = 750
REUSED = 250  # larger counts take the last rows of the table in turn
DIGESTS = {
    "counts": "c27752c36ce6df3a16506de287e3688bb7e3d78edb8ac3cb86a4ff0353bb5369",
    "sums": "d68dd0028707d4727d9acdb68191d11623773bde2733fdfc47575ffdb92642ad",
}
FOLDER = Path(__file__).parent


def count_change(count: int, key: int) -> int:
    """The change of a count, from -min(count, BOUND) to BOUND; 0 for 0.

    Assumes: count >= 0, 0 <= key < 256.
    Guarantees: over all keys mean 0 and variance DEVIATION² exactly, for each count above 0.
    Source: the rows for counts above 750 as in the package cell-key-perturbation 3.1.0, step 3.
    """
    if count == 0:
        return 0
    row = count if count <= LAST_COUNT else (count - 1) % REUSED + LAST_COUNT - REUSED + 1
    return int(_counts()[row - 1, key])


def sum_part(key: int) -> int:
    """Direction and place in the band of a sum's change: one of ±1, ±3 ... ±255, each for one key."""
    return int(_sums()[key])


@cache
def _counts() -> NDArray[np.int8]:
    changes: NDArray[np.int8] = _read("counts").column("pvalue").to_numpy().reshape(LAST_COUNT, KEYS)
    return changes


@cache
def _sums() -> NDArray[np.int16]:
    parts: NDArray[np.int16] = _read("sums").column("part").to_numpy()
    return parts


def _read(name: str) -> pa.Table:
    """Raises: Refused("disclosure.table") for a file that is missing or not the one on record."""
    path = FOLDER / f"{name}-{VERSION}.parquet"
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != DIGESTS[name]:
        reason = say("The perturbation table is not the one on record; nothing is released.")
        raise Refused("disclosure.table", reason)
    return pq.read_table(pa.BufferReader(content))
