"""Columns of a published table as arrays, or a refusal in words. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from audit.refusals import Refused
from audit.wording import say

Floats = NDArray[np.float64]


def numbers(table: pa.Table, label: str) -> Floats:
    """One number per line. Raises: Refused models.column, models.withheld (some value is not shown)."""
    column = _column(table, label)
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise Refused("models.column", say('"%(label)s" is not a column of numbers.', label=label))
    if column.null_count:
        reason = say(
            'Some values of "%(label)s" are not shown: take coarser groups, so that all are.', label=label
        )
        raise Refused("models.withheld", reason)
    return np.array([float(value) for value in column.to_pylist()], np.float64)


def levels(table: pa.Table, label: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The values of a dimension in the order in which they first appear, and for each line the place of its value."""
    column = _column(table, label)
    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not text or column.null_count or not table.num_rows:
        raise Refused("models.column", say('"%(label)s" is not a dimension of the table.', label=label))
    texts = column.to_pylist()
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    return tuple(places), np.array([places[text] for text in texts], np.int64)


def counts_by(table: pa.Table, dimensions: tuple[str, ...], count: str) -> tuple[Floats, int]:
    """Counts over the values of `dimensions`, added up over all others, and how many lines each adds up.

    Raises: as `numbers`; models.incomplete where a combination is missing: HAVING or LIMIT took it away.
    """
    found = [levels(table, dimension) for dimension in dimensions]
    shape = tuple(len(values) for values, _ in found)
    places = np.ravel_multi_index([place for _, place in found], shape)
    size = int(np.prod(shape))
    lines = np.bincount(places, minlength=size)
    if np.any(lines != lines[0]):
        reason = say("Some cells of the table are missing: ask without HAVING and LIMIT.")
        raise Refused("models.incomplete", reason)
    sums = np.bincount(places, weights=numbers(table, count), minlength=size)
    return np.asarray(sums, np.float64).reshape(shape), int(lines[0])


def _column(table: pa.Table, label: str) -> pa.ChunkedArray:
    if table.column_names.count(label) != 1:
        raise Refused("models.column", say('The table has no column "%(label)s".', label=label))
    return table.column(label)
