"""P11: any change, removal, insertion or reorder of an entry is found by a verifier that shares no code with us."""

from __future__ import annotations

import subprocess
import sys

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit import chain
from audit.verifier.check import verify
from tests import log_world as world

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda s: __import__("unicodedata").is_normalized("NFC", s)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def log(count: int = 12) -> list[bytes]:
    """An export without checkpoint: what is proven here needs none."""
    return world.jsonl(world.Log(tuple(world.seal(world.bodies(count)))))[:-1]


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
def test_the_canonical_form_is_that_of_rfc_8785(fields):
    assert chain.body(fields) == rfc8785.dumps(fields)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), st.integers(0, 2**40))
def test_a_sealed_entry_is_still_canonical(fields, seq):
    entry = chain.seal(b"\x11" * 32, seq, chain.body(fields))
    assert entry == rfc8785.dumps({**fields, "_prev": "11" * 32, "_seq": seq})


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), 2**53, "\ud800", "e\u0301", {"Bad": 1}, {"a b": 1}, {1: 2}, set(), b"x"],
    ids=repr,
)
def test_what_has_no_single_written_form_is_not_recorded(value):
    with pytest.raises(chain.NotCanonical):
        chain.body({"a": value})


def test_an_entry_has_a_size_limit():
    with pytest.raises(chain.NotCanonical):
        chain.body({"a": "x" * 65_500})


def test_a_whole_log_is_accepted():
    lines = log()
    report = verify(lines)
    assert report.ok
    assert report.entries == 12
    assert verify(lines, expected_heads=[report.head]).ok


def test_an_empty_log_is_accepted():
    assert verify([b'{"head":{"entries":0,"leaf":""}}\n']).ok


@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_a_changed_entry_is_named(at):
    lines = log()
    lines[at] = lines[at].replace(b'"actor":"a', b'"actor":"b')
    finding = verify(lines).finding
    assert finding is not None
    assert finding.seq == at


@pytest.mark.parametrize("at", [0, 1, 5, 11])
def test_a_dropped_entry_is_named(at):
    lines = log()
    del lines[at]
    finding = verify(lines).finding
    assert finding is not None
    assert finding.seq in (at, at - 1)  # the place of the gap, or the new last entry the head does not match


@pytest.mark.parametrize("at", [0, 4, 10])
def test_swapped_entries_are_named(at):
    lines = log()
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    finding = verify(lines).finding
    assert finding is not None
    assert finding.seq == at


@pytest.mark.parametrize("at", [0, 4, 11])
def test_an_inserted_entry_is_named(at):
    lines = log()
    lines.insert(at, lines[at])
    finding = verify(lines).finding
    assert finding is not None
    assert finding.seq in (at, at + 1)


def test_a_rewritten_tail_is_caught_by_a_head_noted_earlier():
    noted = verify(log()).head
    shorter = log(11)
    assert verify(shorter).ok
    finding = verify(shorter, expected_heads=[noted]).finding
    assert finding is not None
    assert finding.code == "head_unknown"


def test_a_file_cut_short_is_caught():
    finding = verify(log()[:-1]).finding
    assert finding is not None
    assert finding.code == "no_head"


def test_every_single_flipped_bit_is_caught():
    """Each byte of a small export, one bit of it flipped: never accepted."""
    body = b"".join(log(3))
    for i in range(len(body)):
        flipped = bytearray(body)
        flipped[i] ^= 1 << (i % 8)
        if bytes(flipped) == body:
            continue
        assert not verify(bytes(flipped).splitlines(keepends=True)).ok, f"byte {i}"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"a":NaN}',
        b'{"_seq":0,"_seq":0}',
        b"[" * 100_000,
        b'{"a":"\\ud800"}',
    ],
    ids=lambda b: repr(b[:20]),
)
def test_garbage_is_a_finding_and_never_a_crash(line):
    assert not verify([line, *log()]).ok


def test_the_command_line_says_ok_or_names_the_first_broken_entry(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    lines = log()
    whole.write_bytes(b"".join(lines))
    lines[7] = lines[7].replace(b'"obj":"d', b'"obj":"p')
    broken.write_bytes(b"".join(lines))
    run = lambda path: subprocess.run(  # noqa: E731
        [sys.executable, "-m", "audit.verifier", str(path)], capture_output=True, text=True, check=False
    )
    assert run(whole).returncode == 0
    result = run(broken)
    assert result.returncode == 1
    assert "第 7 条" in result.stdout
    assert run(tmp_path / "absent").returncode == 2


def test_the_verifier_needs_no_django():
    code = "import sys; import audit.verifier.__main__; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
