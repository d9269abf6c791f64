"""The first rows of a version, for the provider's own stewards and nobody else (P1).

Of an undecided version: as they stand in the file, kept in a small file beside the upload and removed with it.
Of a published one: as they stand in the extract.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from catalog import ingest
from catalog.models import Version
from catalog.permissions import can_preview
from catalog.states import VersionState
from catalog.uploads import head_path
from parties.actors import Actor

ROWS = 20


@dataclass(frozen=True, slots=True)
class Preview:
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # an empty text where there is no value


def first_rows(actor: Actor, version: Version) -> Preview | None:
    """At most ROWS rows. None where there are none to show, or the actor is not a steward of the provider."""
    if not can_preview(actor, version.dataset):
        return None
    if version.state == VersionState.PUBLISHED:
        return _of_extract(version)
    return _of_upload(version)


def keep_head(version: Version, source: ingest.Source, folder: Path) -> None:
    """Put the first rows of an opened source beside the version's upload."""
    found = ingest.preview(source, folder=folder, n=ROWS)
    rows = [[_text(row[header]) for header in source.headers] for row in found]
    path = head_path(version.upload)
    path.write_text(json.dumps([source.headers, rows], ensure_ascii=False), encoding="utf-8")


def _of_upload(version: Version) -> Preview | None:
    try:
        headers, rows = json.loads(head_path(version.upload).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Preview(tuple(headers), tuple(tuple(row) for row in rows))


def _of_extract(version: Version) -> Preview | None:
    named = [column.name for column in version.schema.columns]
    try:
        with pq.ParquetFile(version.extract_path) as file:
            columns = [name for name in named if name in file.schema_arrow.names]
            batch = next(file.iter_batches(batch_size=ROWS, columns=columns), None)
    except FileNotFoundError:
        return None
    found = batch.to_pylist() if batch is not None else []
    return Preview(tuple(columns), tuple(tuple(_text(row[name]) for name in columns) for row in found))


def _text(value: object) -> str:
    return "" if value is None else str(value)
