"""The folder of static files holds every tile of its tree, right to the last hash, and nothing besides."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verifier import tiles
from audit.verifier.check import Known, check
from audit.verifier.result import Unreadable, Verdict
from tests import log_world as world

KEY = world.ed25519()
TRUSTED = Known(keys=(KEY.key,))
BROKEN = Verdict.BROKEN


@pytest.fixture(scope="module")
def log() -> world.Log:
    return world.Log(tuple(world.seal(world.bodies(700))))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513])
def test_trees_of_every_shape_are_read(size, tmp_path):
    log = world.Log(tuple(world.seal(world.bodies(size))))
    report = check(world.write(tmp_path, world.files(log, sm3=True)), TRUSTED)
    assert report.ok, report.finding
    assert (report.entries, report.size, report.sm3_size) == (size, size, size)


def test_a_tree_of_three_levels_is_read(tmp_path):
    """65,536 leaves and a few: only there does a tile of level 1 get full."""
    log = world.Log(
        tuple(world.seal(world.plain(seq) if seq else world.opened_log() for seq in range(65_800)))
    )
    files = world.files(log)
    assert "tile/2/000.p/1" in files
    folder = world.write(tmp_path, files)
    assert check(folder, TRUSTED, fast=True).ok
    for name in ("tile/2/000.p/1", "tile/1/000", "tile/1/001.p/1"):
        data = files[name]
        (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert check(folder, TRUSTED, fast=True).finding.code == "tile"
        (folder / name).write_bytes(data)


def test_every_missing_file_is_named(log, tmp_path):
    files = world.files(log, sm3=True)
    for name in files:
        if not name.startswith("tile"):
            continue
        folder = world.write(tmp_path / name.replace("/", "-"), {n: d for n, d in files.items() if n != name})
        report = check(folder, TRUSTED)
        assert (report.verdict, report.finding.code) == (BROKEN, "tile_missing")
        assert name in report.finding.en


@pytest.mark.parametrize(
    "name",
    [
        "tile/0/003", "tile/0/002.p/189", "tile/1/001.p/1", "tile/2/000.p/1", "tile/63/000.p/1", "tile/entries/003",
        "tile/entries/002.p/189", "tile/0/x000/001", "tile/0/2", "tile/0/002.p/0188", "tile/00/000", "tile/notes",
        "tile-sm3/0/000", "tile-sm3/entries/000",
    ],
)  # fmt: skip
def test_a_file_that_is_none_of_the_tree_is_named(log, tmp_path, name):
    report = check(world.write(tmp_path, world.files(log) | {name: bytes(32)}), TRUSTED)
    assert (report.verdict, report.finding.code) == (BROKEN, "tile_extra")
    assert name in report.finding.en


def test_tiles_that_were_partial_once_may_stay_if_they_are_right(log, tmp_path):
    earlier = {name: data for name, data in world.files(replace(log, covered=300)).items() if ".p/" in name}
    assert set(earlier) == {"tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"}
    folder = world.write(tmp_path, earlier | world.files(log))
    assert check(folder, TRUSTED).ok
    for name, data in earlier.items():
        (folder / name).write_bytes(data[:-1] + b"?")
        report = check(folder, TRUSTED)
        assert (report.verdict, report.finding.code) == (BROKEN, "tile")
        assert name in report.finding.en
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\x00", lambda d: d + d, lambda d: b""])
def test_tiles_and_bundles_have_their_length(log, tmp_path, change):
    files = world.files(log)
    for name in [name for name in files if name.startswith("tile/")]:
        folder = world.write(tmp_path, files | {name: change(files[name])})
        assert check(folder, TRUSTED).verdict == BROKEN, name


def test_a_folder_of_hashes_alone_proves_the_tree(log, tmp_path):
    public = {name: data for name, data in world.files(log).items() if "/entries/" not in name}
    report = check(world.write(tmp_path / "a", public), TRUSTED)
    assert report.ok
    assert (report.entries, report.size) == (0, 700)
    assert "hashes_only" in [warning.code for warning in report.warnings]
    for name in ("tile/0/000", "tile/0/002.p/188", "tile/1/000.p/2"):
        forged = public | {name: public[name][:-1] + bytes([public[name][-1] ^ 1])}
        assert check(world.write(tmp_path / "b", forged), TRUSTED).verdict == BROKEN
    del public["tile/0/001"]
    assert check(world.write(tmp_path / "c", public), TRUSTED).finding.code == "tile_missing"


def test_stamped_checkpoints_are_held_against_the_tree(log, tmp_path):
    stamps = {"stamps/2026-09-21.checkpoint": log.checkpoint(300), "stamps/2026-09-21.tsr": b"?"}
    report = check(world.write(tmp_path / "a", world.files(log) | stamps), TRUSTED)
    assert report.ok
    assert "stamps" in [warning.code for warning in report.warnings]
    forged = {"stamps/2026-09-21.checkpoint": world.rewritten(log, 9).checkpoint(300)}
    report = check(world.write(tmp_path / "b", world.files(log) | forged), TRUSTED)
    assert (report.verdict, report.finding.code) == (BROKEN, "other_root")


def test_a_parallel_tree_larger_than_the_log_is_refused(log, tmp_path):
    larger = {name: data for name, data in world.files(log, sm3=True).items() if "sm3" in name}
    report = check(world.write(tmp_path, world.files(replace(log, covered=600)) | larger), TRUSTED)
    assert (report.verdict, report.finding.code) == (BROKEN, "ahead")


def test_links_and_pipes_are_not_followed(log, tmp_path):
    folder = world.write(tmp_path / "log", world.files(log))
    tile = folder / "tile/0/000"
    (tmp_path / "elsewhere").write_bytes(tile.read_bytes())
    tile.unlink()
    tile.symlink_to(tmp_path / "elsewhere")
    assert check(folder, TRUSTED).finding.code == "tile_missing"
    tile.unlink()
    os.mkfifo(tile)
    assert check(folder, TRUSTED).finding.code == "tile_missing"


def test_a_folder_without_checkpoint_is_no_log(tmp_path):
    with pytest.raises(Unreadable, match="checkpoint"):
        check(tmp_path, TRUSTED)


@given(st.integers(0, 10**12), st.integers(1, 256), st.integers(-1, 63))
def test_the_path_of_a_tile_is_read_back(index, width, level):
    path = tiles.path_of(level, index, width)
    assert tiles.parse_path(path) == (level, index, width)
    assert all(len(part.removeprefix("x")) == 3 for part in path.split(".p/")[0].split("/")[1:])


def test_paths_are_those_of_the_specification():
    assert tiles.path_of(0, 1_234_067) == "0/x001/x234/067"
    widths = {level: [tiles.width_at(level, n, 70_000) for n in (0, 272, 273, 274)] for level in (0, 1, 2)}
    assert widths[0] == [256, 256, 112, 0]  # the example of tlog-tiles: 273 full tiles and one of 112
    assert [tiles.width_at(1, n, 70_000) for n in (0, 1, 2)] == [256, 17, 0]
    assert [tiles.width_at(2, n, 70_000) for n in (0, 1)] == [1, 0]
