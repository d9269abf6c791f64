"""Policies of C2SP tlog-policy: read completely, and refused with the number of the line that is wrong."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verifier.policy import BadPolicy, parse_policy
from tests import log_world as world

LOG, OTHER = world.ed25519(), world.ed25519(seed="other")
W = [world.witness(f"w{n}.test") for n in range(6)]

TWO_LEVELS = f"""# as the specification has it
log {LOG.vkey}

witness X1 {W[0].vkey} https://x1.test/
witness X2\t{W[1].vkey}
 witness X3 {W[2].vkey}
group X-witnesses 2 X1 X2 X3

witness Y1 {W[3].vkey}
witness Y2 {W[4].vkey}
witness Y3 {W[5].vkey}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
""".encode()


def test_the_example_of_the_specification_is_understood():
    policy = parse_policy(TWO_LEVELS)
    assert [log.key for log in policy.logs] == [LOG.key]
    assert [(w.name, w.url) for w in policy.witnesses][:2] == [("X1", "https://x1.test/"), ("X2", "")]
    for number in range(7):
        for some in combinations(range(6), number):
            enough = len({0, 1, 2} & {*some}) >= 2 and len({3, 4, 5} & {*some}) >= 1
            assert policy.satisfied_by(W[n].key for n in some) is enough
    assert not policy.satisfied_by([LOG.key])


def test_a_quorum_may_be_one_witness_or_none():
    one = parse_policy(f"witness A {W[0].vkey}\nwitness B {W[1].vkey}\nquorum A".encode())
    assert one.satisfied_by([W[0].key])
    assert not one.satisfied_by([W[1].key])
    assert parse_policy(b"quorum none\n").satisfied_by([])


def test_names_are_octets_and_nothing_more():
    policy = parse_policy(b"witness \xe2\x84\xaa " + W[0].vkey.encode() + b"\nwitness K " + W[1].vkey.encode()
                          + b"\nwitness \xff " + W[2].vkey.encode() + b"\nquorum \xff\n")  # fmt: skip
    assert policy.satisfied_by([W[2].key])
    assert not policy.satisfied_by([W[0].key, W[1].key])


W0 = f"witness A {W[0].vkey}"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("quorum none\nquorum none", 2, "one quorum"),
        ("quorum A", 1, "not defined"),
        (f"quorum A\n{W0}", 1, "not defined"),
        ("quorum", 1, "expected"),
        ("quorum none none", 1, "expected"),
        ("log", 1, "expected"),
        (f"log {LOG.vkey} u v", 1, "expected"),
        (f"log {LOG.vkey[:-1]}", 1, "base64"),
        (f"log {W[0].vkey}", 1, "witness"),
        (f"log {LOG.vkey}\nlog {world.renamed(LOG, 'x').vkey}", 2, "twice"),
        ("witness A", 1, "expected"),
        (f"witness A {LOG.vkey}", 1, "of a log"),
        (f"witness none {W[0].vkey}", 1, "taken"),
        (f"{W0}\nwitness A {W[1].vkey}", 2, "taken"),
        (f"{W0}\nwitness B {world.renamed(W[0], 'x').vkey}", 2, "twice"),
        (f"{W0}\ngroup G any", 2, "expected"),
        (f"{W0}\ngroup G any B", 2, "not defined"),
        (f"{W0}\ngroup G any G", 2, "not defined"),
        (f"{W0}\ngroup G any none", 2, "not defined"),
        (f"{W0}\ngroup G any A A", 2, "already"),
        (f"{W0}\ngroup G any A\ngroup H any A", 3, "already"),
        (f"{W0}\ngroup G 0 A", 2, "from 1 to 1"),
        (f"{W0}\ngroup G 2 A", 2, "from 1 to 1"),
        (f"{W0}\ngroup G 01 A", 2, "from 1 to 1"),
        (f"{W0}\ngroup G one A", 2, "from 1 to 1"),
        (f"{W0}\ngroup A any A", 2, "taken"),
        ("witnesses", 1, "none of"),
        ("quorum none\r", 1, "control"),
        ("# \x7f", 1, "control"),
    ],
)
def test_what_is_no_policy_is_refused_by_its_line(text, line, words):
    with pytest.raises(BadPolicy, match=f"^line {line}: .*{words}"):
        parse_policy(text.encode())


def test_a_policy_without_quorum_is_none():
    with pytest.raises(BadPolicy, match="no quorum line"):
        parse_policy(f"log {LOG.vkey}\n{W0}\n".encode())


@given(st.binary(max_size=100), st.integers(0, len(TWO_LEVELS)))
def test_nothing_that_stands_in_a_policy_is_a_crash(data, at):
    for raw in (data, TWO_LEVELS[:at] + data + TWO_LEVELS[at:]):
        try:
            parse_policy(raw)
        except BadPolicy:
            continue
