"""The second pass: each entry has its form, and what entries say together follows the rules of docs/audit-log.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit import chain
from audit.verifier import records
from audit.verifier.check import check, verify
from audit.verifier.form import NotForm, fields_of
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

COUNT = 350


def log(special: dict[int, dict[str, Any]] | None = None, count: int = COUNT) -> list[bytes]:
    return world.jsonl(world.Log(tuple(world.seal(world.bodies(count, special)))))


def finding(special: dict[int, dict[str, Any]], count: int = COUNT):
    found = verify(log(special, count)).finding
    assert found is None or found.verdict == Verdict.BROKEN
    return found


def sealed(body: bytes) -> bytes:
    return chain.seal(chain.GENESIS, 0, body)


def test_statistics_tell_what_the_log_holds():
    report = verify(log())
    assert report.ok
    assert sum(report.acts.values()) == COUNT
    assert report.acts["log.reconciled"] == 1
    assert (report.first_time, report.last_time) == (world.START, world.START + (COUNT - 1) * 1_000_000)


@pytest.mark.parametrize(
    "change",
    [
        {"act": ""}, {"act": "Account.Login"}, {"act": 1}, {"actor": ""}, {"actor": None}, {"org": None}, {"org": 3},
        {"cp": []}, {"cp": ["b", "a"]}, {"cp": ["a", "a"]}, {"cp": [""]}, {"cp": "a"}, {"org": "a", "cp": ["a"]},
        {"obj": "o"}, {"obj": ":"}, {"obj": ""}, {"out": "maybe"}, {"id": "7"}, {"id": world.event_id(7).upper()},
        {"t": -1}, {"t": "0"}, {"t": True}, {"v": 2}, {"v": True}, {"x": {}}, {"x": []}, {"pc": {}},
        {"pc": {"name": "00"}}, {"pc": {"name": 1}}, {"more": 1},
    ],
    ids=repr,
)  # fmt: skip
def test_a_field_that_is_not_as_it_must_be_is_named(change):
    found = finding({7: change})
    assert (found.code, found.seq) == ("fields", 7)


@pytest.mark.parametrize("code", ["not_json", "canonical", "fields", "overlong"])
def test_bytes_that_are_not_the_only_ones_to_say_it_are_refused(code):
    good = chain.body(world.opened_log())
    assert fields_of(sealed(good))["act"] == "log.init"
    bad = {
        "not_json": [
            good[:-1], good + b"}", b"{}}", b"{1}", good.replace(b'"v":1', b'"v":1.0'), good.replace(b'"v":1', b'"v":NaN'),
            good.replace(b'"v":1', b'"v":1e3'), good.replace(b"ok", b"\xff"), b'{"x":' + b"[" * 60_000 + b"]}",
        ],
        "canonical": [
            good.replace(b'"v":1', b'"v": 1'), good + b" ", good.replace(b'"v":1', b'"v":1,"v":1'),
            good.replace(b"ok", b"\\u006fk"),
            good.replace(b'"actor":"account-0"', '"actor":"e\u0301"'.encode()), good.replace(b'"profile"', b'"Profile"'),
            good.replace(b'"AUD-1"', b"9007199254740992"), good.replace(b'"AUD-1"', b'{"A":1}'),
            good.replace(b'"actor":"account-0"', b'"actor":"\\ud800"'),
        ],
        "fields": [b'{"act":"log.init"}'],
        "overlong": [good.replace(b"AUD-1", b"A" * 66_000)],
    }[code]  # fmt: skip
    for body in bad:
        with pytest.raises(NotForm) as refused:
            fields_of(sealed(body))
        assert refused.value.code == code, body[:200]


def test_entry_0_opens_the_log_and_no_other_does():
    assert finding({0: world.plain(0)}).code == "init"
    assert finding({0: {"x": {"profile": "AUD-1"}}}).code == "init"
    found = finding({9: world.opened_log(9)})
    assert (found.code, found.seq) == ("init", 9)


def test_the_log_and_its_checkpoint_have_one_name(tmp_path):
    told = world.bodies(5, {0: world.opened_log(origin="other.test/log")})
    (tmp_path / "log").write_bytes(b"".join(world.jsonl(world.Log(tuple(world.seal(told))))))
    found = check(tmp_path / "log").finding
    assert (found.code, found.seq, found.verdict) == ("origin", 0, Verdict.BROKEN)


@pytest.mark.parametrize(
    "change",
    [
        {"first": 1}, {"first": True}, {"next": 301}, {"next": -1}, {"next": "295"}, {"counts": []}, {"counts": None},
        {"rows": [["dataset"]]}, {"rows": {}}, {"findings": -1}, {"findings": "0"}, {"whole": 1}, {"lag_ms": None},
        {"more": 0},
    ],
    ids=repr,
)  # fmt: skip
def test_a_reconciliation_that_does_not_count_right_is_named(change):
    told = world.bodies(COUNT)
    x = world.reconciled(told, 0, 295) | change
    found = finding({300: {"act": "log.reconciled", "x": x}})
    assert (found.code, found.seq) == ("reconciled", 300)


def test_reconciliations_follow_each_other_without_a_gap():
    told = world.bodies(COUNT)
    first = {"act": "log.reconciled", "x": world.reconciled(told, 0, 100)}
    told[100] |= first
    second = {"act": "log.reconciled", "x": world.reconciled(told, 100, 299)}
    assert finding({100: first, 300: second}) is None
    gap = {"act": "log.reconciled", "x": world.reconciled(told, 101, 299)}
    assert finding({100: first, 300: gap}).seq == 300


def test_what_a_reconciliation_reports_is_passed_on():
    x = world.reconciled(world.bodies(COUNT), 0, 295, findings=2, whole=False)
    report = verify(log({300: {"act": "log.reconciled", "x": x}}))
    assert report.ok
    assert [w.code for w in report.warnings if w.code.startswith("log_")] == ["log_findings", "log_broken"]


@pytest.mark.parametrize(
    "x",
    [
        {"ids": [world.event_id(300)], "fields": ["name"], "basis": "b"}, {"ids": [], "fields": ["name"], "basis": "b"},
        {"ids": [world.event_id(17), world.event_id(5000)], "fields": ["name"], "basis": "b"},
        {"ids": [world.event_id(250)], "fields": ["name"], "basis": "b"}, {"ids": ["17"], "fields": ["name"], "basis": "b"},
        {"ids": [world.event_id(17)], "fields": [], "basis": "b"}, {"ids": [world.event_id(17)], "fields": ["name"]},
    ],
    ids=["a later entry", "none", "no entry", "itself", "no id", "no field", "no basis"],
)  # fmt: skip
def test_an_erasure_names_entries_before_it(x):
    found = finding({250: {"act": "log.erased", "x": x}})
    assert (found.code, found.seq) == ("erasure", 250)


@pytest.mark.parametrize(
    "vkey",
    [
        "x",
        1,
        None,
        world.witness("w.test").vkey,
        world.ed25519("other.test").vkey,
        f" {world.ed25519(seed='b').vkey}",
    ],
    ids=["no key", "no text", "nothing", "a witness's", "another log's", "with a blank"],
)
@pytest.mark.parametrize("fast", [False, True])
def test_an_entry_about_no_key_of_the_log_is_mentioned_and_changes_nothing(vkey, fast, tmp_path):
    special = {5: {"act": "log.key_retired", "x": {"vkey": vkey}}}
    (tmp_path / "log").write_bytes(b"".join(log(special)))
    report = check(tmp_path / "log", fast=fast)
    assert report.ok
    assert "no_key" in [one.code for one in report.warnings]


def test_an_event_id_that_stands_twice_is_named_by_the_second():
    found = finding({200: {"id": world.event_id(60)}})
    assert (found.code, found.seq) == ("repeated", 200)


def test_with_little_memory_ids_go_to_files_and_nothing_changes(monkeypatch):
    monkeypatch.setattr(records, "_BUFFERED", 1000)
    assert verify(log()).ok
    assert finding({200: {"id": world.event_id(60)}}).seq == 200
    x = {"ids": [world.event_id(300)], "fields": ["name"], "basis": "b"}
    assert finding({250: {"act": "log.erased", "x": x}}).seq == 250


def opened(tmp_path: Path, told: list[dict[str, Any]]):
    (tmp_path / "log").write_bytes(b"".join(log()))
    (tmp_path / "openings").write_bytes(b"".join(world.line(**one) for one in told))
    return check(tmp_path / "log", openings=tmp_path / "openings")


def test_each_personal_field_is_opened_withheld_or_erased(tmp_path):
    personal = opened(tmp_path, world.openings(COUNT)).personal
    assert (personal.opened, personal.withheld, personal.erased, personal.missing) == (33, 35, 2, 0)
    alone = check(tmp_path / "log").personal  # without a file of openings nobody can tell more
    assert (alone.opened, alone.withheld, alone.erased, alone.missing) == (0, 68, 2, 0)


def test_a_field_neither_opened_nor_withheld_nor_erased_is_missing(tmp_path):
    told = [one for one in world.openings(COUNT) if (one["seq"], one["field"]) != (107, "name")]
    report = opened(tmp_path, told)
    assert (report.finding.code, report.finding.seq, report.verdict) == ("missing", 107, Verdict.BROKEN)
    assert report.personal.missing == 1


@pytest.mark.parametrize(
    "change", [{"value": "李四"}, {"value": "张三107 "}, {"salt": "00" * 32}], ids=["other", "longer", "salt"]
)
def test_a_value_that_was_not_committed_to_is_found(tmp_path, change):
    told = [
        one | change if (one["seq"], one["field"]) == (107, "name") else one for one in world.openings(COUNT)
    ]
    report = opened(tmp_path, told)
    assert (report.finding.code, report.finding.seq) == ("opening", 107)


@pytest.mark.parametrize(
    "change", [{"seq": 108}, {"field": "nickname"}, {"id": world.event_id(108)}], ids=repr
)
def test_an_opening_of_what_no_entry_committed_to_is_found(tmp_path, change):
    told = [*world.openings(COUNT), world.opening(107, "name", "张三107") | change]
    assert opened(tmp_path, told).finding.code in ("opening_unknown", "opening_repeated")


def test_a_value_that_was_erased_and_yet_is_in_the_openings_is_mentioned(tmp_path):
    report = opened(tmp_path, [*world.openings(COUNT), world.opening(17, "name", "张三17")])
    assert report.ok
    assert report.personal.erased == 2
    assert "still_opened" in [warning.code for warning in report.warnings]


@pytest.mark.parametrize(
    "line", [b"x", b"[]", b"{}", b'{"field":"n"}', b"\xff", b"[" * 100_000, b'"' + b"a" * 2_000_000]
)
def test_openings_that_cannot_be_read_are_named_by_their_line(tmp_path, line):
    (tmp_path / "log").write_bytes(b"".join(log()))
    first = json.dumps(world.withheld(7, "name")).encode()
    (tmp_path / "openings").write_bytes(first + b"\n" + line + b"\n")
    with pytest.raises(Unreadable, match="line 2"):
        check(tmp_path / "log", openings=tmp_path / "openings")
