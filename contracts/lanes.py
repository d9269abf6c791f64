"""The lanes a provider chooses when it decides: for the counts of its datasets and for each of their measures.

Stored with the decision as `lanes`: {"electricity.": {"lane": "table"}, "electricity.kwh": {"lane": "private",
"low": 0, "high": 5000}}, where "electricity." stands for the counts of rows and units of the dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.schema import Grade
from contracts.policy.strictest import privacy_for, strictest_privacy
from contracts.policy.terms import ColumnRole, ColumnTerm, DatasetTerm, Lane, PrivacyTerms
from contracts.policy.validate import MAX_BOUND, PRIVACY_BOUNDS

BUDGETS = 4  # a dataset's budget is that of so many contracts at the defaults of its grade
CHOICE = frozenset({"lane", "low", "high"})

Choices = Mapping[str, Mapping[str, Any]]


def check_choices(choices: Choices, names: Iterable[str]) -> None:
    """Raise Refused("request.lanes") unless each choice is for a dataset in `names` and is one a contract can hold."""
    own = set(names)
    for what, choice in choices.items():
        dataset, _dot, column = what.partition(".")
        if dataset not in own:
            raise _wrong(what, _("Choose lanes for the datasets you provide only."))
        if not choice.keys() <= CHOICE or choice.get("lane") not in set(Lane):
            raise _wrong(what, _("Choose the lane table, perturbed or private."))
        bounds = [choice.get("low", 0), choice.get("high", 0)]
        whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds)
        if not whole or not -MAX_BOUND <= bounds[0] <= 0 <= bounds[1] <= MAX_BOUND:
            raise _wrong(
                what, _("Bounds are whole numbers: the lower one at most 0, the upper one at least 0.")
            )
        if column and choice["lane"] == Lane.PRIVATE and bounds[0] == bounds[1]:
            raise _wrong(
                what, _("The private lane needs bounds: how much one unit may contribute to a cell.")
            )


def _wrong(what: str, reason: Any) -> Refused:
    return Refused("request.lanes", reason, field=what)


def in_lanes(dataset: DatasetTerm, choices: Choices, grade: Grade) -> DatasetTerm:
    """The dataset's term with the chosen lanes; exact tables where nothing is chosen."""
    chosen = replace(
        dataset,
        lane=Lane(choices.get(f"{dataset.name}.", {}).get("lane", Lane.TABLE)),
        columns=tuple(_column(c, choices.get(f"{dataset.name}.{c.name}", {})) for c in dataset.columns),
    )
    if Lane.PRIVATE not in chosen.lanes:
        return chosen
    return replace(chosen, budget=BUDGETS * privacy_for(grade).contract_budget)


def _column(column: ColumnTerm, choice: Mapping[str, Any]) -> ColumnTerm:
    if column.role is not ColumnRole.MEASURE or not choice:
        return column
    lane = Lane(choice["lane"])
    bounded = lane is Lane.PRIVATE
    return replace(
        column,
        lane=lane,
        low=choice.get("low", 0) if bounded else 0,
        high=choice.get("high", 0) if bounded else 0,
    )


def privacy_terms(
    datasets: Iterable[DatasetTerm], grades: Iterable[Grade], limits: Iterable[Mapping[str, Any]]
) -> PrivacyTerms | None:
    """The private lane's limits: by grade, stricter where a decider asks for it. None without that lane."""
    if not any(Lane.PRIVATE in dataset.lanes for dataset in datasets):
        return None
    terms = strictest_privacy(*(privacy_for(grade) for grade in grades))
    for limit in limits:
        asked = {name: value for name, value in limit.items() if name in PRIVACY_BOUNDS}
        if asked:
            terms = strictest_privacy(terms, replace(terms, **asked))
    return replace(terms, query_budget=min(terms.query_budget, terms.contract_budget))
