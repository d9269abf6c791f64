"""Random draws and Arrow columns for whole columns at once: the generator has no loop over rows. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]


def pick(rng: np.random.Generator, weights: Floats, rows: Ints) -> Ints:
    """For each entry r of `rows` draw a column of `weights[r]` (kinds by choices, on any scale)."""
    edges = np.cumsum(weights, axis=1)
    point = rng.random(len(rows)) * edges[rows, -1]
    chosen = np.zeros(len(rows), dtype=np.int64)
    for edge in edges.T[:-1]:
        chosen += point >= edge[rows]
    return chosen


def pick_one(rng: np.random.Generator, weights: Floats, size: int) -> Ints:
    """`size` draws from one list of weights."""
    return pick(rng, weights[np.newaxis, :], np.zeros(size, dtype=np.int64))


def dates_between(rng: np.random.Generator, first: Dates, last: Dates) -> Dates:
    """One day per row, evenly from `first` to `last`, both included; `first` where it is the later one."""
    days = np.maximum((last - first).astype(np.int64), 0) + 1
    drawn: Dates = first + np.floor(rng.random(len(first)) * days).astype(np.int64)
    return drawn


def texts(values: tuple[str, ...], index: Ints) -> Any:
    """An Arrow text column: `values[i]` for each i of `index`."""
    return pa.array(values, type=pa.string()).take(pa.array(index))


def joined(*parts: Any) -> Any:
    """Arrow text columns (and plain strings) written one after another, row by row."""
    return pc.binary_join_element_wise(*parts, "")


def decimals(units: Ints, scale: int) -> Any:
    """An exact Arrow DECIMAL(18, scale) column from whole numbers of the last digit (cents for scale 2)."""
    words = np.empty((len(units), 2), dtype="<i8")  # 128-bit little-endian two's complement
    words[:, 0] = units
    words[:, 1] = units >> 63
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(units), [None, pa.py_buffer(words.tobytes())])


def only_where(kept: Bools, column: Any) -> Any:
    """`column` with null where `kept` is false."""
    return pc.if_else(pa.array(kept), column, pa.scalar(None, type=column.type))
