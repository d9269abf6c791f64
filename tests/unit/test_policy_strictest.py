from __future__ import annotations

from dataclasses import astuple, fields, replace
from itertools import pairwise

import pytest
from hypothesis import given

from audit.refusals import Refused
from catalog.schema import Grade
from contracts.policy.strictest import (
    STRICTER,
    STRICTER_PRIVACY,
    check_grade,
    defaults_for,
    is_as_strict,
    privacy_for,
    strictest,
    strictest_privacy,
)
from contracts.policy.terms import DisclosureTerms, PrivacyTerms
from contracts.policy.validate import check_terms
from tests.unit.policy_terms import TERMS, disclosures, privacies

OFFERED = [grade for grade in Grade if grade is not Grade.CORE]


@given(disclosures, disclosures, disclosures)
def test_the_strictest_terms_do_not_depend_on_order_or_repetition(
    a: DisclosureTerms, b: DisclosureTerms, c: DisclosureTerms
) -> None:
    assert strictest(a, b) == strictest(b, a)
    assert strictest(strictest(a, b), c) == strictest(a, strictest(b, c)) == strictest(a, b, c)
    assert strictest(a, a) == strictest(a) == a


@given(disclosures, disclosures)
def test_the_strictest_terms_satisfy_both_providers(a: DisclosureTerms, b: DisclosureTerms) -> None:
    both = strictest(a, b)
    assert is_as_strict(both, a)
    assert is_as_strict(both, b)
    assert all(value in pair for value, *pair in zip(astuple(both), astuple(a), astuple(b), strict=True))


def test_each_parameter_takes_its_stricter_value() -> None:
    mild = DisclosureTerms(5, 1, 90, 5, 1, 0, 5, 5000, 5, 1, 500, 50, 1)
    harsh = DisclosureTerms(20, 3, 70, 20, 10, 2, 2, 100, 20, 0, 50, 5)
    assert strictest(mild, harsh) == harsh
    assert not is_as_strict(mild, harsh)
    for field in fields(DisclosureTerms):
        weaker = replace(harsh, **{field.name: getattr(mild, field.name)})
        assert not is_as_strict(weaker, harsh)


def test_every_parameter_has_a_stricter_value() -> None:
    assert set(STRICTER) == {field.name for field in fields(DisclosureTerms)}
    assert set(STRICTER_PRIVACY) == {field.name for field in fields(PrivacyTerms)}


@given(privacies, privacies)
def test_the_stricter_budget_wins(a: PrivacyTerms, b: PrivacyTerms) -> None:
    both = strictest_privacy(a, b)
    assert both == strictest_privacy(b, a) == strictest_privacy(both, a)
    assert both.contract_budget == min(a.contract_budget, b.contract_budget)
    assert both.delta_exponent == max(a.delta_exponent, b.delta_exponent)


def test_a_higher_grade_has_less_to_spend() -> None:
    for lower, higher in pairwise(OFFERED):
        assert strictest_privacy(privacy_for(lower), privacy_for(higher)) == privacy_for(higher)


def test_a_higher_grade_is_never_milder() -> None:
    for lower, higher in pairwise(OFFERED):
        assert is_as_strict(defaults_for(higher), defaults_for(lower))
        assert defaults_for(higher).min_contributors > defaults_for(lower).min_contributors


@pytest.mark.parametrize("grade", OFFERED)
def test_the_defaults_of_a_grade_can_be_signed(grade: Grade) -> None:
    check_grade(grade, defaults_for(grade))
    assert check_terms(replace(TERMS, disclosure=defaults_for(grade))) == []


def test_core_data_is_never_in_scope() -> None:
    for refused in (lambda: defaults_for(Grade.CORE), lambda: check_grade(Grade.CORE, DisclosureTerms(1000))):
        with pytest.raises(Refused) as caught:
            refused()
        assert caught.value.code == "policy.core_data"


def test_important_data_needs_thirty_contributors() -> None:
    check_grade(Grade.IMPORTANT, DisclosureTerms(min_contributors=30))
    with pytest.raises(Refused) as caught:
        check_grade(Grade.IMPORTANT, DisclosureTerms(min_contributors=29))
    assert caught.value.code == "policy.important_data"
