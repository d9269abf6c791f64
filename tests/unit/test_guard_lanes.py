"""One answer leaves in one lane; a question that mixes lanes is refused in words that help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.refusals import Refused
from contracts.policy.terms import Lane, Terms
from sandbox.guard import check_sql
from sandbox.guard.lanes import lane_of
from tests.unit.guard_terms import LOANS, TERMS
from tests.unit.perturbed_lane import PERTURBED


def with_loans(counts: Lane, **columns: Lane) -> Terms:
    moved = tuple(replace(c, lane=columns.get(c.name, c.lane)) for c in LOANS.columns)
    loans = replace(LOANS, lane=counts, columns=moved)
    return replace(TERMS, datasets=(loans, *TERMS.datasets[1:]))


def test_a_question_takes_the_lane_of_all_its_measures() -> None:
    text = "select district, count(*), count(distinct enterprise), sum(amount) from loans group by 1"
    assert lane_of(check_sql(text, TERMS), TERMS) is Lane.TABLE
    assert lane_of(check_sql(text, PERTURBED), PERTURBED) is Lane.PERTURBED
    terms = with_loans(Lane.TABLE, amount=Lane.PERTURBED)
    assert lane_of(check_sql("select sum(amount), avg(amount) from loans", terms), terms) is Lane.PERTURBED
    assert lane_of(check_sql("select count(*), sum(staff) from loans", terms), terms) is Lane.TABLE


MIXED = [
    (
        "select district, count(*) as n, sum(amount) from loans group by 1",
        with_loans(Lane.PERTURBED),
        "n (loans) is published by consistent perturbation, sum_amount by exact tables: ask them in two questions.",
    ),
    (
        "select sum(staff), avg(amount) as mean from loans",
        with_loans(Lane.TABLE, amount=Lane.PRIVATE),
        "sum_staff is published by exact tables, mean by differential privacy: ask them in two questions.",
    ),
    (
        "select count(*) from loans join power on enterprise = firm",
        with_loans(Lane.PERTURBED),
        "count_rows (loans) is published by consistent perturbation, count_rows (power) by exact tables: ask them in two questions.",
    ),
]


@pytest.mark.parametrize(("text", "terms", "reason"), MIXED)
def test_a_mix_of_lanes_is_refused_and_names_the_two(text: str, terms: Terms, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check_sql(text, terms)
    assert (refused.value.code, refused.value.reason) == ("guard.lane", reason)
    assert check_sql(text, TERMS)
