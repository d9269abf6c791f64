"""A question in the words of the contract's columns: its labels, its sentence, and an example to begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Terms
from dataspace.portal.parts import Fact
from sandbox.guard import AggregateQuery, check_query
from sandbox.guard.outputs import MAX_LABEL
from sandbox.guard.query import VERSION, ColumnRef, Comparison, Filter, Measure
from sandbox.models import Computation

Names = Mapping[str, str]  # of `contracts.names.names_in`
Ref = tuple[str, str]  # dataset, column

SHORT_MEANING = 14  # characters from which a bracket is left out
_CLAUSE_END = re.compile("[,，;；。:：]")
_BRACKET = re.compile("[(（]")
SHOWN_VALUES = 8  # of a filter in a sentence
EXAMPLE_CELLS = 40  # an example that fits on a page
_COMPARISONS = {
    Comparison.EQ: "=",
    Comparison.GT: ">",
    Comparison.GTE: "≥",
    Comparison.LT: "<",
    Comparison.LTE: "≤",
}


# --- Names ------------------------------------------------------------------------------------------------
def full_meaning(ref: Ref, names: Names) -> str:
    """What a column means, in the provider's words; its name where they said nothing."""
    dataset, column = ref
    return names.get(f"{dataset}.{column}", "").removesuffix(f" ({column})") or column


def meaning(ref: Ref, names: Names) -> str:
    """The same as a label: the first clause of what may be a sentence, and no bracket that makes it long."""
    clause = _CLAUSE_END.split(full_meaning(ref, names), maxsplit=1)[0].strip()
    if len(clause) > SHORT_MEANING:
        clause = _BRACKET.split(clause, maxsplit=1)[0].strip()
    return clause or ref[1]


def title(dataset: DatasetTerm, names: Names) -> str:
    return names.get(dataset.uid, dataset.name)


def label_of(aggregate: Aggregate, ref: Ref | None, names: Names) -> str:
    """What a measure's column is called where the asker does not say."""
    if aggregate is Aggregate.COUNT_ROWS:
        return _("Records")
    if aggregate is Aggregate.COUNT_UNITS or ref is None:
        return _("Contributors")
    words = {
        Aggregate.COUNT: _("%(column)s: records"),
        Aggregate.SUM: _("%(column)s: sum"),
        Aggregate.AVG: _("%(column)s: average"),
    }
    return words[aggregate] % {"column": meaning(ref, names)}


@dataclass(slots=True)
class Labels:
    """The labels of one table: words where the guard takes them for a label, each once."""

    used: set[str] = field(default_factory=set)

    def of(self, aggregate: Aggregate | None, ref: Ref | None, names: Names) -> str:
        """The label of a dimension (no aggregate) or a measure."""
        words = (
            meaning(ref, names)
            if aggregate is None and ref
            else label_of(aggregate or Aggregate.COUNT, ref, names)
        )
        fits = 0 < len(words) <= MAX_LABEL and words.isprintable() and words == words.strip()
        plain = ".".join(ref or ())
        label = (
            words if fits and words not in self.used else f"{aggregate.value} {plain}" if aggregate else plain
        )
        self.used.add(label)
        return label


def title_of_computation(computation: Computation) -> str:
    """As the asker called it; else what is measured by what, in the labels of the question."""
    if computation.title:
        return computation.title
    asked = computation.query
    values = {"what": _list([m["label"] for m in asked["measures"]])}
    groups = " × ".join(d["label"] for d in asked["dimensions"])
    return _("%(what)s by %(groups)s") % {**values, "groups": groups} if groups else values["what"]


# --- In words ---------------------------------------------------------------------------------------------
def in_words(query: AggregateQuery, terms: Terms, names: Names) -> list[Fact]:
    """The question as facts: what is read, how it is grouped, filtered, measured, arranged."""
    found = [Fact(_("From"), _sources(query, terms, names))]
    if query.joins:
        joins = [
            f"{j.left.dataset}.{j.left.column} = {j.right.dataset}.{j.right.column}" for j in query.joins
        ]
        found.append(Fact(_("Joined on"), _list(joins)))
    if query.dimensions:
        groups = [_named(d.label, meaning(_pair(d.column), names)) for d in query.dimensions]
        found.append(Fact(_("For each"), " × ".join(groups)))
    found += [Fact(_("Only where"), _filter(f, names)) for f in query.filters]
    found += [Fact(_("Measured"), _measure(m, query, terms, names)) for m in query.measures]
    return found + _arrangement(query)


def _sources(query: AggregateQuery, terms: Terms, names: Names) -> str:
    datasets = [d for name in query.sources if (d := terms.dataset(name)) is not None]
    return _list([_named(title(d, names), d.name) for d in datasets])


def _filter(condition: Filter, names: Names) -> str:
    shown = _list(list(condition.values[:SHOWN_VALUES]))
    more = len(condition.values) - SHOWN_VALUES
    if more > 0:
        rest = ngettext("and %(count)d more value", "and %(count)d more values", more) % {"count": more}
        shown = f"{shown} {rest}"
    return f"{meaning(_pair(condition.column), names)} = {shown}"


def _measure(measure: Measure, query: AggregateQuery, terms: Terms, names: Names) -> str:
    return _named(measure.label, _counted(measure, query, terms, names))


def _counted(measure: Measure, query: AggregateQuery, terms: Terms, names: Names) -> str:
    if measure.aggregate is Aggregate.COUNT_ROWS:
        return _("number of records")
    if measure.aggregate is Aggregate.COUNT_UNITS:
        units = [(d.name, d.unit.name) for n in query.sources if (d := terms.dataset(n)) and d.unit]
        return _("number of different %(unit)s") % {"unit": meaning(units[0], names)}
    words = {
        Aggregate.COUNT: _("number of records with %(column)s"),
        Aggregate.SUM: _("sum of %(column)s"),
        Aggregate.AVG: _("average of %(column)s"),
    }
    assert measure.column is not None  # counts are above
    return words[measure.aggregate] % {"column": meaning(_pair(measure.column), names)}


def _arrangement(query: AggregateQuery) -> list[Fact]:
    """What happens to the protected table."""
    found = [
        Fact(_("Rows kept"), f"{bound.label} {_COMPARISONS[bound.comparison]} {bound.value:,}")
        for bound in query.having
    ]
    if query.order:
        words = [
            _("%(label)s, descending") % {"label": o.label} if o.descending else o.label for o in query.order
        ]
        found.append(Fact(_("Sorted by"), _list(words)))
    if query.limit is not None:
        found.append(
            Fact(_("At most"), ngettext("%(n)d row", "%(n)d rows", query.limit) % {"n": query.limit})
        )
    if query.totals:
        found.append(Fact(_("Totals"), _("of what is published")))
    return found


def _named(label: str, what: str) -> str:
    return label if label == what else _("%(label)s (%(what)s)") % {"label": label, "what": what}


def _list(parts: list[str]) -> str:
    return _(", ").join(parts)


def _pair(ref: ColumnRef) -> Ref:
    return ref.dataset, ref.column


# --- An example to begin with -----------------------------------------------------------------------------
def example(terms: Terms, names: Names, name: str = "") -> AggregateQuery:
    """A question the contract answers: the dataset `name` (or the first) by its first dimension, its units and first
    measure.
    """
    dataset = terms.dataset(name) or terms.datasets[0]
    labels = Labels()
    dimensions = [
        {"column": [dataset.name, column.name], "label": labels.of(None, (dataset.name, column.name), names)}
        for column in _first_dimension(dataset, terms)
    ]
    counting = Aggregate.COUNT_UNITS if dataset.unit else Aggregate.COUNT_ROWS
    measures: list[dict[str, Any]] = [
        {"aggregate": counting.value, "column": None, "label": labels.of(counting, None, names)}
    ]
    summed = next(
        (c for c in dataset.columns if c.role is ColumnRole.MEASURE and Aggregate.SUM in c.aggregates), None
    )
    if summed is not None:
        ref = (dataset.name, summed.name)
        label = labels.of(Aggregate.SUM, ref, names)
        measures.append({"aggregate": Aggregate.SUM.value, "column": list(ref), "label": label})
    return check_query(question_json(sources=[dataset.name], dimensions=dimensions, measures=measures), terms)


def question_json(**parts: Any) -> dict[str, Any]:
    """The JSON of an `AggregateQuery`: these parts, nothing else asked."""
    return {
        "version": VERSION, "sources": [], "joins": [], "filters": [], "dimensions": [], "measures": [],
        "having": [], "order": [], "limit": None, "totals": False, **parts,
    }  # fmt: skip


def _first_dimension(dataset: DatasetTerm, terms: Terms) -> list[ColumnTerm]:
    """The first that makes a small table: few cells have many contributors each."""
    most = min(EXAMPLE_CELLS, terms.disclosure.max_cells)
    fitting = (c for c in dataset.columns if c.role is ColumnRole.DIMENSION and 1 < len(c.domain) <= most)
    return list(islice(fitting, 1))
