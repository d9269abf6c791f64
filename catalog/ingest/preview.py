"""The first rows of a source as they are, for the provider who brought it and for nobody else."""

from __future__ import annotations

from pathlib import Path

from catalog.ingest.engine import session
from catalog.ingest.source import Source

ROWS = 20
SHOWN = 200  # characters of a cell


def preview(source: Source, *, folder: Path, n: int = ROWS) -> list[dict[str, str | None]]:
    """The first `n` readable rows, header → text. RAW DATA: must not reach a consumer, a log or a task message."""
    cells = ", ".join(f"left(c{place}, {SHOWN})" for place in range(len(source.headers)))
    with session(folder=folder, reads=source.path, threads=1) as connection:
        rows = connection.execute(f"SELECT {cells} FROM {source.relation()} LIMIT {n:d}").fetchall()  # noqa: S608
    return [dict(zip(source.headers, row, strict=True)) for row in rows]
