"""A drawn answer as it is kept, and back, for any arrangement of the same question. Pure.

The kept table has a line for each declared cell of the bare question and a column for each of its measures, in noisy
steps (decimal128(38, 0)): a repeat shows the same noise, however it is arranged.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from contracts.policy.terms import Terms
from sandbox.disclosure.private.answer import Released, publish
from sandbox.disclosure.private.estimates import Noisy
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.disclosure.private.words import intervals
from sandbox.engines.bounding import Statistic, needed_by
from sandbox.guard.bare import bare, measure_label, parts
from sandbox.guard.cells import cell_values
from sandbox.guard.query import AggregateQuery

STEPS = pa.decimal128(38, 0)


def kept(released: Released, question: AggregateQuery, terms: Terms) -> pa.Table:
    """`question` is bare, so that each of its measures is one statistic."""
    cells = list(np.ndindex(tuple(len(values) for values in cell_values(question, terms))))
    columns = [
        pa.array([values[cell[axis]] for cell in cells], pa.string())
        for axis, values in enumerate(cell_values(question, terms))
    ]
    for measure in question.measures:
        (statistic,) = needed_by(measure)
        columns.append(pa.array([int(step) for step in released[statistic].steps], STEPS))
    return pa.Table.from_arrays(columns, names=list(question.labels))


def recalled(table: pa.Table, query: AggregateQuery, terms: Terms) -> Released:
    """The statistics that `query` needs, its cells in the order of its own dimensions."""
    question = bare(query, terms)
    shape = [len(values) for values in cell_values(question, terms)]
    places = {dimension.column: axis for axis, dimension in enumerate(question.dimensions)}
    order = [places[dimension.column] for dimension in query.dimensions]
    # A statistic's share of the budget is that of the whole bare question, which is the query's own.
    mechanisms = {m.statistic: m for m in mechanisms_of(query, terms)}
    labels: dict[Statistic, str] = {}
    for measure in query.measures:
        for statistic, part in zip(needed_by(measure), parts(measure), strict=True):
            labels[statistic] = measure_label(*part)
    found = {}
    for statistic, label in labels.items():
        steps = np.array([int(step) for step in table.column(label).to_pylist()], object)
        found[statistic] = Noisy(mechanisms[statistic], steps.reshape(shape).transpose(order).reshape(-1))
    return found


def arrange_private(table: pa.Table, query: AggregateQuery, terms: Terms) -> pa.Table:
    """As `arrangement.arrange`, and behind the measures the two ends of each one's 95 % interval."""
    answer = publish(recalled(table, query, terms), query, terms)
    whole = _with_intervals(answer.table, answer.errors, query)
    if answer.totals is None or answer.total_errors is None:
        return whole
    return pa.concat_tables([whole, _with_intervals(answer.totals, answer.total_errors, query)])


def _with_intervals(table: pa.Table, errors: pa.Table, query: AggregateQuery) -> pa.Table:
    for measure, names in intervals(query).items():
        found = errors.column(measure).to_pylist()
        for name, end in zip(names, ("low", "high"), strict=True):
            table = table.append_column(
                name, pa.array([None if e is None else e[end] for e in found], pa.float64())
            )
    return table
