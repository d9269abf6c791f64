"""A contract over two small datasets with a privacy unit and two without, shared by guard and disclosure tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from catalog.schema import ColumnType
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Terms,
)

T, R = ColumnType, ColumnRole
NUMBERS = (Aggregate.COUNT, Aggregate.SUM, Aggregate.AVG)

DISTRICTS = ("历下", "市中", "槐荫", "天桥")
YEARS = ("2023", "2024", "2025")
DAYS = ("2024-01-01", "2024-02-01")

LOANS = DatasetTerm(
    "d-loans",
    "loans",
    (
        ColumnTerm("enterprise", T.TEXT, R.UNIT),
        ColumnTerm("district", T.TEXT, R.DIMENSION, DISTRICTS),
        ColumnTerm("year", T.INTEGER, R.DIMENSION, YEARS),
        ColumnTerm("opened", T.DATE, R.DIMENSION, DAYS),
        ColumnTerm("secured", T.BOOLEAN, R.DIMENSION, ("true", "false")),
        ColumnTerm("rate", T.DECIMAL, R.DIMENSION, ("3.5", "4.25", "-1"), scale=2),
        ColumnTerm("amount", T.DECIMAL, R.MEASURE, (), NUMBERS, 2),
        ColumnTerm("staff", T.INTEGER, R.MEASURE, (), (Aggregate.COUNT, Aggregate.SUM)),
        ColumnTerm("note", T.TEXT, R.MEASURE, (), (Aggregate.COUNT,)),
        ColumnTerm("branch", T.TEXT, R.JOIN_KEY),
    ),
)
POWER = DatasetTerm(
    "d-power",
    "power",
    (
        ColumnTerm("firm", T.TEXT, R.UNIT),
        ColumnTerm("sector", T.TEXT, R.DIMENSION, ("industry", "trade")),
        ColumnTerm("year", T.INTEGER, R.DIMENSION, YEARS),
        ColumnTerm("kwh", T.INTEGER, R.MEASURE, (), NUMBERS),
    ),
)
STATIONS = DatasetTerm(
    "d-stations",
    "stations",
    (
        ColumnTerm("code", T.TEXT, R.JOIN_KEY),
        ColumnTerm("zone", T.TEXT, R.DIMENSION, ("north", "south")),
        ColumnTerm("height", T.INTEGER, R.MEASURE, (), NUMBERS),
    ),
)
AIR = DatasetTerm(
    "d-air",
    "air",
    (
        ColumnTerm("station", T.TEXT, R.JOIN_KEY),
        ColumnTerm("hour", T.TEXT, R.DIMENSION, ("00", "12")),
        ColumnTerm("pm25", T.DECIMAL, R.MEASURE, (), NUMBERS, 1),
    ),
)
TERMS = Terms(
    assigners=("provider",),
    assignee="enterprise",
    purpose="credit",
    scenario="finance",
    datasets=(LOANS, POWER, STATIONS, AIR),
    joins=(
        JoinTerm(("loans", "enterprise"), ("power", "firm")),
        JoinTerm(("loans", "year"), ("power", "year")),
        JoinTerm(("air", "station"), ("stations", "code")),
        JoinTerm(("loans", "branch"), ("stations", "code")),
    ),
    disclosure=DisclosureTerms(),
    max_runs=100,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    valid_until=datetime(2027, 1, 1, tzinfo=UTC),
    retention_days=30,
)


def with_limits(**limits: int) -> Terms:
    return replace(TERMS, disclosure=replace(TERMS.disclosure, **limits))


OPEN = with_limits(min_contributors=1, dominance_percent=100, p_percent=0, round_counts=1, sum_digits=0)
