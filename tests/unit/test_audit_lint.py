"""Personal data never gets into the log in the clear, and what only looks like digits always does."""

from __future__ import annotations

import base64
import random
import uuid
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit import commitments, lint

DIGITS = st.text("0123456789", min_size=9, max_size=9)
MOBILES = st.builds(lambda second, rest: f"1{second}{rest}", st.sampled_from("3456789"), DIGITS)


def resident_number(region: int, born: str, order: int) -> str:
    """GB 11643-1999, from its text: weights 2^(18-i) mod 11, the check digit makes the sum 1 modulo 11."""
    body = f"{region:06d}{born}{order:03d}"
    total = sum((2 ** (17 - i) % 11) * int(digit) for i, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


RESIDENTS = st.builds(
    resident_number,
    st.integers(110000, 820000),
    st.dates(min_value=date(1900, 1, 1)).map(lambda d: f"{d:%Y%m%d}"),
    st.integers(0, 999),
)
AROUND = st.sampled_from(["", "电话", "手机号:", " tel ", "(", "id=", "《", "x_", "a-"])
AFTER = st.sampled_from(["", "。", " ", ")", ",", "号", "_x", "\n"])
EMAILS = st.builds(
    lambda name, host, top: f"{name}@{host}.{top}",
    st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9.+_-]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}(\.[a-z0-9]{1,5})?", fullmatch=True),
    st.sampled_from(["cn", "com", "公司"]),
)


def spelled(number: str, groups: tuple[int, ...], between: str) -> str:
    parts, at = [], 0
    for size in groups:
        parts.append(number[at : at + size])
        at += size
    return between.join(parts)


def full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if 0x21 <= ord(c) <= 0x7E else c for c in text)


@given(
    MOBILES, AROUND, AFTER,
    st.sampled_from(["", "+86", "+86 ", "+86-", "86", "0086", "0086-", "(+86)", "+86 (", "tel:+86"]),
    st.sampled_from([(11,), (3, 4, 4), (3, 8), (4, 4, 3), (1,) * 11]), st.sampled_from([" ", "-", "—", ".", "- "]),
    st.booleans(),
)  # fmt: skip
def test_mobile_numbers_are_found_in_any_spelling(number, before, after, prefix, groups, between, wide):
    text = prefix + spelled(number, groups, between)
    text = before + (full_width(text) if wide else text) + after
    assert lint.found(text) == "a mobile number"


@given(
    RESIDENTS,
    AROUND,
    AFTER,
    st.sampled_from([(18,), (6, 8, 4), (3, 3, 4, 4, 4)]),
    st.sampled_from([" ", "-"]),
)
@example("11010519491231002X", "", "", (18,), " ")  # the standard's own
@example("440524188001010014", "", "", (18,), " ")
def test_resident_numbers_are_found_with_either_x(number, before, after, groups, between):
    text = before + spelled(number, groups, between) + after
    for one in (text, text.replace("X", "x"), full_width(text)):
        assert lint.found(one) in ("a resident identity number", "a mobile number")
    assert lint.found(number) == "a resident identity number"


@given(RESIDENTS, st.integers(0, 17), st.integers(1, 9))
def test_a_number_with_a_wrong_check_digit_is_none(number, place, more):
    digit = "0123456789X".index(number[place])
    wrong = number[:place] + str((digit + more) % 10) + number[place + 1 :]
    if wrong != number and wrong[0] != "0":
        assert lint.found(wrong) == ""


@given(EMAILS, AROUND, AFTER)
def test_e_mail_addresses_are_found(address, before, after):
    assert lint.found(before + address + after) == "an e-mail address"
    assert lint.found(full_width(address)) == "an e-mail address"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.uuids())
def test_digests_ids_keys_and_signatures_pass(digest, signature, uid):
    for raw in (digest, signature, digest[:20]):
        for text in (raw.hex(), raw.hex().upper(), f"sha256:{raw.hex()}", base64.b64encode(raw).decode()):
            lint.check({"x": [text]}, "x")
    for text in (str(uid), f"run:{uid}", uid.hex, f"urn:uuid:{uid}"):
        lint.check(text, "obj")


@given(st.text("0123456789", min_size=64, max_size=64), st.text("0123456789", min_size=32, max_size=32))
def test_a_digest_or_an_id_of_nothing_but_digits_passes(digest, digits):
    lint.check([digest, f"sha256:{digest}", digits], "x")
    lint.check(str(uuid.UUID(digits)), "obj")  # its groups never add up to 11, 13, 15 or 18 digits
    lint.check(f"the run {uuid.UUID(digits)} of {digest}", "x")


def test_signatures_that_look_like_numbers_are_as_rare_as_reckoned():
    """Reckoned: each place of 86 can begin a number with chance b · 7/64² · (10/64)⁹ · b, b = 2/64 inside: 10⁻¹¹."""
    inside, number = 2 / 64, 7 / 64**2 * (10 / 64) ** 9
    assert number * (2 * inside + 76 * inside**2) < 1.5e-11
    chance = random.Random(20261122)
    for _ in range(100_000):
        text = base64.b64encode(chance.randbytes(64)).decode()
        assert lint.found(text) == ""


@pytest.mark.parametrize(
    "text",
    ["", "-", "log:0", "account:-", "contract.sign", "audit.example.gov.cn/log1", "a@b", "@", "2026-11-22T10:00:00",
     "12800000000", "1380013800", "138001380001", "e1380013800012", "dataspace.local/log1+1a2b3c4d+AYx/13800138000x"],
)  # fmt: skip
def test_what_is_something_else_passes(text):
    lint.check(text, "x.code")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"code": "13800138000"}, "x.code"),
        ({"a": [{"b": ["ok", "li@example.cn"]}]}, "x.a[0].b[1]"),
        ({"a": ("11010519491231002X",)}, "x.a[0]"),
        ({"t_13800138000": 1}, "x has a key"),
    ],
)
def test_the_message_names_the_key_and_never_the_value(value, path):
    with pytest.raises(lint.PersonalData) as refused:
        lint.check(value, "x")
    assert path in str(refused.value)
    for secret in ("13800138000", "li@example.cn", "11010519491231002X"):
        assert secret not in str(refused.value)


@given(st.integers(-(2**53) + 1, 2**53 - 1))
@example(13800138000)
def test_integers_are_not_looked_at(number):
    lint.check({"rows": number, "more": [number, None, True]}, "x")


# --- Commitments ------------------------------------------------------------------------------------------
@given(st.binary(min_size=32, max_size=32), st.sampled_from(["ip", "name"]), st.text(max_size=30))
def test_a_commitment_opens_with_its_own_salt_field_and_value_only(key, field, value):
    try:
        committed = commitments.commit(key, field, value)
    except UnicodeEncodeError:
        return
    assert commitments.opens(committed, key, field, value)
    assert not commitments.opens(committed, bytes(32) if any(key) else b"\x01" * 32, field, value)
    assert not commitments.opens(committed, key, field + "x", value)
    assert not commitments.opens(committed, key, field, value + "x")


def test_a_commitment_is_the_one_of_the_format():
    """Reckoned with another tool: printf 'ip\\000192.0.2.7' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…"""
    assert (
        commitments.commit(bytes(range(32)), "ip", "192.0.2.7")
        == "c6435907c12f11d14c8a4bc937ab921e938916dca6aea947080e775b4ad86411"
    )
    assert len(commitments.salt()) == 32
    assert commitments.salt() != commitments.salt()
