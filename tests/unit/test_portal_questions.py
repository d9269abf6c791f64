"""A question in words, the rules in words, the reference beside the editor."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from django.http import QueryDict
from django.utils import translation

from contracts.policy.terms import DisclosureTerms
from dataspace.portal.advice import places
from dataspace.portal.forms.compute import Builder, Chosen, text_question
from dataspace.portal.questions import example, in_words, meaning
from dataspace.portal.reference import tables
from dataspace.portal.rules import limits_in_words, reason_words, rule_words
from sandbox.disclosure.findings import Rule
from sandbox.guard import check_query, check_sql
from tests.unit.guard_terms import OPEN, TERMS

NAMES = {
    "d-loans": "企业贷款",
    "loans.district": "所在区县 (district)",
    "loans.enterprise": "企业的统一社会信用代码(GB 32100),发布时替换为假名 (enterprise)",
    "loans.amount": "贷款余额(万元) (amount)",
}


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def test_a_meaning_that_is_a_sentence_becomes_a_short_label() -> None:
    assert meaning(("loans", "enterprise"), NAMES) == "企业的统一社会信用代码"
    assert meaning(("loans", "amount"), NAMES) == "贷款余额(万元)"
    assert meaning(("loans", "staff"), NAMES) == "staff"


def test_everything_that_decides_the_answer_is_said() -> None:
    text = """select district, count(distinct enterprise) as firms, sum(amount) total from loans where year in (2023, 2024)
              group by 1 with totals having count(distinct enterprise) >= 20 order by total desc limit 5"""
    words = {str(fact.label): str(fact.value) for fact in in_words(check_sql(text, TERMS), TERMS, NAMES)}
    assert words == {
        "From": "企业贷款 (loans)",
        "For each": "district (所在区县)",
        "Only where": "year = 2023, 2024",
        "Measured": "total (sum of 贷款余额(万元))",
        "Rows kept": "firms ≥ 20",
        "Sorted by": "total, descending",
        "At most": "5 rows",
        "Totals": "of what is published",
    }


def test_the_example_is_a_question_the_contract_answers() -> None:
    query = example(TERMS, NAMES)
    assert check_query(query.to_json(), TERMS) == query
    assert query.labels == ("所在区县", "Contributors", "贷款余额(万元): sum")


def test_what_is_ticked_for_a_question_asks_it_again() -> None:
    texts = (
        "select district, count(*), count(distinct enterprise) x, sum(amount), avg(amount), count(note) from loans group by 1",
        "select sector, sum(amount), sum(kwh) from loans join power on enterprise = firm where district = '历下' group by 1",
    )
    for text in texts:
        asked = check_sql(text, TERMS)
        question = Chosen.of_query(asked).question(TERMS, NAMES)
        again = check_query(question.query or {}, TERMS)
        assert replace(again, dimensions=(), measures=()) == replace(asked, dimensions=(), measures=())
        assert [d.column for d in again.dimensions] == [d.column for d in asked.dimensions]
        assert [(m.aggregate, m.column) for m in again.measures] == [
            (m.aggregate, m.column) for m in asked.measures
        ]


def test_ticks_come_back_from_the_form_as_they_were_sent() -> None:
    chosen = Chosen.of_query(
        check_sql("select district, sum(amount) from loans where year = 2024 group by 1 with totals", TERMS)
    )
    sent = QueryDict(mutable=True)
    builder = Builder.of(TERMS, NAMES, chosen)
    ticks = [t for b in builder.blocks for row in b.dimensions for t in (row.group, *row.values)]
    ticks += [t for b in builder.blocks for row in b.measures for t in row.ticks if t] + [
        b.use for b in builder.blocks
    ]
    for tick in (*ticks, *builder.counts):
        if tick.ticked:
            sent.appendlist(tick.name, tick.value)
    sent["totals"] = "1"
    assert Chosen.of_post(sent) == chosen


def test_line_ends_of_browsers_do_not_shift_places() -> None:
    sent = QueryDict(mutable=True)
    sent["sql"] = "SELECT\r\n x"
    assert text_question(sent).text == "SELECT\n x"


def test_every_piece_offered_beside_the_editor_is_accepted() -> None:
    for table in tables(TERMS, NAMES):
        for column in table.columns:
            for piece in column.uses:
                group = " group by 1" if column.values else ""
                counted = ", count(*)" if group else ""
                check_sql(f"select {piece}{counted} from {table.name}{group}", TERMS)
            for value in column.values:
                check_sql(f"select count(*) from {table.name} where {column.name} in ({value})", TERMS)
    power = next(table for table in tables(TERMS, NAMES) if table.name == "power")
    check_sql(f"select count(*) from power {power.joins[0]}", TERMS)


def test_every_limit_of_a_contract_has_its_words() -> None:
    terms = DisclosureTerms(11, 3, 77, 13, 7, 4, 5, 1234, 17, 0, 421, 29)
    words = " ".join(limits_in_words(terms))
    for field in fields(terms):
        if field.name not in {"show_zeros", "allow_scripts"}:
            assert str(getattr(terms, field.name)) in words, field.name
    assert limits_in_words(replace(terms, show_zeros=1)) != limits_in_words(terms)
    assert limits_in_words(replace(terms, allow_scripts=1)) != limits_in_words(terms)


def test_rules_without_effect_are_not_claimed() -> None:
    said = limits_in_words(OPEN.disclosure)
    assert (
        len(said) == 7
    )  # contributors, complementary suppression, remainders, zeros, memory and the size remain
    assert not rule_words([{"rule": "round_counts", "base": 1}, {"rule": "sum_digits", "digits": 0}])


def test_every_rule_has_words_for_a_reviewer() -> None:
    assert len({reason_words(rule.value) for rule in Rule}) == len(Rule)


def test_a_problem_keeps_its_place_and_says_what_to_do() -> None:
    problem = {"code": "guard.column", "reason": "no", "line": 3, "column": 8, "term": "distrikt"}
    (place,) = places([problem])
    assert (place.line, place.column, place.length) == (3, 8, 8)
    assert place.advice
    (elsewhere,) = places([{"code": "contract.quota", "reason": "used up"}])
    assert (elsewhere.line, elsewhere.advice) == (0, "")
