"""The engine's bounded statistics as one number for each declared cell. Pure."""

from __future__ import annotations

from decimal import Context, Decimal
from math import prod

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from audit.refusals import Refused
from audit.wording import say
from contracts.policy.terms import Terms
from sandbox.disclosure.private.mechanism import Mechanism
from sandbox.engines.bounding import raw_name
from sandbox.engines.private_sql import private_schema
from sandbox.guard.cells import cell_values, column_term
from sandbox.guard.domains import key
from sandbox.guard.query import AggregateQuery

_LARGEST = 2**63 - 1
_EXACT = Context(prec=76)  # decimal128(38) times a power of ten up to 10^9


def read_bounded(
    raw: pa.Table, query: AggregateQuery, terms: Terms, mechanisms: tuple[Mechanism, ...]
) -> list[NDArray[np.int64]]:
    """For each mechanism the declared cells in the order of their domains, in its steps; absent cells are 0.

    Raises: Refused("disclosure.raw") unless the table is what the generated SQL returns, whatever the data.
    """
    schema = private_schema(query, terms)
    if raw.column_names != schema.names or (not query.dimensions and raw.num_rows != 1):
        raise _inconsistent()
    try:
        raw = raw.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _inconsistent() from error
    places = _places(raw, query, terms)
    if len(np.unique(places)) < len(places) or any(column.null_count for column in raw.columns):
        raise _inconsistent()
    cells = prod(len(values) for values in cell_values(query, terms))
    found = []
    for mechanism in mechanisms:
        filled = np.zeros(cells, np.int64)
        filled[places] = _steps(raw.column(raw_name(mechanism.statistic, query)), mechanism)
        found.append(filled)
    return found


def _places(raw: pa.Table, query: AggregateQuery, terms: Terms) -> NDArray[np.int64]:
    places = np.zeros(raw.num_rows, np.int64)
    for i, values in enumerate(cell_values(query, terms)):
        kind = column_term(terms, query.dimensions[i].column).type
        known = {key(kind, text): place for place, text in enumerate(values)}
        column = raw.column(f"d{i}").combine_chunks().dictionary_encode()
        texts = column.dictionary.to_pylist()
        found = [None if text is None else known.get(key(kind, text)) for text in texts]
        if None in found or column.null_count:
            raise _inconsistent()
        codes = column.indices.to_numpy(zero_copy_only=False)
        places = places * len(values) + np.asarray(found, np.int64)[codes]
    return places


def _steps(column: pa.ChunkedArray, mechanism: Mechanism) -> list[int]:
    """Exact sums to the nearest step. Rounding and cutting never move two sums further apart than whole steps."""
    digits, step = Decimal(10**mechanism.bound.scale), mechanism.step
    scaled = (int(_EXACT.multiply(Decimal(value), digits)) for value in column.to_pylist())
    return [max(-_LARGEST, min(_LARGEST, (value + step // 2) // step)) for value in scaled]


def _inconsistent() -> Refused:
    return Refused("disclosure.raw", say("The engine's answer is not consistent; nothing is released."))
