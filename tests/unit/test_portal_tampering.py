"""However a copy of the log is falsified, one of three lines of defence finds it, and the page says which."""

from __future__ import annotations

import json

import pytest

from dataspace.portal.tamper_trial import trial
from dataspace.portal.tampering import Forged, Forgery
from tests import log_world as world

ENTRIES = 6
CARELESS = (Forgery.CHANGE, Forgery.REMOVE, Forgery.REPEAT, Forgery.SWAP)


def log() -> list[bytes]:
    return world.seal(world.bodies(ENTRIES))


def found(forgery: Forgery, seq: int) -> list[str | None]:
    return [one.finding and one.finding.code for one in trial(log, Forged(forgery, seq))]


@pytest.mark.parametrize("seq", range(ENTRIES))
@pytest.mark.parametrize("forgery", Forgery)
def test_what_others_noted_finds_every_forgery(forgery: Forgery, seq: int) -> None:
    if (forgery, seq) == (Forgery.SWAP, ENTRIES - 1):
        assert found(forgery, seq) == [None, None, None]  # there is no next one: nothing was falsified
        return
    assert found(forgery, seq)[2] is not None


@pytest.mark.parametrize("forgery", CARELESS)
@pytest.mark.parametrize("seq", range(ENTRIES - 1))
def test_careless_forgeries_are_found_from_the_entries_alone_and_at_their_place(
    forgery: Forgery, seq: int
) -> None:
    finding = trial(log, Forged(forgery, seq))[0].finding
    assert finding is not None
    assert finding.seq is not None
    assert abs(finding.seq - seq) <= 1


@pytest.mark.parametrize("forgery", [Forgery.REWRITE, Forgery.CUT])
def test_who_works_out_every_hash_anew_is_found_by_the_signature(forgery: Forgery) -> None:
    assert found(forgery, 3) == [None, *[{"rewrite": "root", "cut": "ahead"}[forgery]] * 2]


def test_the_operator_who_signs_a_false_log_is_found_by_what_others_noted_alone() -> None:
    assert found(Forgery.RESIGN, 3) == [None, None, "fork"]


def test_what_was_changed_is_shown_before_and_after() -> None:
    forged = Forged(Forgery.CHANGE, 2)
    entries = list(forged.entries(log()))
    assert forged.before == log()[2]
    assert forged.after == entries[2] != log()[2]
    assert json.loads(forged.before)["actor"] == "account-2" != json.loads(entries[2])["actor"]
