"""The folder of kept tables: nothing half, nothing changed, nothing without its extract, and never too much."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import source as sources
from sandbox.engines import Layout, generate, layout_of, overlap
from sandbox.guard import check_sql
from sandbox.kept import store
from sandbox.kept.build import Stopped
from sandbox.source import source_for
from sandbox.spec import ExtractRef
from tests.unit.guard_terms import OPEN
from tests.unit.perturbed_lane import PERTURBED
from tests.unit.private_terms import with_privacy
from tests.unit.test_engine_kept import answer, extract

GIVEN = [(n // 3, "历下", 2023 + n % 3, None, None, None, None, n, "x") for n in range(60)]
TEXTS = ["select year, sum(staff) from loans group by 1", "select district, sum(staff) from loans group by 1"]
QUERY = check_sql(TEXTS[0], OPEN)


def go_on() -> bool:
    return True


@pytest.fixture
def world(settings, tmp_path: Path, monkeypatch) -> ExtractRef:
    """An extract on record, and no kept table yet."""
    settings.EXTRACTS_DIR, settings.KEPT_DIR = tmp_path / "extracts", tmp_path / "kept"
    settings.EXTRACTS_DIR.mkdir()
    monkeypatch.setattr(sources, "LEAST_ROWS", 1)
    monkeypatch.setattr(sources, "_never", set())
    path = extract(GIVEN, settings.EXTRACTS_DIR / "x.parquet")
    sha256 = store.extracts.digest(path)
    path.rename(path.with_name(f"{sha256}.parquet"))
    return ExtractRef("loans", "d", "v", 1, len(GIVEN), sha256, "")


def layout(ref: ExtractRef, text: str = TEXTS[0]) -> Layout:
    found = layout_of(check_sql(text, OPEN), OPEN, ref.sha256)
    assert found is not None
    return found


def ask(ref: ExtractRef, text: str = TEXTS[0]) -> tuple[str, list[dict[str, object]]]:
    """The SQL used and the raw table."""
    with source_for([ref], check_sql(text, OPEN), OPEN, go_on) as source:
        assert source.tables == {"loans": 0}
        return source.sql, answer(
            source.sql, "loans", Path(f"/proc/self/fd/{source.descriptors[0]}")
        ).to_pylist()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def test_the_second_question_reads_what_the_first_one_kept(world, settings, monkeypatch) -> None:
    first = ask(world)
    card, table = files(settings.KEPT_DIR)
    assert (card.suffix, table.suffix) == (".json", ".parquet")
    assert [path.stat().st_mode & 0o777 for path in (settings.KEPT_DIR, card, table)] == [0o700, 0o400, 0o400]
    monkeypatch.setattr(store, "build", None)
    assert ask(world) == first
    assert first[0] != generate(QUERY, OPEN)
    path = settings.EXTRACTS_DIR / f"{world.sha256}.parquet"
    assert first[1] == answer(generate(QUERY, OPEN), "loans", path).to_pylist()


def test_a_changed_or_cut_off_table_is_built_again(world, settings) -> None:
    first = ask(world)
    for spoil in (lambda body: body[:-9], lambda body: body[:40] + bytes([body[40] ^ 1]) + body[41:]):
        (table,) = settings.KEPT_DIR.glob("*.parquet")
        table.chmod(0o600)
        table.write_bytes(spoil(table.read_bytes()))
        assert store.find(layout(world)) is None
        assert ask(world) == first


@pytest.mark.parametrize("said", ["", "{}", "[]", '{"sha256": 3, "constant": [], "full": []}'])
def test_a_card_that_is_none_is_not_believed(world, settings, said) -> None:
    first = ask(world)
    (card,) = settings.KEPT_DIR.glob("*.json")
    card.chmod(0o600)
    card.write_text(said)
    assert ask(world) == first


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ValueError("secret 42"), MemoryError()]
)
def test_where_no_table_can_be_made_the_plain_plan_answers(
    world, settings, monkeypatch, caplog, error
) -> None:
    def fails(*_args, **_kwargs):
        raise error

    first = ask(world)
    for path in files(settings.KEPT_DIR):
        path.unlink()
    monkeypatch.setattr(store, "build", fails)
    assert ask(world) == (generate(QUERY, OPEN), first[1])
    assert type(error).__name__ in caplog.text
    assert "secret" not in caplog.text
    assert files(settings.KEPT_DIR) == []


def test_what_cannot_be_kept_is_tried_once(world, settings, monkeypatch) -> None:
    settings.KEPT_BYTES = 10
    assert ask(world)[0] == generate(QUERY, OPEN)
    assert files(settings.KEPT_DIR) == []
    monkeypatch.setattr(store, "keep", None)
    assert ask(world)[0] == generate(QUERY, OPEN)


def test_a_run_that_must_stop_stops_the_build(world, settings, monkeypatch) -> None:
    def stops(*_args, **_kwargs):
        raise Stopped

    monkeypatch.setattr(store, "build", stops)
    assert ask(world)[0] == generate(QUERY, OPEN)
    assert files(settings.KEPT_DIR) == []


def test_small_extracts_and_joins_are_read_as_they_are(world, monkeypatch, settings) -> None:
    monkeypatch.setattr(sources, "LEAST_ROWS", 1000)
    assert ask(world)[0] == generate(QUERY, OPEN)
    assert not settings.KEPT_DIR.exists()


def test_the_table_used_longest_ago_makes_room_and_may_still_be_read(world, settings) -> None:
    ask(world, TEXTS[0])
    for card in settings.KEPT_DIR.glob("*.json"):
        os.utime(card, (1, 1))
    settings.KEPT_BYTES = sum(path.stat().st_size for path in files(settings.KEPT_DIR)) + 10
    with source_for([world], QUERY, OPEN, go_on) as source:
        os.utime(next(settings.KEPT_DIR.glob("*.json")), (1, 1))
        ask(world, TEXTS[1])
        assert store.find(layout(world, TEXTS[0])) is None
        answer(source.sql, "loans", Path(f"/proc/self/fd/{source.descriptors[0]}"))
    found = store.find(layout(world, TEXTS[1]))
    assert found is not None
    os.close(found[0])


def test_use_makes_a_table_young(world, settings) -> None:
    ask(world)
    (card,) = settings.KEPT_DIR.glob("*.json")
    os.utime(card, (1, 1))
    ask(world)
    assert card.stat().st_mtime > time.time() - 60


def test_the_sweep_removes_what_crashes_left_and_what_lost_its_extract(world, settings) -> None:
    ask(world)
    folder = settings.KEPT_DIR
    old, young = folder / ".kept-0.tmp", folder / ".kept-1.tmp"
    spilled, lonely = folder / "tmp" / "spill-0", folder / f"{'0' * 64}-1.parquet"
    for path in (old, young, lonely):
        path.touch()
    spilled.mkdir(parents=True)
    for path in (old, lonely, spilled):
        os.utime(path, (1, 1))
    store.sweep()
    assert [path.exists() for path in (old, young, lonely, spilled)] == [False, True, False, False]
    assert store.find(layout(world)) is not None
    (settings.EXTRACTS_DIR / f"{world.sha256}.parquet").unlink()
    store.sweep()
    assert files(folder) == [young]


def test_a_missing_extract_is_told_of_even_where_a_table_is_kept(world, settings) -> None:
    ask(world)
    (settings.EXTRACTS_DIR / f"{world.sha256}.parquet").unlink()
    with pytest.raises(sources.extracts.ExtractChanged):
        ask(world)


def test_another_extract_has_its_own_table(world) -> None:
    other = replace(world, sha256="0" * 64)
    assert layout(world).key != layout(other).key


def test_the_outline_is_read_from_the_same_table(world, settings) -> None:
    with source_for([world], QUERY, OPEN, go_on) as source:
        path = Path(f"/proc/self/fd/{source.descriptors[0]}")
        found = answer(source.outline, "loans", path).to_pylist()
    path = settings.EXTRACTS_DIR / f"{world.sha256}.parquet"
    assert source.outline != overlap.outline(QUERY, OPEN)
    assert found == answer(overlap.outline(QUERY, OPEN), "loans", path).to_pylist()


def test_the_private_lane_has_tables_of_its_own_and_no_outline(world, settings) -> None:
    ask(world)
    terms = with_privacy()
    query = check_sql(TEXTS[0], terms)
    with source_for([world], query, terms, go_on) as source:
        assert (source.sql != generate(query, terms), source.outline) == (True, "")
    assert len(list(settings.KEPT_DIR.glob("*.parquet"))) == 2


def test_the_perturbed_lane_reads_the_extract(world, settings) -> None:
    query = check_sql(TEXTS[0], PERTURBED)
    with source_for([world], query, PERTURBED, go_on) as source:
        assert (source.sql, source.outline) == (generate(query, PERTURBED), "")
    assert not settings.KEPT_DIR.exists()
