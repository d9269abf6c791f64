"""The outside exam: Go's golang.org/x/mod/sumdb, which nobody here wrote, reads what we publish and checks our proofs."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from audit.verifier import tree
from dataspace.machine.doctor import GO_SOURCES, find_go
from tests import log_world
from tests.log_world import b64, ed25519, files, grown, mth, sha256, sm2, witness, write

SOURCE = Path(__file__).resolve().parents[1] / "outside" / "main.go"
LARGEST = 300  # every proof of every tree up to this size


@pytest.fixture(scope="session")
def outside(tmp_path_factory) -> Callable[..., str]:
    """The program, built: called with arguments, it returns the line it prints."""
    go = find_go()
    if go is None or not (GO_SOURCES / "golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip(
            "Go or golang.org/x/mod is missing; `dataspace doctor --tests --fix` installs them where it can"
        )
    folder = tmp_path_factory.mktemp("outside")
    settings = {
        "GO111MODULE": "off", "GOPATH": str(GO_SOURCES.parent), "GOCACHE": str(folder / "cache"),
        "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOENV": "off", "CGO_ENABLED": "0",
    }  # fmt: skip
    command = [go, "build", "-o", str(folder / "outside"), str(SOURCE)]
    built = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr

    def ask(*arguments: object, given: str = "") -> str:
        command = [str(folder / "outside"), *map(str, arguments)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
        said = done.stdout.strip()
        assert (done.returncode == 0) == said.startswith("OK "), (done.returncode, said, done.stderr)
        return said

    return ask


def log_of(count: int) -> log_world.Log:
    log = log_world.Log(tuple(log_world.seal(log_world.bodies(min(count, 390)))))
    return grown(log, count - log.size) if count > log.size else log


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 1000])
def test_a_published_folder_is_accepted(outside, tmp_path, size):
    log = log_of(size)
    write(tmp_path, files(log))
    assert outside("verify", tmp_path, ed25519().vkey) == f"OK entries={size}"


def test_every_earlier_checkpoint_is_an_earlier_state(outside, tmp_path):
    log = log_of(600)
    write(tmp_path / "log", files(log))
    for size in (1, 2, 255, 256, 257, 511, 512, 599, 600):
        (tmp_path / "older").write_bytes(log.checkpoint(size))
        assert outside("verify", tmp_path / "log", ed25519().vkey, tmp_path / "older") == "OK entries=600"
    (tmp_path / "older").write_bytes(log_world.rewritten(log, 3).checkpoint(300))
    assert outside("verify", tmp_path / "log", ed25519().vkey, tmp_path / "older").startswith("FAIL older")


def test_tiles_of_a_second_level_and_names_beyond_a_thousand(outside, tmp_path):
    """257,000 small entries: index 1003 is x001/003, and a tile of level 1 is full."""
    entries = log_world.seal({"n": n} for n in range(257_000))
    log = log_world.Log(tuple(entries))
    write(tmp_path, files(log))
    assert outside("verify", tmp_path, ed25519().vkey) == "OK entries=257000"


def test_signatures_of_witnesses_and_of_sm2_do_not_disturb_it(outside, tmp_path):
    write(tmp_path, files(replace(log_of(300), signers=(sm2(), ed25519()), witnesses=(witness("w.test/1"),))))
    assert outside("verify", tmp_path, ed25519().vkey) == "OK entries=300"


def flipped(raw: bytes, bit: int) -> bytes:
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


def test_a_flipped_bit_in_any_file_is_refused(outside, tmp_path):
    content = files(log_of(600))
    write(tmp_path, content)
    chance = random.Random(20261126)
    for path, raw in content.items():
        if path == "policy":
            continue
        for bit in {chance.randrange(len(raw) * 8) for _ in range(6)}:
            (tmp_path / path).write_bytes(flipped(raw, bit))
            assert outside("verify", tmp_path, ed25519().vkey).startswith("FAIL "), (path, bit)
        (tmp_path / path).write_bytes(raw)
    assert outside("verify", tmp_path, ed25519().vkey) == "OK entries=600"


def test_another_key_a_rewritten_log_and_a_missing_file_are_refused(outside, tmp_path):
    log = log_of(300)
    write(tmp_path, files(log))
    assert outside("verify", tmp_path, ed25519(seed="another").vkey).startswith("FAIL ")
    (tmp_path / "checkpoint").write_bytes(log_world.rewritten(log, 7).checkpoint())
    assert outside("verify", tmp_path, ed25519().vkey) == "FAIL root"
    (tmp_path / "checkpoint").write_bytes(log.checkpoint())
    (tmp_path / "tile/1/000.p/1").unlink()
    assert outside("verify", tmp_path, ed25519().vkey).startswith("FAIL ")


# -- all proofs of small trees --

LEAVES = [sha256(b"\x00%d" % n) for n in range(LARGEST)]
Prover = Callable[[int, Sequence[bytes]], list[bytes]]


def claims(inclusion: Prover, consistency: Prover) -> Iterator[dict]:
    """Every inclusion and consistency proof of every tree of at most LARGEST leaves."""
    roots = [b64([mth(LEAVES[:size])])[0] for size in range(LARGEST + 1)]
    for size in range(1, LARGEST + 1):
        leaves = LEAVES[:size]
        for index, leaf in enumerate(b64(leaves)):
            yield {
                "index": index,
                "leaf": leaf,
                "size": size,
                "root": roots[size],
                "proof": b64(inclusion(index, leaves)),
            }
        for old in range(1, size + 1):
            proof = b64(consistency(old, leaves))
            yield {"old": old, "old_root": roots[old], "size": size, "root": roots[size], "proof": proof}


def refused_by_us(claim: dict) -> bool:
    def raw(text: str) -> bytes:
        return log_world.base64.b64decode(text)

    proof = [raw(text) for text in claim["proof"]]
    try:
        if "old" in claim:
            tree.check_consistency(
                claim["old"], claim["size"], raw(claim["old_root"]), raw(claim["root"]), proof
            )
        else:
            tree.check_inclusion(claim["index"], claim["size"], raw(claim["leaf"]), proof, raw(claim["root"]))
    except tree.InvalidProof:
        return True
    return False


def test_every_proof_of_every_small_tree_is_accepted_by_them_and_by_us(outside):
    every = list(claims(log_world.inclusion, log_world.consistency))
    assert outside("proofs", given=json.dumps(every)) == f"OK proofs={LARGEST * (LARGEST + 1)} refused="
    assert not any(map(refused_by_us, every))


def test_the_proofs_our_server_makes_are_accepted(outside):
    merkle = pytest.importorskip("audit.transparency.merkle", reason="the log's own side is not here")
    levels = [LEAVES]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append(
            [sha256(b"\x01" + below[at] + below[at + 1]) for at in range(0, len(below) // 2 * 2, 2)]
        )

    def stored(level: int, index: int) -> bytes:
        return levels[level][index]

    every = list(
        claims(
            lambda index, leaves: merkle.inclusion(index, len(leaves), stored),
            lambda old, leaves: merkle.consistency(old, len(leaves), stored),
        )
    )
    assert outside("proofs", given=json.dumps(every)) == f"OK proofs={LARGEST * (LARGEST + 1)} refused="


def spoiled(claim: dict, chance: random.Random) -> dict:
    """The same claim with a bit flipped, a hash too many or too few, two swapped, or another place."""
    proof = [log_world.base64.b64decode(text) for text in claim["proof"]]
    at = chance.randrange(len(proof))
    changes = [
        [*proof[:at], flipped(proof[at], chance.randrange(256)), *proof[at + 1 :]],
        [*proof, bytes(32)],
        proof[:at] + proof[at + 1 :],
    ]
    return claim | {"proof": b64(chance.choice(changes))}


def test_spoiled_proofs_are_refused_by_them_and_by_us(outside):
    chance = random.Random(20261126)
    every = [claim for claim in claims(log_world.inclusion, log_world.consistency) if claim["proof"]]
    chosen = [spoiled(claim, chance) for claim in chance.sample(every, 5000)]
    numbers = ",".join(map(str, range(len(chosen))))
    assert outside("proofs", given=json.dumps(chosen)) == f"OK proofs={len(chosen)} refused={numbers}"
    assert all(map(refused_by_us, chosen))


def test_the_program_says_what_it_cannot_read(outside, tmp_path):
    assert outside("verify", tmp_path, ed25519().vkey).startswith("FAIL open")
    assert outside("proofs", given="[").startswith("FAIL ")
    assert outside("else").startswith("FAIL usage")
