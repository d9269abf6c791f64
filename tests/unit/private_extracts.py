"""Small extracts of the datasets in `private_terms`, as the ingest writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.unit.guard_terms import DISTRICTS

MIX = 0x9E3779B97F4A7C15  # spreads small numbers over pseudonyms
Extract = dict[str, list[dict[str, Any]]]

LOANS = pa.schema(
    [
        *[
            ("_unit", pa.int32()),
            ("enterprise", pa.uint64()),
            ("district", pa.string()),
            ("year", pa.int64()),
        ],
        *[("secured", pa.bool_()), ("amount", pa.decimal128(18, 2)), ("note", pa.string())],
        ("branch", pa.string()),
    ]
)
POWER = pa.schema([("_unit", pa.int32()), ("firm", pa.uint64()), ("year", pa.int64()), ("kwh", pa.int64())])
STATIONS = pa.schema([("_row", pa.int64()), ("code", pa.string()), ("zone", pa.string())])
AIR = pa.schema(
    [
        ("_row", pa.int64()),
        ("_record_key", pa.uint64()),
        ("station", pa.string()),
        ("pm25", pa.decimal128(18, 1)),
    ]
)


def pseudonym(unit: int) -> int:
    return (unit + 1) * MIX % 2**64


def tables(extract: Extract) -> dict[str, pa.Table]:
    """As the ingest writes them: units numbered densely in the order of their pseudonyms."""
    loans = numbered(extract["loans"], "enterprise")
    power = numbered(extract.get("power", []), "firm")
    stations = [
        {"_row": i, "code": c, "zone": z}
        for i, (c, z) in enumerate(zip("aab", ("north", "south", "south"), strict=True))
    ]
    return {
        "loans": pa.Table.from_pylist(loans, LOANS),
        "power": pa.Table.from_pylist(power, POWER),
        "stations": pa.Table.from_pylist(stations, STATIONS),
    }


def numbered(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    keys = [{**row, name: pseudonym(row["unit"])} for row in rows]
    codes = {key: i for i, key in enumerate(sorted({row[name] for row in keys}))}
    return [{**row, "_unit": codes[row[name]]} for row in keys]


def without(extract: Extract, unit: int) -> Extract:
    return {name: [row for row in rows if row["unit"] != unit] for name, rows in extract.items()}


def crowd(units: int) -> Extract:
    """Each unit in three cells, odd and even ones in different cells, several rows in each, far beyond the bounds."""
    cells = [(year, secured) for secured in (True, False) for year in (2023, 2024, 2025)]
    row = {"amount": Decimal(10**6), "note": "x", "branch": "a", "district": DISTRICTS[0]}
    places = [(unit, *cell) for unit in range(units) for cell in cells[unit % 2 * 3 :][:3] * 4]
    return {"loans": [{**row, "unit": u, "year": y, "secured": s} for u, y, s in places]}
