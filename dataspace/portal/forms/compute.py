"""The two ways to ask: choices of the form builder, and text. Both end in a `Question` that the guard judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, JoinTerm, Terms
from dataspace.portal.questions import Labels, Names, Ref, label_of, meaning, question_json, title
from sandbox.guard import AggregateQuery
from sandbox.services.submit import Question

_WHOLE = (Aggregate.COUNT_ROWS, Aggregate.COUNT_UNITS)  # counts that take no column
SEPARATOR = ":"


def text_question(data: QueryDict) -> Question:
    """Browsers send line ends as CR LF; the record keeps LF."""
    return Question(text=data.get("sql", "").replace("\r\n", "\n"), title=data.get("title", "").strip())


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is ticked. `measures` are (aggregate, dataset.column or ""); order is the asker's."""

    datasets: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    measures: tuple[tuple[str, str], ...] = ()
    joins: tuple[str, ...] = ()
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)  # dataset.column → values kept
    totals: bool = False
    title: str = ""

    @classmethod
    def of_post(cls, data: QueryDict) -> Chosen:
        kept = {
            key.partition(SEPARATOR)[2]: tuple(data.getlist(key))
            for key in data
            if key.startswith(f"only{SEPARATOR}")
        }
        parts = [measure.partition(SEPARATOR) for measure in data.getlist("measure")]
        return cls(
            datasets=tuple(data.getlist("dataset")), dimensions=tuple(data.getlist("by")),
            measures=tuple((name, column) for name, _, column in parts), joins=tuple(data.getlist("join")),
            values=kept, totals="totals" in data, title=data.get("title", "").strip(),
        )  # fmt: skip

    @classmethod
    def of_query(cls, query: AggregateQuery, title: str = "") -> Chosen:
        """What would be ticked to ask `query`; the form knows no HAVING, ORDER BY and LIMIT."""
        return cls(
            datasets=query.sources,
            dimensions=tuple(f"{d.column.dataset}.{d.column.column}" for d in query.dimensions),
            measures=tuple(
                (m.aggregate.value, f"{m.column.dataset}.{m.column.column}" if m.column else "")
                for m in query.measures
            ),
            joins=tuple(
                _join_key(JoinTerm((j.left.dataset, j.left.column), (j.right.dataset, j.right.column)))
                for j in query.joins
            ),
            values={f"{f.column.dataset}.{f.column.column}": f.values for f in query.filters},
            totals=query.totals,
            title=title,
        )

    def question(self, terms: Terms, names: Names) -> Question:
        """As JSON for the guard, which refuses whatever the contract does not hold."""
        labels = Labels()
        dimensions = [
            {"column": list(ref), "label": labels.of(None, ref, names)} for ref in map(_ref, self.dimensions)
        ]
        measures = [_measure(name, column, labels, names) for name, column in self.measures]
        columns = [*self.dimensions, *(column for _, column in self.measures if column), *self.values]
        sources = sorted({*self.datasets, *(_ref(column)[0] for column in columns)})
        data = question_json(
            sources=sources, dimensions=dimensions, measures=measures, joins=self._joins(terms, sources),
            filters=[{"column": list(_ref(c)), "values": list(values)} for c, values in sorted(self.values.items())],
            totals=self.totals,
        )  # fmt: skip
        return Question(query=data, title=self.title)

    def _joins(self, terms: Terms, sources: list[str]) -> list[list[list[str]]]:
        wanted = [join for join in terms.joins if _join_key(join) in self.joins]
        return [
            sorted([list(join.left), list(join.right)])
            for join in wanted
            if {join.left[0], join.right[0]} <= set(sources)
        ]


def _measure(name: str, column: str, labels: Labels, names: Names) -> dict[str, Any]:
    ref = _ref(column) if column else None
    known = next((aggregate for aggregate in Aggregate if aggregate == name), None)
    label = labels.of(known, ref, names) if known else name
    return {"aggregate": name, "column": list(ref) if ref else None, "label": label}


def _ref(text: str) -> Ref:
    dataset, _, column = text.partition(".")
    return dataset, column


def _join_key(join: JoinTerm) -> str:
    return "=".join(sorted(map(".".join, (join.left, join.right))))


# --- What there is to tick ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tick:
    """One box: `name=value` is sent if it is ticked."""

    name: str
    value: str
    label: str
    ticked: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class DimensionRow:
    group: Tick
    values: list[Tick]
    kept: int  # values ticked; 0 keeps all


@dataclass(frozen=True, slots=True)
class MeasureRow:
    label: str
    name: str
    ticks: list[Tick | None]  # one per entry of `MEASURED`; None where the contract does not allow it


@dataclass(frozen=True, slots=True)
class DatasetBlock:
    use: Tick
    dimensions: list[DimensionRow]
    measures: list[MeasureRow]
    unit: str  # what the privacy unit is; "" where the dataset has none


MEASURED = {Aggregate.SUM: _("sum"), Aggregate.AVG: _("average"), Aggregate.COUNT: _("records")}


@dataclass(frozen=True, slots=True)
class Builder:
    """The form builder's page: a block for each dataset, the joins, what is counted."""

    blocks: list[DatasetBlock]
    counts: list[Tick]
    joins: list[Tick]
    totals: bool
    title: str

    @classmethod
    def of(cls, terms: Terms, names: Names, chosen: Chosen) -> Builder:
        measures = set(chosen.measures)
        counts = [
            Tick("measure", f"{a.value}{SEPARATOR}", label_of(a, None, names), (a.value, "") in measures)
            for a in _WHOLE
            if a is Aggregate.COUNT_ROWS or any(d.unit for d in terms.datasets)
        ]
        joins = [_join_tick(join, names, chosen) for join in terms.joins]
        blocks = [_block(dataset, names, chosen, measures) for dataset in terms.datasets]
        return cls(blocks, counts, joins, chosen.totals, chosen.title)


def _block(
    dataset: DatasetTerm, names: Names, chosen: Chosen, measures: set[tuple[str, str]]
) -> DatasetBlock:
    columns = [(f"{dataset.name}.{c.name}", c) for c in dataset.columns]
    return DatasetBlock(
        use=Tick(
            "dataset", dataset.name, title(dataset, names), dataset.name in chosen.datasets, dataset.name
        ),
        dimensions=[
            _dimension(k, c, dataset, names, chosen) for k, c in columns if c.role is ColumnRole.DIMENSION
        ],
        measures=[
            MeasureRow(meaning((dataset.name, c.name), names), c.name, _measure_ticks(key, c, measures))
            for key, c in columns
            if c.role is ColumnRole.MEASURE
        ],
        unit=meaning((dataset.name, dataset.unit.name), names) if dataset.unit else "",
    )


def _dimension(
    key: str, column: ColumnTerm, dataset: DatasetTerm, names: Names, chosen: Chosen
) -> DimensionRow:
    kept = chosen.values.get(key, ())
    label = meaning((dataset.name, column.name), names)
    values = [Tick(f"only{SEPARATOR}{key}", value, value, value in kept) for value in column.domain]
    return DimensionRow(
        Tick("by", key, label, key in chosen.dimensions, column.name),
        values,
        sum(tick.ticked for tick in values),
    )


def _measure_ticks(key: str, column: ColumnTerm, measures: Iterable[tuple[str, str]]) -> list[Tick | None]:
    return [
        Tick("measure", f"{a.value}{SEPARATOR}{key}", str(word), (a.value, key) in measures)
        if a in column.aggregates
        else None
        for a, word in MEASURED.items()
    ]


def _join_tick(join: JoinTerm, names: Names, chosen: Chosen) -> Tick:
    key = _join_key(join)
    label = " = ".join(".".join(side) for side in (join.left, join.right))
    nothing_said = not chosen.joins and len(chosen.datasets) < 2
    return Tick("join", key, label, key in chosen.joins or nothing_said, meaning(join.left, names))
