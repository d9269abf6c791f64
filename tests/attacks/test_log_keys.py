"""The thief of a key, and whoever can write an entry: nobody becomes a signer of the log by saying so in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.verifier import sm2
from audit.verifier.check import Known, check
from audit.verifier.note import parse_checkpoint
from audit.verifier.policy import BadPolicy, parse_policy
from audit.verifier.result import Report, Verdict
from tests import log_world as world

OLD, NEW, THIEF = world.ed25519(), world.ed25519(seed="second"), world.ed25519(seed="thief")
W1, W2 = world.witness("w1.test"), world.witness("w2.test")
CONTRADICTED = Verdict.CONTRADICTED
COUNT, SAID = 620, 450  # entries, and the one that the thief has written
Judged = Callable[..., Report]


def log(
    special: dict[int, dict[str, Any]], signers: tuple[world.Signer, ...] = (OLD,), **how: Any
) -> world.Log:
    """Entry 400 announces NEW, signed by OLD."""
    return world.Log(tuple(world.seal(world.bodies(COUNT, special))), signers, **how)


def with_receipt(special: dict[int, dict[str, Any]], **how: Any) -> tuple[world.Log, bytes]:
    receipt = world.receipt_for(world.Log(tuple(world.seal(world.bodies(590, special)))), 590)
    released = json.loads(world.releasing(receipt, world.RELEASED + 1).entries[world.RELEASED])
    x = {"act": "run.released", "obj": "run:1", "out": "ok", "x": released["x"], "pc": None}
    return log({**special, world.RELEASED: x}, **how), receipt


FORMS = ("lines", "folder", "scoped", "receipt")


@pytest.fixture(params=FORMS)
def judged(request: pytest.FixtureRequest, tmp_path: Path) -> Judged:
    """A log in each of the forms in which it leaves, as its reader finds it."""

    def judge(special: dict[int, dict[str, Any]], known: Known, **how: Any) -> Report:
        made, receipt = with_receipt(special, **how)
        path = tmp_path / "export"
        match request.param:
            case "lines":
                path.write_bytes(b"".join(world.jsonl(made)))
            case "folder":
                world.write(path, world.files(made))
            case "scoped":
                path.write_bytes(b"".join(world.scoped(made)))
            case _:
                path.write_text(json.dumps(world.receipt_proof(made, receipt)))
        return check(path, known)

    return judge


def trusting(*signers: world.Signer) -> Known:
    return Known(keys=tuple(signer.key for signer in signers))


# --- An entry that anybody may have written -----------------------------------------------------------------
BY = {"nobody": (), "the thief": (THIEF,), "a key of another log": (world.ed25519("other.test/log"),)}


@pytest.mark.parametrize("by", BY)
def test_a_thief_announces_his_key_and_adds_his_line_to_the_logs_own_checkpoint(judged, by):
    """The log signs every tree, also one with his entry in it: its signature there says nothing of his key."""
    said = {SAID: world.key_entry("added", THIEF, *BY[by])}
    for handover in ({SAID + 1: (OLD, THIEF)}, {SAID + 1: (OLD, NEW, THIEF), SAID + 9: (OLD, NEW, THIEF)}):
        report = judged(said, trusting(OLD), signers=(THIEF,), handovers=handover)
        assert (report.verdict, report.finding.code) == (CONTRADICTED, "unsigned")


def test_a_signature_for_one_purpose_serves_no_other(judged):
    """A retirement, an announcement under another name, a checkpoint: none of the log's signatures can be moved."""
    statements = {
        "retired": f"{world.ORIGIN}\nlog.key_retired\n{THIEF.vkey}\n",
        "elsewhere": f"other.test/log\nlog.key_added\n{THIEF.vkey}\n",
        "another key": f"{world.ORIGIN}\nlog.key_added\n{NEW.vkey}\n",
    }
    for statement in statements.values():
        entry = world.key_entry("added", THIEF)
        entry["x"]["signed"] = OLD.line(statement.encode()).decode()
        report = judged({SAID: entry}, trusting(OLD), signers=(THIEF,), handovers={SAID + 1: (OLD, THIEF)})
        assert report.finding.code == "unsigned"


def test_what_a_log_signs_about_a_key_can_never_be_its_checkpoint():
    from audit.verifier.note import Malformed

    for act in ("added", "retired"):
        statement = f"{world.ORIGIN}\nlog.key_{act}\n{OLD.vkey}\n".encode()
        with pytest.raises(Malformed):
            parse_checkpoint(world.note(statement, (OLD,)))


@pytest.mark.parametrize("by", BY)
def test_a_forged_retirement_takes_no_key_away(judged, by):
    report = judged({SAID: world.key_entry("retired", OLD, *BY[by])}, trusting(OLD))
    assert report.ok, report.finding
    if report.kind in ("log", "folder"):
        assert [one.en for one in report.warnings if one.code == "stray_key" and f"entry {SAID} " in one.en]


@pytest.mark.parametrize(
    "said",
    [
        {SAID: world.key_entry("added", OLD), SAID + 1: world.key_entry("added", OLD)},
        {SAID: world.key_entry("retired", OLD), SAID + 1: world.key_entry("added", OLD)},
        {SAID: {"act": "log.key_added", "x": {"vkey": 7}, "pc": None}},
        {SAID: {"act": "log.key_retired", "x": {"vkey": "x", "signed": []}, "pc": None}},
        {SAID: {"act": "log.key_retired", "x": {"vkey": OLD.vkey, "signed": "— x y\n" * 99}, "pc": None}},
    ],
    ids=["twice", "back and forth", "a number", "no text", "lines of nonsense"],
)  # fmt: skip
def test_entries_about_keys_that_nobody_signed_do_not_spoil_the_log(judged, said):
    assert judged(said, trusting(OLD)).ok


# --- A key that was once good -------------------------------------------------------------------------------
RETIRED = {500: world.key_entry("retired", OLD, OLD, NEW)}


def test_a_retired_key_stays_retired_though_it_announces_itself_again(tmp_path):
    again = {**RETIRED, 510: world.key_entry("added", OLD, OLD)}
    for handovers in ({}, {511: (OLD, NEW)}, {401: (OLD, NEW), 511: (OLD, NEW)}):
        made = log(again, signers=(OLD,), handovers=handovers)
        (tmp_path / "log").write_bytes(b"".join(world.jsonl(made)))
        report = check(tmp_path / "log", trusting(OLD))
        assert (report.verdict, report.finding.code) == (CONTRADICTED, "retired_key")


def test_a_retired_key_introduces_nobody(tmp_path):
    """Neither by an announcement after its end, nor by a checkpoint that holds its end."""
    said = {**RETIRED, 510: world.key_entry("added", THIEF, OLD)}
    made = log(said, signers=(THIEF,), handovers={511: (OLD, THIEF), 401: (OLD, NEW)})
    (tmp_path / "log").write_bytes(b"".join(world.jsonl(made)))
    assert check(tmp_path / "log", trusting(OLD)).finding.code == "unsigned"


def test_a_retired_key_that_hides_what_came_later_is_found_by_whoever_remembers(tmp_path):
    """An older end of the log, signed with the stolen key: true as far as it goes. Only memory tells."""
    now = log(RETIRED, signers=(NEW,), handovers={401: (OLD, NEW)})
    world.write(tmp_path / "now", world.files(now))
    world.write(tmp_path / "old", world.files(replace(now, covered=480, signers=(OLD,), handovers={})))
    assert check(tmp_path / "old", trusting(OLD)).ok  # docs/audit-log.md, "What it does not prove"
    assert check(tmp_path / "now", trusting(OLD), state=tmp_path / "state").ok
    report = check(tmp_path / "old", trusting(OLD), state=tmp_path / "state")
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "unsigned")
    assert check(tmp_path / "old", Known(), state=tmp_path / "state").finding.code in ("unsigned", "rollback")


@pytest.mark.parametrize("sizes", [{401: 420}, {401: 399}, {401: 620}])
def test_checkpoints_under_keys_are_of_this_log_and_of_the_size_they_say(tmp_path, sizes):
    made = log({}, signers=(NEW,))
    files = world.files(made)
    for name, size in sizes.items():
        note = made.checkpoint(size, (OLD, NEW)).split(b"\n")
        note[1] = b"%d" % name  # the root of another size, and what was signed for that
        files[f"keys/{name}"] = b"\n".join(note)
    report = check(world.write(tmp_path / "log", files), trusting(OLD))
    assert report.verdict in (CONTRADICTED, Verdict.BROKEN)


def test_a_hand_over_in_another_log_of_the_same_key_is_none_here(tmp_path):
    """OLD signs two logs. In the other one it hands over to the thief, and that proof is shown here."""
    name = "audit.test/other"
    other_old, other_thief = (world.renamed(one, name) for one in (OLD, THIEF))
    said = {
        0: world.opened_log(origin=name),
        SAID: world.key_entry("added", other_thief, other_old, origin=name),
    }
    other = log(said, signers=(other_old,), handovers={SAID + 1: (other_old, other_thief)}, origin=name)
    made = log({}, signers=(THIEF,))
    files = world.files(made) | {"keys/451": other.key_changes()[SAID + 1]}
    assert check(world.write(tmp_path / "log", files), trusting(OLD)).finding is not None
    content = world.scoped(made)
    content = [*content[:-1], world.line(key_change=world.handover_proofs(other)[0]), content[-1]]
    (tmp_path / "scoped").write_bytes(b"".join(content))
    assert check(tmp_path / "scoped", trusting(OLD)).finding.code == "key_entry"


def test_sm2_alone_is_enough_only_for_whoever_trusts_it(tmp_path):
    made = log({}, signers=(world.sm2(),))
    (tmp_path / "log").write_bytes(b"".join(world.jsonl(made)))
    assert check(tmp_path / "log", trusting(OLD)).finding.code == "unsigned"
    report = check(tmp_path / "log", trusting(OLD, world.sm2()))
    assert "silent_key" in [one.code for one in report.warnings]


# --- Witnesses ----------------------------------------------------------------------------------------------
def cosigned(tmp_path: Path, made: world.Log, lines: bytes) -> Report:
    files = world.files(made)
    files["checkpoint"] += lines
    policy = parse_policy(world.policy(OLD, (W1, W2), "all"))
    return check(world.write(tmp_path / "log", files), Known(policy=policy))


@pytest.mark.parametrize(
    "what", ["another size", "another origin", "one witness twice", "by the log's key", "at another time"]
)
def test_a_cosignature_counts_for_its_own_checkpoint_and_its_own_witness(tmp_path, what):
    made = log({})
    text = made.checkpoint(signers=())[:-1]
    other_origin = text.replace(b"audit.test/log", b"other.test/log")
    raw = W2.sign(text)
    as_witness = replace(W2, sign=lambda said: raw[:8] + OLD.sign(b"cosignature/v1\ntime 1\n" + said))
    lines = {
        "another size": W2.line(made.checkpoint(500, ())[:-1]),
        "another origin": W2.line(other_origin),
        "one witness twice": W1.line(text),
        "by the log's key": as_witness.line(text),
        "at another time": replace(W2, sign=lambda _said: (1).to_bytes(8, "big") + raw[8:]).line(text),
    }
    assert cosigned(tmp_path, made, W1.line(text) + W2.line(text)).ok
    report = cosigned(tmp_path, made, W1.line(text) + lines[what])
    assert (report.verdict, report.finding.code) in ((CONTRADICTED, "quorum"), (CONTRADICTED, "signature"))


@pytest.mark.parametrize(
    "lines",
    [
        "witness A {w1}\nwitness B {w1}\ngroup g 2 A B\nquorum g", "witness A {w1}\ngroup g 2 A A\nquorum g",
        "witness A {w1}\ngroup g any h\ngroup h any g A\nquorum g", "witness A {w1}\ngroup g any A g\nquorum g",
        "group g any none\nquorum g", "witness none {w1}\nquorum none", "witness A {log}\nquorum A",
        "witness A {w1}\nquorum none\nquorum A", "witness A {w1}\ngroup g 0 A\nquorum g", "witness A {w1}\ngroup g 2 A\nquorum g",
        "witness A {w1}\ngroup g -1 A\nquorum g", "witness A {w1}\ngroup g ١ A\nquorum g", "quorum A\nwitness A {w1}",
    ],
)  # fmt: skip
def test_no_policy_makes_a_quorum_out_of_less(lines):
    text = lines.format(w1=W1.vkey, log=OLD.vkey)
    with pytest.raises(BadPolicy):
        parse_policy(f"log {OLD.vkey}\n{text}\n".encode())


def test_a_policy_for_another_log_is_not_met_by_this_one(tmp_path):
    made = log({})
    policy = parse_policy(world.policy(world.ed25519("other.test/log")))
    report = check(world.write(tmp_path / "log", world.files(made)), Known(policy=policy))
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "other_log")


def test_a_thousand_copies_of_a_costly_line_are_looked_at_once(monkeypatch):
    """Anybody may add lines to a note; SM2 costs milliseconds."""
    counted = []
    monkeypatch.setattr(sm2, "verify", lambda *_: counted.append(1) or True)
    text = log({}).checkpoint(signers=())[:-1]
    note = parse_checkpoint(text + b"\n" + world.sm2().line(text) * 1000).note
    assert set(note.signers([world.sm2().key])) == {world.sm2().key}
    assert len(counted) == 1
