"""The fast reading of numbers never accepts what the precise one refuses, and both give one value."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from catalog.ingest import cells, open_source, staging
from catalog.schema import Column, ColumnKind, ColumnType, Schema


def _numbers(chance: random.Random, scale: int) -> list[str]:
    """Plain decimals around the limits: many digits, digits one past the scale, halves, exponents, zeros."""
    out = []
    for _ in range(3000):
        whole = str(chance.randrange(10 ** chance.randrange(1, 19 - scale)))
        fraction = "".join(chance.choices("0123456789", k=chance.randrange(scale + 3)))
        if chance.random() < 0.2:
            fraction += chance.choice(["0", "00", "5", "49999999", "0000000000001"])
        sign, tail = chance.choice(["", "", "-", "+"]), chance.choice([""] * 9 + ["e0", "e1", "E-1"])
        out.append(sign + whole + ("." + fraction if fraction else "") + tail)
    return out


def _read(path: Path, column: Column, *, precise: bool) -> list[tuple[object, bool]]:
    schema = Schema((column,))
    source = open_source(path, folder=path.parent)
    rows = staging.rows_sql(source, schema, precise=precise, rejects="")
    good = staging.good_sql(schema, precise=precise)
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT v, {good} FROM ({rows})").fetchall()


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("scale", [0, 1, 2, 4, 9])
def test_both_readings_agree_on_every_good_number(tmp_path: Path, scale: int, rounded: bool) -> None:
    kind = ColumnType.DECIMAL if scale else ColumnType.INTEGER
    rounded = rounded and scale > 0
    column = Column("v", "v", kind, ColumnKind.MEASURE, scale=scale, rounded=rounded)
    texts = _numbers(random.Random(scale), scale)
    path = tmp_path / "in.csv"
    path.write_text("v\n" + "\n".join(texts) + "\n")
    fast, precise = _read(path, column, precise=False), _read(path, column, precise=True)
    assert len(fast) == len(precise) == len(texts)
    accepted = 0
    for text, (value, sound), (exact, good) in zip(texts, fast, precise, strict=True):
        number = Decimal(text)
        fits = abs(number) < 10 ** (18 - scale) - 1
        wanted = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
        if fits and not (rounded or "e" in text.lower()):
            shown = wanted == number or (
                abs(number) < cells.EXACT_UNITS // 10**scale and float(wanted) == float(number)
            )
            assert good == shown, text
        if good and "e" not in text.lower():
            assert exact == wanted, text
        if sound:
            accepted += 1
            assert good, f"the fast reading accepted {text}"
            assert value == exact, text
    assert accepted > 300


def test_the_fast_reading_takes_plain_numbers_without_doubt(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.DECIMAL, ColumnKind.MEASURE, scale=2)
    assert cells.by_double(column)
    path = tmp_path / "in.csv"
    path.write_text("v\n" + "".join(f"{n / 100:.2f}\n" for n in range(-5000, 200_000, 7)))
    assert all(sound for _, sound in _read(path, column, precise=False))
