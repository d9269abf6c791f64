from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from catalog.schema import ColumnType
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    JoinTerm,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)
from contracts.policy.validate import DISCLOSURE_BOUNDS, check_terms
from tests.unit.policy_terms import LOANS, TERMS, WATER

UNIT, DIMENSION, MEASURE, JOIN_KEY = (
    ColumnRole.UNIT,
    ColumnRole.DIMENSION,
    ColumnRole.MEASURE,
    ColumnRole.JOIN_KEY,
)
TEXT, INTEGER, DECIMAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.DECIMAL


def only(*columns: ColumnTerm) -> Terms:
    return replace(TERMS, datasets=(replace(LOANS, columns=columns),), joins=())


def joined(left: tuple[str, str], right: tuple[str, str]) -> Terms:
    return replace(TERMS, joins=(JoinTerm(left, right),))


def found(terms: Terms) -> set[tuple[str, str]]:
    return {(problem.code, problem.path) for problem in check_terms(terms)}


def test_an_ordinary_contract_has_no_problem() -> None:
    assert check_terms(TERMS) == []


@pytest.mark.parametrize(
    ("terms", "code", "path"),
    [
        (replace(TERMS, assigners=()), "terms.empty", "assigners"),
        (replace(TERMS, assigners=("a", "a")), "terms.repeated", "assigners"),
        (replace(TERMS, assigners=("a", " ")), "terms.identity", "assigners[1]"),
        (replace(TERMS, assignee=""), "terms.identity", "assignee"),
        (replace(TERMS, assignee="urn:org:water"), "terms.same_party", "assignee"),
        (replace(TERMS, purpose=" "), "terms.text", "purpose"),
        (replace(TERMS, purpose="a\u202eb"), "terms.text", "purpose"),
        (replace(TERMS, purpose="e\u0301"), "terms.text", "purpose"),
        (replace(TERMS, scenario="x" * 2001), "terms.text", "scenario"),
        (replace(TERMS, datasets=(), joins=()), "terms.empty", "datasets"),
        (replace(TERMS, datasets=(LOANS, replace(WATER, name="loans")), joins=()), "terms.repeated", "datasets"),
        (replace(TERMS, datasets=(LOANS, replace(WATER, uid=LOANS.uid))), "terms.repeated", "datasets"),
        (replace(TERMS, datasets=(replace(LOANS, name="Loans"),), joins=()), "terms.name", "datasets[0].name"),
        (only(), "terms.empty", "datasets[0].columns"),
        (only(ColumnTerm("a", TEXT, JOIN_KEY), ColumnTerm("a", TEXT, JOIN_KEY)), "terms.repeated", "datasets[0].columns"),
        (only(ColumnTerm("a", TEXT, UNIT), ColumnTerm("b", TEXT, UNIT)), "terms.units", "datasets[0].columns"),
        (only(ColumnTerm("_a", TEXT, UNIT)), "terms.name", "datasets[0].columns[0].name"),
        (only(ColumnTerm("a", TEXT, UNIT, scale=1)), "terms.range", "datasets[0].columns[0].scale"),
        (only(ColumnTerm("a", DECIMAL, MEASURE, (), (Aggregate.SUM,), 10)), "terms.range", "datasets[0].columns[0].scale"),
        (only(ColumnTerm("a", TEXT, DIMENSION)), "terms.empty", "datasets[0].columns[0].domain"),
        (only(ColumnTerm("a", TEXT, DIMENSION, ("x", "x"))), "terms.repeated", "datasets[0].columns[0].domain"),
        (only(ColumnTerm("a", TEXT, UNIT, ("x",))), "terms.domain", "datasets[0].columns[0].domain"),
        (only(ColumnTerm("a", TEXT, MEASURE)), "terms.empty", "datasets[0].columns[0].aggregates"),
        (only(ColumnTerm("a", TEXT, MEASURE, (), (Aggregate.SUM,))), "terms.aggregate", "datasets[0].columns[0].aggregates[0]"),
        (only(ColumnTerm("a", ColumnType.DATE, MEASURE, (), (Aggregate.COUNT, Aggregate.AVG))), "terms.aggregate", "datasets[0].columns[0].aggregates[1]"),
        (only(ColumnTerm("a", INTEGER, MEASURE, (), (Aggregate.COUNT_ROWS,))), "terms.aggregate", "datasets[0].columns[0].aggregates[0]"),
        (only(ColumnTerm("a", INTEGER, MEASURE, (), (Aggregate.SUM, Aggregate.SUM))), "terms.repeated", "datasets[0].columns[0].aggregates"),
        (only(ColumnTerm("a", TEXT, DIMENSION, ("x",), (Aggregate.COUNT,))), "terms.aggregate", "datasets[0].columns[0].aggregates"),
        (only(ColumnTerm("a", TEXT, MEASURE, (), (Aggregate.COUNT,), level=Level.UNIT)), "terms.level", "datasets[0].columns[0].level"),
        (only(ColumnTerm("a", TEXT, UNIT, lane=Lane.PERTURBED)), "terms.lane", "datasets[0].columns[0].lane"),
        (only(ColumnTerm("a", INTEGER, MEASURE, (), (Aggregate.SUM,), high=5)), "terms.bounds", "datasets[0].columns[0].low"),
        (only(ColumnTerm("a", INTEGER, MEASURE, (), (Aggregate.SUM,), lane=Lane.PRIVATE)), "terms.bounds", "datasets[0].columns[0].high"),
        (only(ColumnTerm("a", INTEGER, MEASURE, (), (Aggregate.SUM,), lane=Lane.PRIVATE, low=1, high=5)), "terms.range", "datasets[0].columns[0].low"),
        (replace(TERMS, datasets=(replace(LOANS, lane=Lane.PRIVATE, budget=9), WATER)), "terms.privacy", "privacy"),
        (replace(TERMS, datasets=(replace(LOANS, lane=Lane.PRIVATE), WATER), privacy=PrivacyTerms()), "terms.range", "datasets[0].budget"),
        (replace(TERMS, datasets=(replace(LOANS, budget=9), WATER)), "terms.range", "datasets[0].budget"),
        (replace(TERMS, privacy=PrivacyTerms()), "terms.privacy", "privacy"),
        (replace(TERMS, datasets=(replace(LOANS, lane=Lane.PRIVATE, budget=9), WATER), privacy=PrivacyTerms(10, 11)), "terms.privacy", "privacy.query_budget"),
        (joined(("loans", "enterprise"), ("water", "absent")), "terms.join", "joins[0].right"),
        (joined(("absent", "enterprise"), ("water", "enterprise")), "terms.join", "joins[0].left"),
        (joined(("loans", "district"), ("water", "enterprise")), "terms.join", "joins[0].left"),
        (joined(("loans", "enterprise"), ("water", "used")), "terms.join", "joins[0].right"),
        (joined(("loans", "enterprise"), ("water", "meter")), "terms.join", "joins[0]"),
        (joined(("loans", "enterprise"), ("loans", "enterprise")), "terms.join", "joins[0]"),
        (replace(TERMS, joins=(*TERMS.joins, JoinTerm(TERMS.joins[0].right, TERMS.joins[0].left))), "terms.repeated", "joins"),
        (replace(TERMS, valid_until=TERMS.valid_from), "terms.window", "valid_until"),
        (replace(TERMS, valid_until=TERMS.valid_from - timedelta(days=1)), "terms.window", "valid_until"),
        (replace(TERMS, valid_from=datetime(2026, 1, 1)), "terms.time_zone", "valid_from"),
        (replace(TERMS, valid_until=datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=8)))), "terms.time_zone", "valid_until"),
        (replace(TERMS, max_runs=0), "terms.range", "max_runs"),
        (replace(TERMS, max_runs=100_001), "terms.range", "max_runs"),
        (replace(TERMS, max_runs=True), "terms.range", "max_runs"),
        (replace(TERMS, max_runs=1.0), "terms.range", "max_runs"),
        (replace(TERMS, retention_days=0), "terms.range", "retention_days"),
        (replace(TERMS, retention_days=3651), "terms.range", "retention_days"),
    ],
)  # fmt: skip
def test_terms_that_make_no_sense_are_reported_with_their_place(terms: Terms, code: str, path: str) -> None:
    assert (code, path) in found(terms)


@pytest.mark.parametrize("name", list(DISCLOSURE_BOUNDS))
def test_each_disclosure_parameter_stays_in_its_range(name: str) -> None:
    low, high = DISCLOSURE_BOUNDS[name]
    for value, fits in ((low - 1, False), (low, True), (high, True), (high + 1, False)):
        terms = replace(TERMS, disclosure=replace(DisclosureTerms(), **{name: value}))
        assert (found(terms) == set()) is fits


def test_no_disclosure_parameter_is_without_a_range_and_k_is_at_least_three() -> None:
    assert set(DISCLOSURE_BOUNDS) == {field.name for field in fields(DisclosureTerms)}
    assert DISCLOSURE_BOUNDS["min_contributors"][0] == 3


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        (datetime(2026, 3, 1), datetime(2031, 3, 1), True),
        (datetime(2026, 3, 1), datetime(2031, 3, 1, 0, 0, 1), False),
        (datetime(2024, 2, 29), datetime(2029, 2, 28), True),
        (datetime(2024, 2, 29), datetime(2029, 3, 1), False),
        (datetime(9997, 1, 1), datetime(9999, 12, 31), False),
    ],
)
def test_a_contract_runs_for_at_most_five_years(start: datetime, end: datetime, fits: bool) -> None:
    terms = replace(TERMS, valid_from=start.replace(tzinfo=UTC), valid_until=end.replace(tzinfo=UTC))
    assert (check_terms(terms) == []) is fits


@pytest.mark.parametrize(
    ("kind", "scale", "good", "bad"),
    [
        (TEXT, 0, ["历下区", "a b", "x" * 200], ["", " ", "e\u0301", "a\x00", "x" * 201]),
        (INTEGER, 0, ["0", "-7", "42"], ["007", "+7", "1.0", "x", "", " 1", "-0", "１２", "1_000"]),
        (DECIMAL, 2, ["1.50", "-0.01", "10.00"], ["1.5", "1.500", "1e2", "NaN", "Infinity", "-0.00", "x", " 1.50"]),
        (ColumnType.DATE, 0, ["2026-03-01"], ["2026-3-1", "20260301", "2026-02-30", "01/03/2026"]),
        (ColumnType.TIMESTAMP, 0, ["2026-03-01 08:00:00"], ["2026-03-01T08:00:00", "2026-03-01 08:00:00+00:00", "2026-03-01"]),
        (ColumnType.BOOLEAN, 0, ["true", "false"], ["True", "1", "yes", ""]),
    ],
)  # fmt: skip
def test_a_domain_value_has_one_spelling_of_its_type(
    kind: ColumnType, scale: int, good: list[str], bad: list[str]
) -> None:
    def fits(value: str) -> bool:
        return check_terms(only(ColumnTerm("a", kind, DIMENSION, (value,), (), scale))) == []

    assert [value for value in good if not fits(value)] == []
    assert [value for value in bad if fits(value)] == []


def test_all_problems_are_reported_at_once() -> None:
    terms = replace(only(ColumnTerm("A", TEXT, DIMENSION)), purpose="", max_runs=0)
    assert len(check_terms(terms)) == 4


def test_a_problem_tells_nothing_of_the_value() -> None:
    terms = only(ColumnTerm("a", INTEGER, DIMENSION, ("secret-value",)))
    assert all("secret-value" not in problem.message for problem in check_terms(terms))


def test_a_dataset_without_unit_is_allowed() -> None:
    dataset = DatasetTerm("urn:d", "air", (ColumnTerm("pm", INTEGER, MEASURE, (), (Aggregate.AVG,)),))
    assert dataset.unit is None
    assert check_terms(replace(TERMS, datasets=(dataset,), joins=())) == []
