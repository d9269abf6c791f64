from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.refusals import Refused
from contracts.policy.canonical import MAX_BYTES, MAX_DEPTH, Algorithm, canonical, digest, matches, parse
from contracts.policy.odrl import to_odrl
from tests.unit.policy_terms import TERMS, UID

VECTORS = [
    ({}, b"{}"),
    ([], b"[]"),
    ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
    ({"a": [3, 2, 1]}, b'{"a":[3,2,1]}'),
    ({"A": 1, "a": 2, "@": 3, "_": 4}, b'{"@":3,"A":1,"_":4,"a":2}'),
    ({"a": {"z": True, "y": False}}, b'{"a":{"y":false,"z":true}}'),
    ("历下区", '"历下区"'.encode()),
    ('"\\/\b\f\n\r\t\x00\x1f\x7f', b'"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
    ("😀€", '"😀€"'.encode()),
    (0, b"0"),
    (-0, b"0"),
    (2**53 - 1, b"9007199254740991"),
    (-(2**53) + 1, b"-9007199254740991"),
]


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def shuffled(value: object, source: random.Random) -> object:
    if isinstance(value, dict):
        keys = list(value)
        source.shuffle(keys)
        return {key: shuffled(value[key], source) for key in keys}
    return [shuffled(member, source) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("value", "expected"), VECTORS)
def test_canonical_bytes_follow_rfc_8785(value: object, expected: bytes) -> None:
    assert canonical(value) == expected
    assert parse(expected) == value


@given(st.randoms())
def test_the_order_of_keys_does_not_change_the_bytes(source: random.Random) -> None:
    doc = to_odrl(TERMS, uid=UID)
    assert canonical(shuffled(doc, source)) == canonical(doc)


profile = st.recursive(
    st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text('abé历😀"\\\n\x00 '),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab@:_Z", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(profile)
def test_two_independent_writers_agree_within_the_profile(value: object) -> None:
    independent = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert canonical(value) == independent
    assert parse(independent) == value


@pytest.mark.parametrize(
    "value",
    [
        1.0, 1.5, -0.0, float("nan"), float("inf"), None, 2**53, -(2**53), b"bytes", {1: "a"}, {"é": 1}, {"a"},
        "\ud800", "a\udfffb", "e\u0301", "\u212b", {"a": {"b": [1, None]}}, nested(MAX_DEPTH + 1), "x" * MAX_BYTES,
    ],
    ids=lambda value: repr(value)[:20],
)  # fmt: skip
def test_a_value_outside_the_profile_is_not_signed(value: object) -> None:
    with pytest.raises(Refused) as caught:
        canonical(value)
    assert caught.value.code == "policy.not_canonical"


def test_nesting_beyond_the_stack_is_refused_and_not_a_crash() -> None:
    with pytest.raises(Refused):
        canonical(nested(5000))


def test_the_limits_of_size_and_depth_are_within_the_profile() -> None:
    assert len(canonical("x" * (MAX_BYTES - 2))) == MAX_BYTES
    assert canonical(nested(MAX_DEPTH)) == b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(Refused) as caught:
        canonical({"a": [1, {"b": 0.5}]})
    assert caught.value.details["path"] == "$.a[1].b"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}', b'{"a":1,"a":2}', b'{"b":1,"a":2}', b'{"a": 1}', b' {"a":1}', b'{"a":1}\n', b'{"a":1.0}',
        b'{"a":1e2}', b"NaN", b"-0", b'"\\u0041"', b'"\\ud800"', b'"\xff"', b"\xef\xbb\xbf1", b"", b"[", b"[" * 100_000,
        b'{"a":1}{"a":1}', b"9" * 5000, b" " * (MAX_BYTES + 1), b"1.0", b"null",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_bytes_that_are_not_the_canonical_form_are_not_read(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse(body)
    assert caught.value.code == "policy.not_canonical"


def test_a_digest_names_its_algorithm() -> None:
    body = canonical(to_odrl(TERMS, uid=UID))
    assert digest(body) == "sha256:" + hashlib.sha256(body).hexdigest()
    # GB/T 32905-2016, annex A.1
    assert (
        digest(b"abc", Algorithm.SM3)
        == "sm3:66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_digest_matches_its_bytes_only(algorithm: Algorithm) -> None:
    named = digest(b"abc", algorithm)
    assert matches(b"abc", named)
    assert not matches(b"abd", named)
    assert not matches(b"abc", named.upper())
    assert not matches(b"abc", named.partition(":")[2])
    assert not matches(b"abc", "md5:900150983cd24fb0d6963f7d28e17f72")
    assert not matches(b"abc", "sha256:é")
