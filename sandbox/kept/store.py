"""The folder of kept tables: two files for each, the table and its card, and what is done to have room.

    <sha256 of the extract>-<key of the layout>.parquet    mode 0400
    <the same>.json                                        {"sha256", "constant", "full"}: written last, touched at use

Under its name a file is whole: it is written as `.kept-<hex>.tmp`, made durable and renamed. A table without a card
is not read. Whoever has a table open may go on reading it after it was removed. What stands here protects people as
little as an extract does, so the folder is the worker's alone.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from sandbox import extracts
from sandbox.engines import Facts, Layout
from sandbox.kept.build import build
from sandbox.kept.first_level import NotKept

STALE_SECONDS = 3600.0  # no build takes so long


def find(layout: Layout) -> tuple[int, Facts] | None:
    """The table of `layout`, open for reading, the caller's to close; None where there is none to be trusted."""
    table, card = _paths(layout)
    try:
        said = json.loads(card.read_bytes())
        found = extracts.open_checked(table, said["sha256"])
        facts = Facts(frozenset(said["constant"]), frozenset(said["full"]))
    except (extracts.ExtractChanged, ValueError, KeyError, TypeError):
        _remove(card)
        return None
    except OSError:
        return None
    with suppress(OSError):
        os.utime(card)
    return found, facts


def keep(layout: Layout, extract: int, *, threads: int, keep_going: Callable[[], bool]) -> None:
    """Build the table of `layout` from the extract open as `extract`. Two at once do it twice and leave it once.

    Raises NotKept, Stopped, IngestError, OSError (a full disk); then nothing but what `sweep` removes is left.
    """
    folder = _folder()
    table, card = _paths(layout)
    temporary = folder / f".kept-{uuid4().hex}.tmp"
    try:
        facts = build(layout, extract, temporary, threads=threads, keep_going=keep_going)
        if temporary.stat().st_size > settings.KEPT_BYTES:
            raise NotKept("the table is larger than all kept tables may be")
        _remove(card)  # of a table that is about to be replaced
        _name(temporary, table)
        said = {
            "sha256": extracts.digest(table),
            "constant": sorted(facts.constant),
            "full": sorted(facts.full),
        }
        temporary.write_text(json.dumps(said), "ascii")
        _name(temporary, card)
    finally:
        temporary.unlink(missing_ok=True)
    evict()


def evict() -> int:
    """Remove the tables used longest ago until the rest takes at most KEPT_BYTES; return how many."""
    cards = sorted(_folder().glob("*.json"), key=_touched)
    sizes = {card: _size(card) + _size(card.with_suffix(".parquet")) for card in cards}
    surplus, removed = sum(sizes.values()) - settings.KEPT_BYTES, 0
    for card in cards:
        if surplus <= 0:
            break
        _remove(card)
        surplus, removed = surplus - sizes[card], removed + 1
    return removed


def sweep() -> None:
    """Remove what crashed builds left, tables whose extract is gone, and tables beyond the limit."""
    oldest = time.time() - STALE_SECONDS
    for card in _folder().glob("*.json"):
        extract = card.name.partition("-")[0]
        if not (Path(settings.EXTRACTS_DIR) / f"{extract}.parquet").exists():
            _remove(card)
    tables = [path for path in _folder().glob("*.parquet") if not path.with_suffix(".json").exists()]
    for path in (*tables, *_folder().glob(".kept-*.tmp"), *_folder().glob("tmp/spill-*")):
        if _touched(path) < oldest:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    evict()


def _folder() -> Path:
    folder = Path(settings.KEPT_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _paths(layout: Layout) -> tuple[Path, Path]:
    name = f"{layout.extract}-{layout.key}"
    return Path(settings.KEPT_DIR) / f"{name}.parquet", Path(settings.KEPT_DIR) / f"{name}.json"


def _name(temporary: Path, path: Path) -> None:
    """Make the file durable and read-only, then give it its name."""
    temporary.chmod(0o400)
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(card: Path) -> None:
    """The card first: a table without one is not read."""
    card.unlink(missing_ok=True)
    card.with_suffix(".parquet").unlink(missing_ok=True)


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another worker was faster
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
