"""A join that counts values more than once is told before it runs; one that does not is left in peace."""

from __future__ import annotations

import pytest

from sandbox.guard import check_sql
from sandbox.guard.fan_out import fan_out
from tests.unit.guard_terms import TERMS

FROM = "FROM loans JOIN power ON loans.enterprise = power.firm"
MANY, ONE = (100, 10), (10, 10)


def warned(sql: str, **sizes: tuple[int, int]) -> list[str]:
    return [w["reason"] for w in fan_out(check_sql(sql, TERMS), TERMS, sizes)]


def test_sums_over_pairs_of_rows_are_warned_of_with_both_names() -> None:
    [reason] = warned(f"SELECT SUM(power.kwh) AS s {FROM}", loans=MANY, power=MANY)
    assert "loans, power have several rows" in reason
    assert "one period on both sides" in reason


def test_a_value_of_the_single_side_is_repeated_by_the_many_rows_of_the_other() -> None:
    [reason] = warned(f"SELECT SUM(loans.amount) AS s {FROM}", loans=ONE, power=MANY)
    assert "power has several rows" in reason
    assert "repeats each row of loans" in reason
    assert warned(f"SELECT SUM(power.kwh) AS s {FROM}", loans=ONE, power=MANY) == []


@pytest.mark.parametrize("measure", ["COUNT(*)", "AVG(power.kwh)", "COUNT(loans.note)"])
def test_every_measure_of_rows_is_meant(measure: str) -> None:
    assert warned(f"SELECT {measure} AS m {FROM}", loans=MANY, power=MANY)


def test_units_are_counted_right_whatever_the_join_does() -> None:
    assert warned(f"SELECT COUNT(DISTINCT power.firm) AS n {FROM}", loans=MANY, power=MANY) == []


def test_one_period_on_the_many_side_ends_the_warning() -> None:
    both = f"SELECT SUM(power.kwh) AS s {FROM} WHERE power.year = 2024 AND loans.opened = '2024-01-01'"
    assert warned(both, loans=MANY, power=MANY) == []
    one = f"SELECT SUM(power.kwh) AS s {FROM} WHERE power.year = 2024"
    assert warned(one, loans=MANY, power=MANY)


def test_a_filter_that_is_no_period_or_a_coarser_one_does_not_help() -> None:
    sector = f"SELECT SUM(loans.amount) AS s {FROM} WHERE power.sector = 'trade'"
    assert warned(sector, loans=ONE, power=MANY)
    two = f"SELECT SUM(loans.amount) AS s {FROM} WHERE power.year IN (2023, 2024)"
    assert warned(two, loans=ONE, power=MANY)


def test_without_a_join_nothing_is_repeated() -> None:
    assert warned("SELECT SUM(kwh) AS s FROM power", power=MANY) == []
