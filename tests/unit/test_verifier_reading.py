"""A reading can stop anywhere and go on later from plain values, and finds the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verifier.reading import Reading
from audit.verifier.result import Verdict
from tests import log_world as world

SIZES = (0, 1, 255, 256, 300, 401, 999, 1000)


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies())))


def reading_in_pieces(entries, cuts, **how) -> Reading:
    reading, at = Reading(**how), 0
    for cut in [*sorted(cuts), len(entries)]:
        reading.feed(iter(entries[at:cut]))
        at = max(at, cut)
        reading = Reading.from_json(json.loads(json.dumps(reading.to_json())))
    reading.finish()
    return reading


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=6), fast=st.booleans())
def test_however_the_log_is_cut_the_reading_is_the_same(log, cuts, fast):
    heads = [log.leaves[5], bytes(32)]
    one = Reading(sizes=SIZES, heads=heads, fast=fast)
    one.feed(log.entries)
    two = reading_in_pieces(log.entries, cuts, sizes=SIZES, heads=heads, fast=fast)
    assert two.to_json() == one.to_json()
    assert (two.finding, two.entries, two.head) == (None, 1000, log.leaves[-1].hex())
    assert two.roots == {size: world.mth(log.leaves[:size]) for size in SIZES}
    assert two.heads == {bytes(32)}
    assert two.rules.acts == ({} if fast else one.rules.acts)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=4), seq=st.integers(0, 999), at=st.integers(0, 150))
def test_however_the_log_is_cut_the_first_bad_entry_is_found(log, cuts, seq, at):
    entries = list(log.entries)
    bad = bytearray(entries[seq])
    bad[at] ^= 1
    entries[seq] = bytes(bad)
    reading = reading_in_pieces(entries, [*cuts, seq, min(seq + 1, 1000)], sizes=SIZES)
    if seq == 999 and reading.finding is None:
        return  # nothing after the last entry holds its hash: that is for the head line
    assert reading.finding.verdict == Verdict.BROKEN
    # Of the last one it is not said what its hash once was, so the one before may be to blame.
    assert reading.finding.seq == seq or (seq == 999 and reading.finding.seq == 998)


def test_after_a_finding_nothing_more_is_read(log):
    reading = Reading()
    reading.feed([log.entries[0], b"x"])
    finding = reading.finding
    reading.feed(log.entries[1:])
    assert reading.finding is finding
    assert reading.entries == 1
