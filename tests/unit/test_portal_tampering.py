"""However a copy of the log is falsified, the verifier finds it: from the file, or with a head noted before."""

from __future__ import annotations

import json

import pytest

from audit.verifier.check import verify
from dataspace.portal.tampering import Forged, Forgery
from tests import log_world as world

ENTRIES = 6


def log() -> list[bytes]:
    return world.jsonl(world.Log(tuple(world.seal(world.bodies(ENTRIES)))))[:-1]


def noted(lines: list[bytes]) -> str:
    return json.loads(lines[-1])["head"]["leaf"]


def test_the_log_itself_is_whole() -> None:
    assert verify(log(), expected_heads=[noted(log())]).ok


@pytest.mark.parametrize("seq", range(ENTRIES))
@pytest.mark.parametrize("forgery", Forgery)
def test_every_forgery_is_found_with_a_head_noted_before(forgery: Forgery, seq: int) -> None:
    copy = log()
    assert verify(Forged(forgery, seq).lines(copy), expected_heads=[noted(copy)]).finding is not None


@pytest.mark.parametrize("forgery", [Forgery.CHANGE, Forgery.REMOVE, Forgery.REPEAT, Forgery.SWAP])
@pytest.mark.parametrize("seq", range(ENTRIES))
def test_careless_forgeries_are_found_from_the_file_alone_and_at_their_place(
    forgery: Forgery, seq: int
) -> None:
    found = verify(Forged(forgery, seq).lines(log())).finding
    assert found is not None
    assert abs(found.seq - seq) <= 1


@pytest.mark.parametrize("forgery", [Forgery.REWRITE, Forgery.CUT])
def test_a_forger_who_works_out_every_hash_anew_is_found_by_the_noted_head_alone(forgery: Forgery) -> None:
    copy = log()
    assert verify(Forged(forgery, 3).lines(copy)).ok
    found = verify(Forged(forgery, 3).lines(copy), expected_heads=[noted(copy)]).finding
    assert found is not None
    assert found.code == "head_unknown"


def test_what_was_changed_is_shown_before_and_after() -> None:
    forged = Forged(Forgery.CHANGE, 2)
    lines = list(forged.lines(log()))
    assert forged.before == log()[2]
    assert forged.after == lines[2] != log()[2]
    assert json.loads(forged.before)["actor"] == "account-2" != json.loads(lines[2])["actor"]
