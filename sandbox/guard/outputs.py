"""The SELECT list and what refers to it: dimensions, measures, GROUP BY, HAVING, ORDER BY. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from audit.wording import say, template
from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm
from sandbox.guard.draft import Bound, Draft, Name, Output, Reference, Sort
from sandbox.guard.problems import Problems
from sandbox.guard.query import COUNTS, ColumnRef, Dimension, Having, Measure, OrderBy
from sandbox.guard.sources import Scope

MAX_MEASURES = 12
MAX_LABEL = 64
_NUMERIC = {ColumnType.INTEGER, ColumnType.DECIMAL}
_ONLY_COUNTED = template(
    "%(column)s is the privacy unit: it can only be counted, as COUNT(DISTINCT %(column)s)."
)
_NOT_A_DIMENSION: dict[ColumnRole, str] = {
    ColumnRole.MEASURE: template("The contract allows %(column)s as a measure, not as a dimension."),
    ColumnRole.JOIN_KEY: template("The contract allows %(column)s as a join key, not as a dimension."),
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """The checked SELECT list, in the asker's order; `items` keeps columns that had a problem as None."""

    items: tuple[Dimension | Measure | None, ...]

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        return tuple(i for i in self.items if isinstance(i, Dimension))

    @property
    def measures(self) -> tuple[Measure, ...]:
        return tuple(i for i in self.items if isinstance(i, Measure))


def check_outputs(draft: Draft, scope: Scope) -> Outputs:
    outputs = Outputs(tuple(_item(output, scope) for output in draft.outputs))
    _check_labels(draft, outputs, scope.problems)
    limits = scope.terms.disclosure
    if len(outputs.dimensions) > limits.max_dimensions:
        reason = say(
            "The contract allows at most %(most)d dimensions in one table.", most=limits.max_dimensions
        )
        scope.problems.add("guard.too_many_dimensions", reason, draft.outputs[-1].place)
    if len(outputs.measures) > MAX_MEASURES:
        reason = say("At most %(most)d aggregates in one query.", most=MAX_MEASURES)
        scope.problems.add("guard.too_many_measures", reason, draft.outputs[-1].place)
    if None not in outputs.items and not outputs.measures:
        scope.problems.add("guard.measure", say("Select at least one aggregate, such as COUNT(*)."))
    _check_contributors(draft, outputs, scope)
    return outputs


def _item(output: Output, scope: Scope) -> Dimension | Measure | None:
    if output.aggregate is Aggregate.COUNT_ROWS:
        return Measure(Aggregate.COUNT_ROWS, None, _label(output.label, "count_rows"))
    found = None if output.name is None else scope.resolve(output.name)
    if found is None:
        return None
    ref, column = found
    name = output.name or Name("", column.name, output.place)
    if output.aggregate is None:
        return _dimension(ref, column, output, name, scope.problems)
    if output.aggregate is Aggregate.COUNT_UNITS:
        if column.role is ColumnRole.UNIT:
            return Measure(Aggregate.COUNT_UNITS, None, _label(output.label, "count_units"))
        reason = say("COUNT(DISTINCT ...) counts the privacy unit and nothing else.")
        scope.problems.add("guard.unit", reason, name.place)
        return None
    return _measure(ref, column, output.aggregate, output.label, name, scope.problems)


def _label(asked: str | None, default: str) -> str:
    return default if asked is None else asked


def _dimension(
    ref: ColumnRef, column: ColumnTerm, output: Output, name: Name, problems: Problems
) -> Dimension | None:
    if column.role is ColumnRole.DIMENSION and column.domain:
        return Dimension(ref, _label(output.label, column.name))
    if column.role is ColumnRole.UNIT:
        problems.add("guard.unit", say(_ONLY_COUNTED, column=column.name), name.place)
    elif column.role is ColumnRole.DIMENSION:
        reason = say("%(column)s has no declared domain to group by.", column=column.name)
        problems.add("guard.domain", reason, name.place)
    else:
        reason = say(_NOT_A_DIMENSION[column.role], column=column.name)
        problems.add("guard.role", reason, name.place)
    return None


def _measure(
    ref: ColumnRef,
    column: ColumnTerm,
    aggregate: Aggregate,
    label: str | None,
    name: Name,
    problems: Problems,
) -> Measure | None:
    numeric = aggregate is Aggregate.COUNT or column.type in _NUMERIC
    if column.role is ColumnRole.MEASURE and aggregate in column.aggregates and numeric:
        return Measure(aggregate, ref, _label(label, f"{aggregate.value}_{column.name}"))
    if column.role is ColumnRole.UNIT:
        problems.add("guard.unit", say(_ONLY_COUNTED, column=column.name), name.place)
    else:
        use = f"{aggregate.value.upper()}({column.name})"
        reason = say("The contract does not allow %(use)s.", use=use)
        problems.add("guard.role", reason, name.place)
    return None


def _check_labels(draft: Draft, outputs: Outputs, problems: Problems) -> None:
    seen: set[str] = set()
    columns: set[ColumnRef] = set()
    for output, item in zip(draft.outputs, outputs.items, strict=True):
        if item is None:
            continue
        if not _printable(item.label):
            reason = say(
                "A label is 1 to %(most)d printable characters without blanks at its ends.", most=MAX_LABEL
            )
            problems.add("guard.label", reason, output.place)
        elif item.label in seen:
            reason = say('Two columns are called "%(label)s": name one with AS.', label=item.label)
            problems.add("guard.label", reason, output.place)
        seen.add(item.label)
        if isinstance(item, Dimension):
            if item.column in columns:
                reason = say("%(column)s is selected twice.", column=item.column.column)
                problems.add("guard.group_by", reason, output.place)
            columns.add(item.column)


def _printable(label: str) -> bool:
    """No control, format, private or unassigned characters: a label must show what it is."""
    plain = all(unicodedata.category(c)[0] not in "CZ" or c == " " for c in label)
    return plain and 0 < len(label) <= MAX_LABEL and label == label.strip()


def _check_contributors(draft: Draft, outputs: Outputs, scope: Scope) -> None:
    """Where no source has a privacy unit, the rows of the one measured dataset are the contributors."""
    measured = {m.column.dataset for m in outputs.measures if m.column is not None}
    if not scope.units and len(measured) > 1:
        reason = say(
            "These datasets have no privacy unit to count: take the measures of one query from one dataset."
        )
        scope.problems.add("guard.unit", reason, draft.outputs[-1].place)


def check_groups(draft: Draft, outputs: Outputs, scope: Scope) -> None:
    """GROUP BY names exactly the selected dimensions."""
    named = [_refer(r, draft, outputs, scope, "guard.group_by") for r in draft.groups]
    if scope.problems.found:
        return
    for reference, item in zip(draft.groups, named, strict=True):
        if isinstance(item, Measure):
            scope.problems.add("guard.group_by", say("GROUP BY names dimensions only."), reference.place)
    missing = [d.column.column for d in outputs.dimensions if d not in named]
    if missing:
        reason = say(
            "Selected but not grouped: %(columns)s. GROUP BY names exactly the selected dimensions.",
            columns=", ".join(missing),
        )
        place = draft.groups[-1].place if draft.groups else draft.outputs[0].place
        scope.problems.add("guard.group_by", reason, place)


def having(bound: Bound, draft: Draft, outputs: Outputs, scope: Scope) -> Having | None:
    item = _refer(bound.reference, draft, outputs, scope, "guard.having")
    if isinstance(item, Measure) and item.aggregate in COUNTS:
        return Having(item.label, bound.comparison, bound.value)
    if item is not None:
        reason = say("HAVING compares a selected count with a whole number.")
        scope.problems.add("guard.having", reason, bound.place)
    return None


def order_by(sort: Sort, draft: Draft, outputs: Outputs, scope: Scope) -> OrderBy | None:
    item = _refer(sort.reference, draft, outputs, scope, "guard.order")
    return None if item is None else OrderBy(item.label, sort.descending)


def _refer(
    reference: Reference, draft: Draft, outputs: Outputs, scope: Scope, code: str
) -> Dimension | Measure | None:
    """The selected item that `reference` means; None, with a problem added, where it means none."""
    if reference.position is not None:
        if 1 <= reference.position <= len(outputs.items):
            return outputs.items[reference.position - 1]
        reason = say("There is no selected column %(position)d.", position=reference.position)
        scope.problems.add(code, reason, reference.place)
        return None
    output = reference.output
    if output is None:
        return None
    labelled = _by_label(output, draft, outputs)
    if labelled is not None:
        return outputs.items[labelled]
    item = _item(output, scope)
    same = [i for i in outputs.items if i is not None and item is not None and _same(i, item)]
    if item is not None and not same:
        scope.problems.add(code, say("Only selected columns can stand here."), reference.place)
    return same[0] if same else None


def _by_label(output: Output, draft: Draft, outputs: Outputs) -> int | None:
    """The index of the selected item that a bare name labels, also where that item itself was refused."""
    if output.aggregate is not None or output.name is None or output.name.qualifier:
        return None
    name = output.name.column
    for i, (asked, item) in enumerate(zip(draft.outputs, outputs.items, strict=True)):
        if name in {asked.label, item.label if item is not None else None}:
            return i
    return None


def _same(a: Dimension | Measure, b: Dimension | Measure) -> bool:
    if isinstance(a, Measure) and isinstance(b, Measure):
        return (a.aggregate, a.column) == (b.aggregate, b.column)
    return isinstance(a, Dimension) and isinstance(b, Dimension) and a.column == b.column
