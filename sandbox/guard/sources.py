"""Which datasets a question reads and how they are joined, checked against the contract. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.wording import say
from contracts.policy.terms import ColumnRole, ColumnTerm, DatasetTerm, Terms
from sandbox.guard.draft import Draft, Link, Name
from sandbox.guard.problems import NOWHERE, Place, Problems
from sandbox.guard.query import ColumnRef, JoinOn


@dataclass(slots=True)
class Scope:
    """The datasets in reach of a question, by the name it calls them."""

    terms: Terms
    problems: Problems
    datasets: dict[str, DatasetTerm] = field(default_factory=dict)

    def resolve(self, name: Name) -> tuple[ColumnRef, ColumnTerm] | None:
        """The contract's column that `name` means; None, with a problem added, where not exactly one."""
        if name.qualifier and name.qualifier not in self.datasets:
            reason = say('"%(name)s" is not named after FROM or JOIN.', name=name.qualifier[:60])
            self.problems.add("guard.table", reason, name.place)
            return None
        reach = [self.datasets[name.qualifier]] if name.qualifier else list(self.datasets.values())
        found = [(d, c) for d in reach if (c := d.column(name.column)) is not None]
        if not found:
            reason = say('The contract has no column "%(column)s" here.', column=name.column[:60])
            self.problems.add("guard.column", reason, name.place)
            return None
        if len(found) > 1:
            reason = say(
                '"%(column)s" stands in more than one dataset: write dataset.%(column)s.', column=name.column
            )
            self.problems.add("guard.column", reason, name.place)
            return None
        dataset, column = found[0]
        return ColumnRef(dataset.name, column.name), column

    @property
    def units(self) -> list[DatasetTerm]:
        return [d for d in self.datasets.values() if d.unit is not None]


def open_scope(draft: Draft, terms: Terms, problems: Problems) -> Scope:
    """Look up each source. Without all of them nothing else can be checked, so problems are raised here."""
    scope = Scope(terms, problems)
    seen: set[str] = set()
    for source in draft.sources:
        dataset = terms.dataset(source.dataset)
        if dataset is None:
            reason = say('The contract has no dataset "%(dataset)s".', dataset=source.dataset[:60])
            problems.add("guard.table", reason, source.place)
        elif dataset.name in seen:
            problems.add("guard.join", say("A dataset cannot be joined to itself."), source.place)
        elif source.alias in scope.datasets:
            reason = say('The name "%(name)s" is used twice.', name=source.alias[:60])
            problems.add("guard.table", reason, source.place)
        else:
            seen.add(dataset.name)
            scope.datasets[source.alias] = dataset
    if not draft.sources:
        problems.add("guard.table", say("Name a dataset of the contract after FROM."))
    problems.stop_if_any()
    return scope


def check_joins(draft: Draft, scope: Scope) -> tuple[JoinOn, ...]:
    """The joins in canonical order.

    Ensures: each is a term of the contract, together they connect all sources, and all sources with a
    privacy unit are connected by their unit columns alone, so that one person stays one contributor.
    """
    joins = tuple(sorted({j for link in draft.links if (j := _join(link, scope)) is not None}))
    if scope.problems.found:
        return joins
    place = draft.sources[-1].place if draft.sources else NOWHERE
    names = [d.name for d in scope.datasets.values()]
    if not _connected(names, joins):
        reason = say("Each dataset must be joined to the others on an allowed key.")
        scope.problems.add("guard.join", reason, place)
    else:
        _check_units(scope, joins, place)
    return joins


def _join(link: Link, scope: Scope) -> JoinOn | None:
    left, right = scope.resolve(link.left), scope.resolve(link.right)
    if left is None or right is None:
        return None
    pair = {(left[0].dataset, left[0].column), (right[0].dataset, right[0].column)}
    allowed = any(pair == {join.left, join.right} for join in scope.terms.joins) and len(pair) == 2
    measures = ColumnRole.MEASURE in {left[1].role, right[1].role}
    if not allowed or measures or left[0].dataset == right[0].dataset:
        reason = say(
            "The contract does not allow joining on %(left)s = %(right)s.",
            left=link.left.column,
            right=link.right.column,
        )
        scope.problems.add("guard.join", reason, link.place)
        return None
    low, high = sorted((left[0], right[0]))
    return JoinOn(low, high)


def _check_units(scope: Scope, joins: tuple[JoinOn, ...], place: Place) -> None:
    units = {d.name: d.unit.name for d in scope.units if d.unit is not None}
    on_units = tuple(
        j
        for j in joins
        if units.get(j.left.dataset) == j.left.column and units.get(j.right.dataset) == j.right.column
    )
    if not _connected(list(units), on_units):
        reason = say("These datasets protect a privacy unit each: join them on their unit columns.")
        scope.problems.add("guard.unit", reason, place)


def _connected(names: list[str], joins: tuple[JoinOn, ...]) -> bool:
    if not names:
        return True
    reached, waiting = {names[0]}, [names[0]]
    while waiting:
        here = waiting.pop()
        for join in joins:
            for a, b in ((join.left.dataset, join.right.dataset), (join.right.dataset, join.left.dataset)):
                if a == here and b not in reached:
                    reached.add(b)
                    waiting.append(b)
    return reached >= set(names)
