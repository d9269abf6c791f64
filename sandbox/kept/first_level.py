"""Rows of an extract to rows of a kept table, for a batch of whole contributors.

An extract is sorted by contributor, so rows that belong together are near each other: a 64-bit key for each row,
sorted within the batch, brings them side by side, and the rest is sums over runs. Measured at a third of the time of
a hash table with an entry for each contributor and cell; and the memory does not grow with the extract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sandbox.engines.choice import RANK_BITS
from sandbox.engines.layout import CELL_BITS, LARGEST_RANK, Layout, bits

MOST_ROWS = 8_000_000  # of one contributor, all in memory at once
LARGEST_SUM = 10**18  # of a DECIMAL(18); below it no sum leaves its 64 bits
CONTRIBUTOR_SHIFT = CELL_BITS + RANK_BITS
MOST_CONTRIBUTORS = 1 << (64 - CONTRIBUTOR_SHIFT)  # in one batch

Array = npt.NDArray[Any]


class NotKept(Exception):
    """No table can be kept of this extract, now or later. The text tells no data."""


def whole_contributors(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, cut between contributors. Raises NotKept where they are not sorted by `u`."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        joined = batch if held is None else pa.concat_batches([held, batch])
        who = _numbers(joined, "u")
        if (who[1:] < who[:-1]).any():
            raise NotKept("the extract is not sorted by contributor")
        cut = int(np.searchsorted(who, who[-1]))
        held = joined.slice(cut)
        if held.num_rows > MOST_ROWS:
            raise NotKept("one contributor has too many rows")
        if cut:
            yield joined.slice(0, cut)
    if held is not None:
        yield held


def schema(layout: Layout, full: frozenset[str]) -> pa.Schema:
    """Of the kept table. `full`: measured columns without a null."""
    fields = [(f"d{i}", _code_type(size)) for i, size in enumerate(layout.sizes)]
    fields += [("u", pa.int32() if layout.unit else pa.int64()), ("n", pa.int32())]
    for i, column in enumerate(layout.measured):
        fields += [] if column.name in full else [(f"c{i}", pa.int32())]
        fields += [(f"s{i}", pa.decimal64(18, layout.scales[i]))] if i in layout.scales else []
    extras = {"p": pa.uint64(), "r": pa.uint8(), "g": pa.uint8()}
    return pa.schema(fields + [(name, extras[name]) for name in sorted(layout.extras)])


class FirstLevel:
    """Makes kept rows batch by batch; `constant` holds what remains true of all batches so far."""

    def __init__(self, layout: Layout, full: frozenset[str]) -> None:
        self.layout, self.full = layout, full
        self.schema = schema(layout, full)
        self.constant = {column.name for column in layout.dimensions}

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Kept rows of a batch with columns u, cell, and where needed: h (RANK_BITS wide), p, r, and for measured
        column I: mI, its value in units of the last digit, 0 for null, and vI, 1 for a value.

        Raises NotKept.
        """
        given = {name: _numbers(batch, name) for name in batch.schema.names}
        order, starts = _runs(given, self.layout.sizes[self.layout.first_ranked :])
        first, n = order[starts], np.diff(starts, append=len(order)).astype(np.int32)
        made = {"u": given["u"][first], "n": n, **self._codes(given["cell"][first])}
        again = made["u"][1:] == made["u"][:-1]
        self._look_for_changes(made, again)
        made |= self._sums(given, order, starts, n)
        if "g" in self.layout.extras:
            made["g"] = _ranks(self._same_filters(made, again))
        if "p" in self.layout.extras:
            made["p"] = given["p"][first]
        if "r" in self.layout.extras:
            made["r"] = np.add.reduceat(given["r"][order], starts, dtype=np.uint8)
        return pa.record_batch(
            [_column(f, made[f.name], made.get(f"c{f.name[1:]}")) for f in self.schema], schema=self.schema
        )

    def _codes(self, cell: Array) -> dict[str, Array]:
        """The cell's number taken apart: the last dimension counts fastest."""
        made: dict[str, Array] = {}
        for i, size in reversed(list(enumerate(self.layout.sizes))):
            rest = cell // size if i else cell
            made[f"d{i}"] = (cell - rest * size if i else cell).astype(_code_type(size).to_pandas_dtype())
            cell = rest
        return made

    def _same_filters(self, made: dict[str, Array], again: Array) -> Array:
        """`again`, where the values of the dimensions that `g` does not rank over are again the same too."""
        for i in range(self.layout.first_ranked):
            again = again & (made[f"d{i}"][1:] == made[f"d{i}"][:-1])
        return again

    def _look_for_changes(self, made: dict[str, Array], again: Array) -> None:
        for i, column in enumerate(self.layout.dimensions):
            code = made[f"d{i}"]
            if column.name in self.constant and ((code[1:] != code[:-1]) & again).any():
                self.constant.remove(column.name)

    def _sums(self, given: dict[str, Array], order: Array, starts: Array, n: Array) -> dict[str, Array]:
        made: dict[str, Array] = {}
        for i, column in enumerate(self.layout.measured):
            if column.name not in self.full:
                made[f"c{i}"] = np.add.reduceat(given[f"v{i}"][order], starts, dtype=np.int32)
            if i in self.layout.scales:
                values = given[f"m{i}"]
                if max(int(values.max()), -int(values.min())) * int(n.max()) >= LARGEST_SUM:
                    raise NotKept("a sum may be too large")
                made[f"s{i}"] = np.add.reduceat(values[order], starts)
        return made


def _runs(given: dict[str, Array], ranked: tuple[int, ...]) -> tuple[Array, Array]:
    """Row numbers in an order by u, and where in it each run of one (u, cell) starts.

    Rows of one u are in the order of (filtered, h, ranked), where a cell's number is taken apart into that of the
    `ranked` dimensions, which count fastest, and that of those before them.
    """
    who, cell = given["u"], given["cell"]
    key = np.zeros(len(who), np.uint64)
    np.cumsum(who[1:] != who[:-1], out=key[1:])
    if int(key[-1]) >= MOST_CONTRIBUTORS:
        raise NotKept("a batch has too many contributors")
    key <<= np.uint64(CONTRIBUTOR_SHIFT)
    if "h" in given:
        width = bits(ranked)
        filtered = cell // prod(ranked)
        key |= (filtered << np.uint64(RANK_BITS + width)) | (given["h"] << np.uint64(width))
        cell = cell - filtered * prod(ranked)
    key |= cell
    order = np.argsort(key)
    key = key[order]
    new = np.ones(len(key), np.bool_)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return order, np.flatnonzero(new)


def _ranks(again: Array) -> Array:
    """The place of each row in its run. `again`: of rows 1.., whether the run is that of the row before."""
    firsts = np.flatnonzero(np.concatenate(([True], ~again)))
    sizes = np.diff(firsts, append=len(again) + 1)
    ranks = np.arange(1, len(again) + 2) - np.repeat(firsts, sizes)
    return np.minimum(ranks, LARGEST_RANK).astype(np.uint8)


def _numbers(batch: pa.RecordBatch, name: str) -> Array:
    """A column without nulls, not copied. (`to_numpy` would load pandas first.)"""
    values = batch[name]
    return np.from_dlpack(values.view(pa.int64()) if pa.types.is_decimal(values.type) else values)


def _column(field: pa.Field, values: Array, counted: Array | None) -> pa.Array:
    """`values` as they lie in memory; a sum of no value is null."""
    valid = None
    if counted is not None and field.name.startswith("s"):
        valid = pa.py_buffer(np.packbits(counted > 0, bitorder="little"))
    return pa.Array.from_buffers(field.type, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def _code_type(size: int) -> pa.DataType:
    return pa.uint8() if size <= 1 << 8 else pa.uint16() if size <= 1 << 16 else pa.uint32()
