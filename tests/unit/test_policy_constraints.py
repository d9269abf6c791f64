from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.policy.constraints import constraints_of, enforce
from contracts.policy.facts import Action, ColumnUse, Facts, Satisfied
from contracts.policy.terms import Aggregate, ColumnRole, DisclosureTerms, JoinTerm, Lane, PrivacyTerms, Terms
from tests.unit.policy_terms import TERMS

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
JOIN = JoinTerm(("water", "enterprise"), ("loans", "enterprise"))  # in the other order than the contract
USED = (
    ColumnUse("loans", "district", ColumnRole.DIMENSION, values=("历下区",)),
    ColumnUse("loans", "amount", ColumnRole.MEASURE, Aggregate.SUM),
    ColumnUse("loans", "enterprise", ColumnRole.UNIT, Aggregate.COUNT_UNITS),
    ColumnUse("water", "enterprise", ColumnRole.JOIN_KEY),
)
ALL = Facts(
    action=Action.SUBMIT,
    now=NOW,
    consumer=TERMS.assignee,
    purpose=TERMS.purpose,
    scenario=TERMS.scenario,
    runs_used=0,
    used=USED,
    joined=(JOIN,),
    lane=Lane.TABLE,
    answers=0,
    refusals=0,
    charge=0,
    spent=0,
    spent_on=(),
    scripted=False,
    protected_by=DisclosureTerms(),
    released_at=NOW - timedelta(days=1),
)
SUBMIT, START, RELEASE, DOWNLOAD = Action
BEFORE, EVERY = {SUBMIT, START}, set(Action)


def use(
    column: str, role: ColumnRole, aggregate: Aggregate | None = None, *values: str, dataset: str = "loans"
) -> dict[str, Any]:
    return {"used": (*USED, ColumnUse(dataset, column, role, aggregate, values))}


@pytest.mark.parametrize("action", list(Action))
def test_what_keeps_to_the_contract_is_permitted_at_every_step(action: Action) -> None:
    assert enforce(TERMS, replace(ALL, action=action)) == []


@pytest.mark.parametrize(
    ("change", "code", "actions"),
    [
        ({"now": TERMS.valid_from - TICK, "released_at": TERMS.valid_from - timedelta(days=1)}, "contract.not_yet_valid", EVERY),
        ({"now": TERMS.valid_until + TICK, "released_at": TERMS.valid_until}, "contract.expired", EVERY),
        ({"consumer": "urn:org:other"}, "contract.consumer", EVERY),
        ({"consumer": None}, "contract.fact_missing", EVERY),
        ({"purpose": "marketing"}, "contract.purpose", BEFORE),
        ({"purpose": None}, "contract.fact_missing", BEFORE),
        ({"scenario": "marketing"}, "contract.scenario", BEFORE),
        ({"scenario": None}, "contract.fact_missing", BEFORE),
        ({"answers": 200}, "contract.answers", BEFORE),
        ({"answers": None}, "contract.fact_missing", BEFORE),
        ({"refusals": 20}, "contract.lane_closed", BEFORE),
        ({"scripted": True}, "contract.no_scripts", BEFORE),
        ({"lane": Lane.PRIVATE}, "contract.lane", BEFORE),
        ({"runs_used": 100}, "contract.quota", BEFORE),
        ({"runs_used": None}, "contract.fact_missing", BEFORE),
        ({"used": None}, "contract.fact_missing", BEFORE),
        (use("phone", ColumnRole.DIMENSION), "contract.column", BEFORE),
        (use("amount", ColumnRole.MEASURE, Aggregate.SUM, dataset="secret"), "contract.column", BEFORE),
        (use("enterprise", ColumnRole.DIMENSION), "contract.column_role", BEFORE),
        (use("amount", ColumnRole.DIMENSION), "contract.column_role", BEFORE),
        (use("district", ColumnRole.MEASURE, Aggregate.COUNT), "contract.column_role", BEFORE),
        (use("district", ColumnRole.JOIN_KEY), "contract.column_role", BEFORE),
        (use("meter", ColumnRole.UNIT, Aggregate.COUNT_UNITS, dataset="water"), "contract.column_role", BEFORE),
        (use("amount", ColumnRole.MEASURE, Aggregate.COUNT), "contract.aggregate", BEFORE),
        (use("amount", ColumnRole.MEASURE, None), "contract.aggregate", BEFORE),
        (use("district", ColumnRole.DIMENSION, Aggregate.SUM), "contract.aggregate", BEFORE),
        (use("enterprise", ColumnRole.UNIT, None), "contract.aggregate", BEFORE),
        (use("district", ColumnRole.DIMENSION, None, "历下区", "天桥区"), "contract.value", BEFORE),
        (use("enterprise", ColumnRole.JOIN_KEY, None, "E-1"), "contract.value", BEFORE),
        ({"joined": None}, "contract.fact_missing", BEFORE),
        ({"joined": (JOIN, JoinTerm(("loans", "enterprise"), ("water", "meter")))}, "contract.join", BEFORE),
        ({"protected_by": DisclosureTerms(min_contributors=9)}, "contract.protection", {RELEASE}),
        ({"protected_by": DisclosureTerms(sum_digits=0)}, "contract.protection", {RELEASE}),
        ({"protected_by": None}, "contract.fact_missing", {RELEASE}),
        ({"released_at": NOW - timedelta(days=30) - TICK}, "contract.retention", {DOWNLOAD}),
        ({"released_at": NOW + TICK}, "contract.not_released", {DOWNLOAD}),
        ({"released_at": None}, "contract.fact_missing", {DOWNLOAD}),
    ],
    ids=str,
)  # fmt: skip
def test_a_broken_term_is_refused_with_its_code_at_each_step_it_belongs_to(
    change: dict[str, Any], code: str, actions: set[Action]
) -> None:
    facts = replace(ALL, **change)
    refused = {a for a in Action if [v.code for v in enforce(TERMS, replace(facts, action=a))] == [code]}
    permitted = {a for a in Action if enforce(TERMS, replace(facts, action=a)) == []}
    assert refused == actions
    assert permitted == set(Action) - actions


@pytest.mark.parametrize(
    "change",
    [
        {"now": TERMS.valid_from, "released_at": TERMS.valid_from},
        {"now": TERMS.valid_until, "released_at": TERMS.valid_until},
        {"released_at": NOW - timedelta(days=30)},
        {"runs_used": 99},
        {"answers": 199, "refusals": 19},
        {"lane": Lane.PERTURBED, "answers": 199, "refusals": 999},
        {"used": (), "joined": ()},
        {"protected_by": DisclosureTerms(min_contributors=50, sum_digits=1, round_counts=10)},
    ],
    ids=str,
)
def test_the_last_permitted_value_is_permitted(change: dict[str, Any]) -> None:
    facts = replace(ALL, **change)
    assert [enforce(TERMS, replace(facts, action=action)) for action in Action] == [[], [], [], []]


def test_all_violations_are_told_together() -> None:
    facts = replace(ALL, purpose="x", scenario="y", runs_used=500)
    assert [v.code for v in enforce(TERMS, facts)] == [
        "contract.purpose",
        "contract.scenario",
        "contract.quota",
    ]


def test_no_step_is_permitted_on_facts_that_are_not_known() -> None:
    for action in Action:
        assert enforce(TERMS, Facts(action=action, now=NOW))


def test_every_term_but_the_signers_is_enforced() -> None:
    """Changing any one term changes what is demanded of its use."""
    other: dict[str, Any] = {
        "assignee": "urn:org:other",
        "purpose": "other",
        "scenario": "other",
        "datasets": TERMS.datasets[:1],
        "joins": (),
        "disclosure": DisclosureTerms(min_contributors=20),
        "max_runs": 1,
        "valid_from": NOW,
        "valid_until": NOW,
        "retention_days": 1,
        "privacy": PrivacyTerms(),
    }
    assert set(other) == {field.name for field in fields(Terms)} - {"assigners"}
    for name, value in other.items():
        assert constraints_of(replace(TERMS, **{name: value})) != constraints_of(TERMS)


def test_each_constraint_answers_alone() -> None:
    assert {type(constraint.verify(ALL)) for constraint in constraints_of(TERMS)} == {Satisfied}


def test_naive_times_are_not_facts() -> None:
    with pytest.raises(ValueError, match="aware"):
        replace(ALL, now=datetime(2026, 6, 1))
    with pytest.raises(ValueError, match="aware"):
        replace(ALL, released_at=datetime(2026, 6, 1))


PRIVATE = replace(
    TERMS,
    datasets=tuple(replace(d, lane=Lane.PRIVATE, budget=100) for d in TERMS.datasets),
    privacy=PrivacyTerms(contract_budget=50, query_budget=20),
)
LOANS, WATER = (d.uid for d in TERMS.datasets)


@pytest.mark.parametrize(
    ("charge", "spent", "spent_on", "code"),
    [
        (20, 30, ((LOANS, 80),), None),
        (0, 50, ((LOANS, 100),), None),  # paid for before
        (21, 0, ((LOANS, 0),), "contract.query_budget"),
        (20, 31, ((LOANS, 0),), "contract.budget"),
        (20, 0, ((LOANS, 0), (WATER, 81)), "contract.dataset_budget"),
        (1, 0, (("urn:other", 0),), "contract.dataset_budget"),
        (None, 0, (), "contract.fact_missing"),
        (1, None, (), "contract.fact_missing"),
        (1, 0, None, "contract.fact_missing"),
    ],
)
def test_the_private_lane_spends_what_contract_and_datasets_have(
    charge: int | None, spent: int | None, spent_on: tuple[tuple[str, int], ...] | None, code: str | None
) -> None:
    facts = replace(ALL, lane=Lane.PRIVATE, charge=charge, spent=spent, spent_on=spent_on)
    assert [v.code for v in enforce(PRIVATE, facts)] == ([code] if code else [])
