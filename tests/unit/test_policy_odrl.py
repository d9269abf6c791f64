from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from contracts.policy.agreement import draw_up, read
from contracts.policy.canonical import canonical
from contracts.policy.odrl import from_odrl, to_odrl
from contracts.policy.terms import DisclosureTerms, JoinTerm, Terms
from contracts.policy.validate import check_terms
from contracts.policy.vocabulary import DISCLOSURE
from tests.unit.policy_terms import TERMS, UID, valid_terms

Place = tuple[Any, Any]  # a container of the document and a key or index in it


def document() -> dict[str, Any]:
    return to_odrl(TERMS, uid=UID)


def places(node: Any) -> Iterator[Place]:
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in list(keys):
        yield node, key
        yield from places(node[key])


def refused(doc: object) -> Refused:
    with pytest.raises(Refused) as caught:
        from_odrl(doc)
    assert caught.value.details["path"].startswith("$")
    return caught.value


@given(valid_terms())
@settings(deadline=None)
def test_every_valid_contract_is_read_back_unchanged(terms: Terms) -> None:
    assert check_terms(terms) == []
    agreement = draw_up(terms, uid=UID)
    assert read(agreement.body) == agreement
    assert from_odrl(json.loads(agreement.body)) == terms


def test_the_document_is_an_odrl_agreement_of_our_profile() -> None:
    doc = document()
    assert doc["@context"] == ["http://www.w3.org/ns/odrl.jsonld", {"ds": "urn:dataspace:odrl:1:"}]
    assert (doc["@type"], doc["profile"], doc["uid"]) == ("Agreement", "urn:dataspace:odrl:1", UID)
    (permission,) = doc["permission"]
    assert [asset["source"] for asset in permission["target"]] == ["urn:dataset:loans", "urn:dataset:water"]
    assert [rule["action"] for rule in doc["prohibition"]] == ["distribute", "reproduce"]


def test_the_document_holds_each_purpose_and_uid_once() -> None:
    text = json.dumps(document(), ensure_ascii=False)
    for said in (TERMS.purpose, TERMS.scenario, TERMS.assignee, *TERMS.assigners, "urn:dataset:loans"):
        assert text.count(f'"{said}"') == 1


def test_every_disclosure_term_has_a_place() -> None:
    assert set(DISCLOSURE) == {field.name for field in fields(DisclosureTerms)}


def mutants() -> Iterator[tuple[dict[str, Any], Any, Any]]:
    """The document as often as it has places, each time with one place (container and key) to spoil."""
    for number in range(len(list(places(document())))):
        doc = document()
        yield doc, *list(places(doc))[number]


def test_a_document_that_lacks_anything_is_refused_or_says_less() -> None:
    for doc, container, key in mutants():
        del container[key]
        assert_not_overlooked(doc)


@pytest.mark.parametrize(
    "value", [None, True, 1.5, 2.0, "urn:unknown", -7, {}, [], {"@value": "x"}], ids=repr
)
def test_a_document_with_any_value_replaced_is_refused_or_says_just_that(value: object) -> None:
    for doc, container, key in mutants():
        container[key] = copy.deepcopy(value)
        assert_not_overlooked(doc)


def assert_not_overlooked(doc: dict[str, Any]) -> None:
    """A change is refused, or it changes the terms and the terms say all of it."""
    try:
        terms = from_odrl(doc)
    except Refused:
        refused(doc)
        return
    assert to_odrl(terms, uid=doc["uid"]) == doc
    assert terms != TERMS or doc["uid"] != UID


def test_a_key_added_anywhere_is_refused_by_its_name() -> None:
    for doc, container, _ in mutants():
        if isinstance(container, dict):
            container["remedy"] = "x"
            refusal = refused(doc)
            assert refusal.code == "policy.unknown_term"
            assert refusal.details["path"].endswith(".remedy")


def test_a_member_repeated_anywhere_is_refused_or_fails_the_check() -> None:
    for doc, container, key in mutants():
        if isinstance(container, list):
            container.insert(0, copy.deepcopy(container[key]))
            with pytest.raises(Refused) as caught:
                read(canonical(doc))
            assert caught.value.code.startswith("policy.")


@pytest.mark.parametrize(
    ("path", "change", "code", "where"),
    [
        (("permission", 0, "constraint", 0, "leftOperand"), "spatial", "policy.unknown_term", "leftOperand"),
        (("permission", 0, "constraint", 4, "operator"), "gteq", "policy.unknown_term", "operator"),
        (("permission", 0, "constraint", 4, "operator"), "neq", "policy.unknown_term", "operator"),
        (("permission", 0, "constraint", 4, "rightOperand"), 100.0, "policy.bad_value", "rightOperand"),
        (("permission", 0, "constraint", 4, "rightOperand"), True, "policy.bad_value", "rightOperand"),
        (("permission", 0, "action"), "distribute", "policy.unknown_term", "$.permission[0].action"),
        (("prohibition", 0, "action"), "sell", "policy.unknown_term", "$.prohibition[0].action"),
        (("@type",), "Offer", "policy.unknown_term", "$.@type"),
        (("profile",), "urn:other", "policy.unknown_term", "$.profile"),
        (("@context", 1, "ds"), "urn:other:", "policy.unknown_term", "$.@context[1].ds"),
    ],
)
def test_a_word_outside_the_profile_is_refused_with_its_place(
    path: tuple[Any, ...], change: object, code: str, where: str
) -> None:
    doc = document()
    node = doc
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = change
    refusal = refused(doc)
    assert refusal.code == code
    assert where in refusal.details["path"]


@pytest.mark.parametrize(("operand", "operator"), [("count", "gteq"), ("count", "lteq"), ("ds:role", "eq")])
def test_a_constraint_too_many_is_refused_at_its_own_place(operand: str, operator: str) -> None:
    doc = document()
    extra = {"leftOperand": operand, "operator": operator, "rightOperand": 1}
    doc["permission"][0]["constraint"].append(extra)
    assert refused(doc).details["path"] == "$.permission[0].constraint[6].leftOperand"


def test_constraints_in_another_order_are_refused() -> None:
    doc = document()
    doc["permission"][0]["constraint"].reverse()
    assert refused(doc).code == "policy.unknown_term"


@pytest.mark.parametrize(
    "spelling", ["2026-01-01T00:00:00Z", "2026-01-01T08:00:00.000000+08:00", "2026-01-01"]
)
def test_a_time_in_another_spelling_is_refused(spelling: str) -> None:
    doc = document()
    doc["permission"][0]["constraint"][2]["rightOperand"]["@value"] = spelling
    refused(doc)


@pytest.mark.parametrize(
    "join", ["loans.enterprise = water.enterprise", "loans.a=b", "a.b=c.d; drop", "A.b=c.d", ""]
)
def test_a_join_that_is_not_one_equality_of_names_is_refused(join: str) -> None:
    doc = document()
    doc["permission"][0]["constraint"][5]["rightOperand"] = [join]
    assert refused(doc).code == "policy.bad_value"


@pytest.mark.parametrize("junk", [None, [], "text", 3, {}, {"@type": "Agreement"}])
def test_what_is_no_agreement_is_refused(junk: object) -> None:
    refused(junk)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_no_json_makes_the_reader_fail_otherwise_than_by_refusal(junk: object) -> None:
    refused(junk)
    doc = document()
    doc["permission"][0]["target"] = junk
    if junk != []:
        refused(doc)


def test_terms_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(Refused):
        to_odrl(replace(TERMS, joins=(JoinTerm(("Loans;", "x"), ("y", "z")),)), uid=UID)
    with pytest.raises(Refused):
        to_odrl(replace(TERMS, valid_from=TERMS.valid_from.replace(tzinfo=None)), uid=UID)


def test_terms_that_fail_a_check_cannot_be_drawn_up_or_read() -> None:
    weak = replace(TERMS, disclosure=DisclosureTerms(min_contributors=1), max_runs=0)
    with pytest.raises(Refused) as caught:
        draw_up(weak, uid=UID)
    assert caught.value.code == "policy.invalid"
    assert [p["path"] for p in caught.value.details["problems"]] == [
        "disclosure.min_contributors",
        "max_runs",
    ]
    with pytest.raises(Refused) as caught:
        read(canonical(to_odrl(weak, uid=UID)))
    assert caught.value.code == "policy.invalid"
