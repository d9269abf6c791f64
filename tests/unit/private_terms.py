"""The contract of `guard_terms` with loans, power and air in the private lane; stations stay outside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from contracts.policy.terms import ColumnRole, DatasetTerm, Lane, Level, PrivacyTerms, Terms
from tests.unit.guard_terms import TERMS

BOUNDS = {"amount": (-100, 1000), "staff": (0, 300), "kwh": (0, 10**9), "pm25": (0, 500)}
OF_UNITS = {"district", "sector"}


def private(dataset: DatasetTerm) -> DatasetTerm:
    columns = []
    for column in dataset.columns:
        change: dict[str, Any] = {}
        if column.role is ColumnRole.MEASURE:
            low, high = BOUNDS.get(column.name, (0, 0))
            change = {"lane": Lane.PRIVATE, "low": low, "high": high}
        elif column.name in OF_UNITS:
            change = {"level": Level.UNIT}
        columns.append(replace(column, **change))
    return replace(dataset, columns=tuple(columns), lane=Lane.PRIVATE, budget=1_000_000)


def with_privacy(**limits: int) -> Terms:
    datasets = tuple(d if d.name == "stations" else private(d) for d in TERMS.datasets)
    return replace(TERMS, datasets=datasets, privacy=PrivacyTerms(**limits))


PRIVATE = with_privacy()
