"""The raw table as a grid of cells, one grid for each thing that is measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.disclosure.findings import Key
from sandbox.engines.cell_keys import KEYS
from sandbox.engines.raw import raw_schema
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.query import AggregateQuery, ColumnRef

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CellKeys:
    """What decides the changes of a cell's numbers in the perturbed lane; keys from 0 to 255."""

    rows: int
    most: int  # not a key: the most rows of one contributor
    units: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """What contributors put into one cell, for one measured column (or for the rows themselves).

    `absolute` sums the absolute values of each contributor's own sum; `largest` are the largest of them,
    in descending order. Both are empty where nothing is summed. `keys` are there in the perturbed lane.
    """

    cell: Key
    units: int
    rows: int
    total: Decimal = ZERO
    absolute: Decimal = ZERO
    largest: tuple[Decimal, ...] = ()
    keys: CellKeys | None = None


Group = tuple[Contribution, ...]  # cells of which at best the sum is known


@dataclass(frozen=True, slots=True)
class Grid:
    """`shape`: how many values each dimension has. `cells`: those with a contributor; others are empty.

    `silent`: empty cells that hold rows, all without a value of what is measured.
    """

    shape: tuple[int, ...]
    cells: Mapping[Key, Contribution]
    silent: frozenset[Key] = frozenset()


def read_grids(raw: pa.Table, query: AggregateQuery, terms: Terms) -> dict[ColumnRef | None, Grid]:
    """One grid for each measured column, and under None the one of the rows themselves.

    Raises: Refused("disclosure.raw") unless the table is exactly what the generated SQL returns; nothing
    about its content is said.
    """
    shape = tuple(len(values) for values in cell_values(query, terms))
    rows = _rows(raw, query, terms)
    positions = _positions(query, terms)
    found: dict[ColumnRef | None, dict[Key, Contribution]] = {None: {}}
    found |= {ref: {} for ref in query.measured}
    seen: set[Key] = set()
    for row in rows:
        cell = _cell(row, query, terms, positions)
        if cell in seen:
            raise inconsistent()
        seen.add(cell)
        for i, ref in enumerate((None, *query.measured)):
            contribution = contribution_of(cell, row, "" if ref is None else f"m{i - 1}_")
            if contribution.units:
                found[ref][cell] = contribution
    return {
        ref: Grid(shape, cells, frozenset(found[None].keys() - cells.keys())) for ref, cells in found.items()
    }


def inconsistent() -> Refused:
    return Refused("disclosure.raw", say("The engine's answer is not consistent; nothing is released."))


def _rows(raw: pa.Table, query: AggregateQuery, terms: Terms) -> list[dict[str, Any]]:
    schema = raw_schema(query, terms)
    if raw.column_names != schema.names:
        raise inconsistent()
    try:
        rows: list[dict[str, Any]] = raw.cast(schema).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise inconsistent() from error
    if not query.dimensions and len(rows) != 1:
        raise inconsistent()
    return rows


def _positions(query: AggregateQuery, terms: Terms) -> list[dict[Any, int]]:
    values = cell_values(query, terms)
    kinds = [column_term(terms, d.column).type for d in query.dimensions]
    return [
        {key(kind, text): i for i, text in enumerate(texts)}
        for kind, texts in zip(kinds, values, strict=True)
    ]


def _cell(
    row: Mapping[str, Any], query: AggregateQuery, terms: Terms, positions: list[dict[Any, int]]
) -> Key:
    cell = []
    for i, dimension in enumerate(query.dimensions):
        text = row[f"d{i}"]
        value = None if text is None else key(column_term(terms, dimension.column).type, text)
        if value not in positions[i]:
            raise inconsistent()
        cell.append(positions[i][value])
    return tuple(cell)


def contribution_of(cell: Key, row: Mapping[str, Any], prefix: str) -> Contribution:
    units, rows = row[f"{prefix}k"], row[f"{prefix}n"]
    if units is None or rows is None or not 0 <= units <= rows or units > row["k"] or (rows and not units):
        raise inconsistent()
    keys = _keys(row, prefix) if units else None
    if f"{prefix}sum" not in row or not units:
        return Contribution(cell, units, rows, keys=keys)
    total, absolute, largest = row[f"{prefix}sum"], row[f"{prefix}abs"], row[f"{prefix}top"]
    if total is None or absolute is None or not largest or None in largest:
        raise inconsistent()
    ordered = all(a >= b for a, b in pairwise(largest))
    if not ordered or largest[-1] < 0 or sum(largest) > absolute or abs(total) > absolute:
        raise inconsistent()
    return Contribution(cell, units, rows, total, absolute, tuple(largest), keys)


def _keys(row: Mapping[str, Any], prefix: str) -> CellKeys | None:
    if f"{prefix}r" not in row:
        return None
    most = row[f"{prefix}t"]
    keys = row[f"{prefix}r"], row.get(f"{prefix}u", 0), row.get(f"{prefix}q", 0)
    if any(key is None or not 0 <= key < KEYS for key in keys):
        raise inconsistent()
    if most is None or not 1 <= most <= row[f"{prefix}n"]:
        raise inconsistent()
    return CellKeys(keys[0], most, keys[1], keys[2])
