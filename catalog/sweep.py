"""The sweep: nudge the versions that wait for a worker, and remove files that nothing needs any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.conf import settings

from catalog import ingest
from catalog.leases import due
from catalog.models import Version
from catalog.queue import SWEEP_SECONDS, enqueue_ingest
from catalog.states import WORKED_ON, VersionState
from catalog.uploads import HEAD

UNTOUCHED_FOR = 24 * 3600  # seconds after which a file that no row names is left over for certain
_others: list[Callable[[], Iterable[str]]] = []


def spare(named: Callable[[], Iterable[str]]) -> None:
    """Have the sweep ask for SHA-256 digests of extracts that rows beyond the catalog name. Call it once, at start."""
    _others.append(named)


def sweep() -> None:
    """Safe to run at any time and any number of times: work is claimed under a lock."""
    for uid in due().values_list("uid", flat=True):
        enqueue_ingest(uid, expires=SWEEP_SECONDS)
    for path in leftovers():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    ingest.sweep(Path(settings.EXTRACTS_DIR), older_than_seconds=UNTOUCHED_FOR)


def leftovers() -> Iterator[Path]:
    """Uploads whose version is decided; half-written files, work folders and extracts that were cut off.

    A file is older than its row for a moment, so what no row names must have been untouched for a day.
    """
    needed = {*WORKED_ON, VersionState.CHECKED}
    uploads = dict(Version.objects.exclude(upload="").values_list("upload", "state"))
    named = set(Version.objects.exclude(sha256="").values_list("sha256", flat=True)).union(
        *(others() for others in _others)
    )
    oldest = time.time() - UNTOUCHED_FOR
    for path in _within(settings.UPLOADS_DIR):
        state = uploads.get(path.name.removesuffix(HEAD))
        if state not in needed and (state is not None or _untouched(path, oldest)):
            yield path
    for path in _within(settings.EXTRACTS_DIR):
        if path.suffix == ".parquet" and path.stem not in named and _untouched(path, oldest):
            yield path


def _within(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _untouched(path: Path, since: float) -> bool:
    try:
        return path.stat().st_mtime < since
    except FileNotFoundError:  # removed by its owner in the meantime
        return False
