"""P11: whatever byte of an export is changed, and however entries are dropped, doubled, moved or rewritten, it is found.

The first bad entry is named where there is one, and the exit code says of which kind the fault is.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.verifier.check import Known, check, verify
from audit.verifier.known import keys_of
from audit.verifier.note import parse_key
from audit.verifier.result import Report, Unreadable, Verdict
from tests import log_world as world

BROKEN, UNREADABLE, CONTRADICTED = Verdict.BROKEN, Verdict.UNREADABLE, Verdict.CONTRADICTED
COUNT = 1000
OLD, NEW = world.ed25519(), world.ed25519(seed="second")
TRUSTED = Known(keys=(OLD.key,))


@pytest.fixture(scope="module")
def log() -> world.Log:
    """A thousand entries, a key change, and everything else that has rules."""
    return world.Log(tuple(world.seal(world.bodies(COUNT))), (NEW,), handovers={401: (OLD, NEW)})


@pytest.fixture(scope="module")
def small() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(6))))


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1 << at % 8
    return bytes(changed)


def checked(path: Path, content: bytes | dict[str, bytes], known: Known = TRUSTED, **how) -> Report:
    """As the command line would: what cannot be read is an outcome too."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        world.write(path, content)
    try:
        return check(path, known, **how)
    except Unreadable:
        return Report(source="unreadable")


def places(data: bytes, number: int = 60) -> list[int]:
    """Spread over the whole, ends included; the same in every run."""
    chosen = random.Random(len(data))
    return [0, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(number))]


def test_the_log_is_accepted_in_every_form_before_it_is_falsified(log, tmp_path):
    for name, content in (("file", b"".join(world.jsonl(log))), ("folder", world.files(log, sm3=True))):
        report = checked(tmp_path / name, content)
        assert report.ok, report.finding
        assert (report.entries, report.size, report.origin) == (COUNT, COUNT, world.ORIGIN)
        assert [signer.vkey for signer in report.signers] == [NEW.vkey]


@pytest.mark.parametrize("fast", [False, True], ids=["both passes", "fast"])
def test_a_flipped_bit_in_any_entry_of_the_file_names_that_entry(log, tmp_path, fast):
    lines = world.jsonl(log)
    chosen = random.Random(1)
    for seq in [0, 1, COUNT - 2, COUNT - 1, *chosen.sample(range(COUNT), 60)]:
        forged = list(lines)
        forged[seq] = flipped(lines[seq][:-1], chosen.randrange(len(lines[seq]) - 1)) + b"\n"
        report = checked(tmp_path / "log.jsonl", b"".join(forged), fast=fast)
        assert report.verdict == BROKEN, (seq, forged[seq])
        assert report.finding.seq == seq, (report.finding, forged[seq])


def test_every_byte_of_a_small_file_counts(small):
    """One bit of each byte flipped: never accepted, and in an entry the entry is named."""
    lines = world.jsonl(small)
    whole = b"".join(lines)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    for at in range(len(whole)):
        report = verify(flipped(whole, at).splitlines(keepends=True))
        line = next(n for n, end in enumerate(ends) if at < end)
        if (
            line >= len(small.entries) + 1
        ):  # the checkpoint: nobody gave a key here, its text and its form count
            continue
        assert report.verdict == BROKEN, at
        if line < len(small.entries) and report.finding.seq != line:
            assert at == ends[line] - 1 or flipped(whole, at)[at : at + 1] in b"\r\n", (at, report.finding)


@pytest.mark.parametrize("fast", [False, True], ids=["both passes", "fast"])
def test_a_flipped_bit_in_a_bundle_names_the_entry(log, tmp_path, fast):
    files = world.files(log)
    chosen = random.Random(2)
    for _ in range(60):
        name = chosen.choice([name for name in files if "/entries/" in name])
        at = chosen.randrange(len(files[name]))
        first = int(name.split("/")[2].removesuffix(".p")) * 256
        ends, end = [], 0
        for entry in log.entries[first : first + 256]:
            end += 2 + len(entry)
            ends.append(end)
        seq = first + next(n for n, end in enumerate(ends) if at < end)
        report = checked(tmp_path / "folder", files | {name: flipped(files[name], at)}, fast=fast)
        assert report.verdict == BROKEN, (name, at)
        assert report.finding.seq == seq, (report.finding, name, at)
        assert report.entries <= seq


@pytest.mark.parametrize("track", ["tile/", "tile-sm3/"])
def test_a_flipped_bit_in_a_tile_names_the_tile_and_the_first_entry_below_it(log, tmp_path, track):
    files = world.files(log, sm3=True)
    for name in [name for name in files if name.startswith(track) and "/entries/" not in name]:
        for at in places(files[name], 4):
            report = checked(tmp_path / "folder", files | {name: flipped(files[name], at)})
            level, index = int(name.split("/")[1]), int(name.split("/")[2].removesuffix(".p"))
            assert (report.verdict, report.finding.code) == (BROKEN, "tile")
            assert report.finding.seq == (index * 256 + at // 32) * 256**level
            assert name in report.finding.en
    assert checked(tmp_path / "folder", files).ok


def test_a_flipped_bit_in_checkpoint_or_signature_is_found_with_and_without_a_key(log, tmp_path):
    files = world.files(log, sm3=True)
    for name in ("checkpoint", "keys/401", "checkpoint.sm3"):
        text = files[name].index(b"\n\n") + 1
        for at in places(files[name], 80):
            report = checked(tmp_path / "folder", files | {name: flipped(files[name], at)})
            assert report.verdict in (BROKEN, CONTRADICTED), (name, at)
            if at < text and not (at > text - 50 and name != "checkpoint.sm3"):
                continue
            assert report.finding.seq is None or name == "checkpoint.sm3"
    for at in range(files["checkpoint"].index(b"\n\n") - 10):  # its size and root tell even without a key
        report = checked(
            tmp_path / "folder", files | {"checkpoint": flipped(files["checkpoint"], at)}, Known()
        )
        assert report.verdict == BROKEN, at


def test_a_flipped_bit_in_the_key_is_no_key_or_none_of_this_log(log, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"".join(world.jsonl(replace(log, signers=(OLD,), covered=700))))
    vkey = OLD.vkey
    assert check(tmp_path / "log.jsonl", Known(keys=keys_of(vkey))).ok
    for at in range(len(vkey)):
        try:
            key = parse_key(flipped(vkey.encode(), at).decode("latin-1"))
        except ValueError:
            continue
        raise AssertionError(f"byte {at}: {key}")


def test_a_flipped_bit_in_an_opening_is_found(log, tmp_path):
    path, told = tmp_path / "openings.jsonl", b"".join(world.line(**one) for one in world.openings(COUNT))
    (tmp_path / "log.jsonl").write_bytes(b"".join(world.jsonl(log)))
    path.write_bytes(told)
    report = check(tmp_path / "log.jsonl", TRUSTED, openings=path)
    assert (report.personal.opened, report.personal.withheld, report.personal.erased) == (98, 100, 2)
    for at in places(told[:-1], 100):
        path.write_bytes(flipped(told, at))
        try:
            found = check(tmp_path / "log.jsonl", TRUSTED, openings=path).finding
        except Unreadable:
            continue
        assert found.code in ("opening", "opening_unknown", "missing"), at


def dropped(entries: list[bytes], seq: int) -> list[bytes]:
    return entries[:seq] + entries[seq + 1 :]


def doubled(entries: list[bytes], seq: int) -> list[bytes]:
    return [*entries[: seq + 1], *entries[seq:]]


def swapped(entries: list[bytes], seq: int) -> list[bytes]:
    return [*entries[:seq], entries[seq + 1], entries[seq], *entries[seq + 2 :]]


def inserted(entries: list[bytes], seq: int) -> list[bytes]:
    """An entry of another log, with the right number and the right hash before it."""
    prev = json.loads(entries[seq])["_prev"]
    return [*entries[:seq], *world.seal([world.plain(5000)], bytes.fromhex(prev), seq), *entries[seq:]]


@pytest.mark.parametrize("seq", [0, 1, 255, 256, 513, 998])
@pytest.mark.parametrize("forge", [dropped, doubled, swapped, inserted])
@pytest.mark.parametrize("form", ["file", "folder"])
@pytest.mark.parametrize("fast", [False, True], ids=["both passes", "fast"])
def test_entries_dropped_doubled_moved_or_inserted_are_named(log, tmp_path, forge, seq, form, fast):
    entries = forge(list(log.entries), seq)
    if form == "file":
        content = b"".join([*(entry + b"\n" for entry in entries), *world.jsonl(log)[COUNT:]])
    else:
        files = world.files(log)
        names = sorted(name for name in files if "/entries/" in name)
        parts = [entries[at : at + 256] for at in (0, 256, 512)] + [entries[768:]]
        content = files | {
            name: b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
            for name, part in zip(names, parts, strict=True)
        }
    report = checked(tmp_path / "log", content, fast=fast)
    assert report.verdict == BROKEN
    # Of a doubled entry the second is bad. Of two that claim one place, a file alone cannot tell which was inserted.
    bad = {seq + 1} if forge is doubled else {seq, seq + 1} if forge is inserted and form == "file" else {seq}
    assert report.finding.seq in bad, report.finding


@pytest.mark.parametrize("form", ["file", "folder"])
def test_a_tail_that_was_cut_off_is_named_by_its_first_entry(log, tmp_path, form):
    if form == "file":
        lines = world.jsonl(log)
        assert checked(tmp_path / "a", b"".join(lines[:900])).finding.code == "no_head"
        assert checked(tmp_path / "b", b"".join(lines[:900] + lines[COUNT:])).finding.seq == 900
        restated = world.jsonl(replace(log, entries=log.entries[:900]))[900:901]
        report = checked(tmp_path / "c", b"".join(lines[:900] + restated + lines[COUNT + 1 :]))
        assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "ahead", 900)
        return
    files = world.files(log)
    last = next(name for name in files if "/entries/" in name and ".p/" in name)
    report = checked(tmp_path / "a", {name: data for name, data in files.items() if name != last})
    assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "tile_missing", 768)


@pytest.mark.parametrize("seq", [1, 255, 256, 998])
def test_a_log_rewritten_from_an_entry_on_fails_at_the_old_checkpoint(log, tmp_path, seq):
    forged = world.rewritten(log, seq)
    lines = world.jsonl(forged)[:-2] + world.jsonl(log)[-2:]
    report = checked(tmp_path / "file", b"".join(lines))
    assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "root", None)
    files = world.files(log) | {f"tile/{name}": data for name, data in world.bundles(forged.entries).items()}
    report = checked(tmp_path / "folder", files)
    assert (report.verdict, report.finding.code, report.finding.seq) == (BROKEN, "rewritten", seq)


@pytest.mark.parametrize("form", ["file", "folder"])
def test_a_log_rewritten_and_signed_with_another_key_is_whole_and_yet_refused(log, tmp_path, form):
    thief = world.ed25519(seed="thief")
    forged = replace(world.rewritten(log, 500), signers=(thief,), handovers={})
    content = b"".join(world.jsonl(forged)) if form == "file" else world.files(forged)
    report = checked(tmp_path / "log", content)
    assert (report.verdict, report.finding.code) == (CONTRADICTED, "unsigned")
    report = checked(tmp_path / "log", content, Known())
    assert report.ok
    assert "no_keys" in [one.code for one in report.warnings]


def test_two_entries_changed_side_by_side_are_named_by_the_first(log, tmp_path):
    lines = world.jsonl(log)
    for seq in (4, 400, COUNT - 2):
        forged = list(lines)
        for at in (seq, seq + 1):
            forged[at] = lines[at].replace(b'"out":"ok"', b'"out":"no"').replace(b"refused", b"refuser")
        for fast in (False, True):
            assert checked(tmp_path / "log", b"".join(forged), fast=fast).finding.seq == seq


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400), at=st.integers(0, 10_000), cut=st.integers(0, 400), fast=st.booleans())
def test_nothing_that_stands_in_a_file_is_a_crash(data, at, cut, fast, tmp_path_factory):
    log = world.Log(tuple(world.seal(world.bodies(8))))
    folder = tmp_path_factory.mktemp("fuzz")
    for lines in (world.jsonl(log), world.scoped(log), [data]):
        whole = b"".join(lines)
        spot = at % (len(whole) + 1)
        content = whole[:spot] + data + whole[spot + cut :]
        (folder / "export").write_bytes(content)
        try:
            report = check(folder / "export", TRUSTED, fast=fast)
        except Unreadable:
            continue
        assert not report.ok or content == whole != data or report.kind == "scoped"
        assert json.dumps(report.to_json())


@settings(max_examples=100, deadline=None)
@given(
    data=st.binary(max_size=200), which=st.integers(0, 20), at=st.integers(0, 10_000), cut=st.integers(0, 300)
)
def test_nothing_that_stands_in_a_folder_is_a_crash(data, which, at, cut, tmp_path_factory):
    log = world.Log(tuple(world.seal(world.bodies(300))))
    files = world.files(log)
    name = sorted(name for name in files if name != "policy")[which % (len(files) - 1)]
    spot = at % (len(files[name]) + 1)
    changed = files[name][:spot] + data + files[name][spot + cut :]
    folder = world.write(tmp_path_factory.mktemp("fuzz"), files | {name: changed})
    report = check(folder, TRUSTED)
    assert report.ok == (changed == files[name])
