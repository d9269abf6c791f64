from __future__ import annotations

import re
from dataclasses import replace
from string import Formatter

import pytest
from hypothesis import given

from contracts.policy.terms import ColumnRole, DisclosureTerms, Lane, Terms
from contracts.policy.wording import _WORDS, describe
from tests.unit.policy_terms import LOANS, TERMS, WATER, valid_terms

NAMES = {"urn:org:bank": "泉城银行", "urn:dataset:loans": "企业贷款", "loans.amount": "贷款金额"}


def text(terms: Terms, language: str) -> str:
    return "\n".join(f"{label}\t{said}" for label, said in describe(terms, language, names=NAMES))


def test_each_phrase_takes_the_same_values_in_both_languages() -> None:
    for said in _WORDS.values():
        fields = [{field for _, field, _, _ in Formatter().parse(phrase) if field} for phrase in said]
        assert {f.split(".")[0] for f in fields[0]} == {f.split(".")[0] for f in fields[1]}


@given(valid_terms())
def test_every_contract_can_be_told_in_both_languages_in_the_same_order(terms: Terms) -> None:
    chinese, english = describe(terms, "zh-hans"), describe(terms, "en")
    columns = sum(len(d.columns) + (d.unit is None) for d in terms.datasets)
    measures = ColumnRole.MEASURE
    lanes = sum(
        1 + sum(c.role is measures for c in d.columns) + bool(d.budget)
        for d in terms.datasets
        if d.lanes != {Lane.TABLE}
    )
    assert (
        len(chinese)
        == len(english)
        == 18 + columns + lanes + (terms.privacy is not None) + terms.disclosure.allow_scripts
    )
    assert all(label and said for label, said in chinese + english)


@pytest.mark.parametrize("language", ["zh-hans", "zh_Hans", "ZH", "zh-CN"])
def test_chinese_is_chinese_under_any_of_its_tags(language: str) -> None:
    said = text(TERMS, language)
    assert "自 2026年1月1日 08:00 起，至 2027年1月1日 08:00 止（北京时间）。" in said
    assert "数据使用方\t泉城银行" in said
    assert "数据集：企业贷款 (loans)" in said
    assert "贷款金额 (amount)：可以求和、求平均。" in said
    assert "至少由 10 个不同主体构成" in said
    assert "district：可以按它分组和筛选，取值为 “历下区”、“市中区”、“other”。" in said


def test_each_column_and_each_rule_of_protection_has_a_line_of_its_own() -> None:
    said = describe(TERMS, "en", names=NAMES)
    columns = [words for label, words in said if label == "Dataset: 企业贷款 (loans)"]
    assert [words.split(":")[0] for words in columns] == [
        NAMES.get(f"loans.{c.name}", "") + f" ({c.name})" if f"loans.{c.name}" in NAMES else c.name
        for c in LOANS.columns
    ]
    assert len([words for label, words in said if label == "Protection of results"]) == 9


def test_english_holds_no_chinese_but_what_the_terms_say() -> None:
    plain = replace(TERMS, purpose="credit", scenario="limit", datasets=(WATER,), joins=())
    said = "\n".join(f"{label}: {words}" for label, words in describe(plain, "en"))
    assert not re.search(r"[\u3000-\u9fff\uff00-\uffef]", said)
    assert "From 2026-01-01 08:00 to 2027-01-01 08:00 (Beijing time)." in said
    assert "used: may be counted, summed." in said
    assert "meter: for joining only." in said
    assert "Datasets may not be joined." in said


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_numbers_that_bind_are_told(language: str) -> None:
    rules = DisclosureTerms(31, 4, 77, 13, 15, 6, 8, 4321, 53, 0, 654, 87)
    said = text(replace(TERMS, disclosure=rules, max_runs=909, retention_days=47), language)
    for number in ("31", "4", "77%", "13%", "15", "6", "8", "4321", "53", "654", "87", "909", "47"):
        assert re.search(rf"(?<!\d){number}", said)
    assert "loans.enterprise = water.enterprise" in said


def test_a_long_list_of_values_is_cut_and_counted() -> None:
    months = tuple(f"2025-{n:02d}" for n in range(1, 41))
    column = replace(LOANS.columns[1], domain=months)
    said = text(replace(TERMS, datasets=(replace(LOANS, columns=(column,)),), joins=()), "en")
    assert "“2025-12” and others, 40 in all" in said
    assert "2025-13" not in said
    assert "no row is about a person or enterprise" in said


def test_exact_results_are_told_as_exact() -> None:
    said = text(replace(TERMS, disclosure=DisclosureTerms(round_counts=1, sum_digits=0)), "en")
    assert "Counts are not rounded." in said
    assert "Sums are not rounded." in said


def test_braces_in_what_the_parties_wrote_stay_as_written() -> None:
    terms = replace(TERMS, purpose="{start} {0.__class__}")
    assert ("Purpose", "{start} {0.__class__}") in describe(terms, "en")
