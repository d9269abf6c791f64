"""The public profile shows no record, and the synthetic sample is made from it alone."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.ingest import Profile, build, open_source, profile, synthetic_rows
from catalog.ingest.profile import LEAST, Bar, ColumnProfile, Quality
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Schema

D, Q = ColumnKind.DIMENSION, ColumnKind.QUASI_IDENTIFIER
SCHEMA = Schema(
    (
        Column("firm", "firm", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, unit_space="enterprise"),
        Column("area", "area", ColumnType.TEXT, D, domain=("common", "rare", "other", "absent")),
        Column("day", "day", ColumnType.DATE, Q),
        Column("use", "use", ColumnType.DECIMAL, ColumnKind.MEASURE, scale=1),
        Column("loan", "loan", ColumnType.INTEGER, ColumnKind.SENSITIVE),
        Column("note", "note", ColumnType.TEXT, Q),
        Column("on", "on", ColumnType.BOOLEAN, D, domain=("true", "false")),
        Column(
            "month",
            "",
            ColumnType.TEXT,
            D,
            domain=("2024-01", "2024-02"),
            derived=Derivation("day", DeriveRule.YEAR_MONTH),
        ),
        Column(
            "band",
            "",
            ColumnType.TEXT,
            D,
            domain=("<50", ">=50"),
            derived=Derivation("use", DeriveRule.BANDS, edges=("50",)),
        ),
    )
)


def _profile(tmp_path: Path, schema: Schema = SCHEMA) -> Profile:
    lines = ["firm,area,day,use,loan,note,on"]
    for n in range(1000):
        area = "rare" if n < 9 else "other" if n < 300 else "common"
        use = "987654.3" if n == 500 else f"{n % 100}.5"
        lines.append(
            f"E{n % 200},{area},2024-0{n % 2 + 1}-1{n % 9},{use},{777000 + n},hidden-{n},{'是' if n % 2 else ''}"
        )
    path = tmp_path / "in.csv"
    path.write_text("\n".join([*lines, lines[-1], "bad\n"]))
    source = open_source(path, folder=tmp_path)
    extract = build(source, schema, out_dir=tmp_path, space_key=bytes(32), on_bad_rows="drop_rows")
    return profile(extract, schema, folder=tmp_path)


def test_rare_values_are_merged_so_that_the_rest_cannot_be_worked_out(tmp_path: Path) -> None:
    bars = _profile(tmp_path).column("area").bars
    assert [bar.label for bar in bars] == ["common", ""], (
        "nine rare rows alone would follow from the remainder"
    )


def test_numbers_are_shown_in_round_ranges_only(tmp_path: Path) -> None:
    found = _profile(tmp_path)
    bars = found.column("use").bars
    assert bars[0].label.startswith("<")
    assert bars[-1].label.startswith(">=")
    assert bars[-1].high == ""
    assert sum(bar.share for bar in bars) == pytest.approx(1, abs=0.05)
    assert "987654" not in json.dumps(found.to_json()), "the greatest value is one record"


def test_protected_columns_show_nothing(tmp_path: Path) -> None:
    text = json.dumps(_profile(tmp_path).to_json())
    assert "777" not in text
    assert "hidden" not in text
    found = _profile(tmp_path)
    assert found.column("loan").distinct is None
    assert found.column("note").bars == ()
    assert found.column("firm").bars == ()


def test_a_table_of_few_units_has_no_shape(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("firm,area,use\n" + "".join(f"E{n % (LEAST - 1)},common,{n}\n" for n in range(500)))
    schema = Schema(tuple(c for c in SCHEMA.columns if c.name in {"firm", "area", "use"}))
    extract = build(open_source(path, folder=tmp_path), schema, out_dir=tmp_path, space_key=bytes(32))
    found = profile(extract, schema, folder=tmp_path)
    assert [c.bars for c in found.columns] == [(), (), ()]


def test_quality_counts_cells_repetitions_and_dropped_rows(tmp_path: Path) -> None:
    quality = _profile(tmp_path).quality
    assert quality.completeness == pytest.approx(1 - 500 / (1001 * 7), abs=0.002)
    assert quality.uniqueness == pytest.approx(1 - 1 / 1001, abs=0.001)
    assert quality.validity == pytest.approx(1001 / 1002, abs=0.001)
    assert 0 < quality.score < 1


def test_months_stand_for_days(tmp_path: Path) -> None:
    day = _profile(tmp_path).column("day")
    assert (day.first_month, day.last_month) == ("2024-01", "2024-02")


def test_a_dimension_is_constant_where_each_unit_has_one_value_of_it(tmp_path: Path) -> None:
    """A unit whose rows are all without a value has one; a unit with a value and without has two."""
    constant = ["a,x", "a,x", "b,y", "b,y", "c,", "c,"]
    for lines, expected in ((constant, True), ([*constant, "c,y"], False), ([*constant, "a,y"], False)):
        path = tmp_path / "in.csv"
        path.write_text("\n".join(["firm,area,note", *(f"{line},t" for line in lines)]) + "\n")
        schema = Schema(
            (
                SCHEMA.columns[0],
                Column("area", "area", ColumnType.TEXT, D, domain=("x", "y")),
                Column("note", "note", ColumnType.TEXT, Q),
            )
        )
        extract = build(open_source(path, folder=tmp_path), schema, out_dir=tmp_path, space_key=bytes(32))
        found = profile(extract, schema, folder=tmp_path)
        assert [c.constant for c in found.columns] == [None, expected, None]


def test_a_profile_written_before_anyone_looked_knows_of_no_constant(tmp_path: Path) -> None:
    written = _profile(tmp_path).to_json()
    for column in written["columns"]:
        del column["constant"]
    assert {c.constant for c in Profile.from_json(written).columns} == {None}


def test_a_profile_survives_json(tmp_path: Path) -> None:
    found = _profile(tmp_path)
    assert Profile.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_sample_is_made_from_the_schema_and_the_profile_alone(tmp_path: Path) -> None:
    found = _profile(tmp_path)
    rows = synthetic_rows(SCHEMA, found, n=200)
    for row in rows:
        assert list(row) == [c.name for c in SCHEMA.columns]
        assert row["area"] in SCHEMA.column("area").domain
        assert row["on"] in {True, False, None}
        assert row["month"] == (f"{row['day']:%Y-%m}" if row["day"] else None)
        assert row["band"] == ("<50" if row["use"] < 50 else ">=50")
        assert -200 < row["use"] < 300
        assert row["use"].as_tuple().exponent == -1
        assert 0 <= row["loan"] <= 100, "nothing is known of a sensitive column"
        assert row["note"].startswith("sample ")
    assert {row["area"] for row in rows} > {"common"}
    assert isinstance(rows[0]["use"], Decimal)


def test_a_sample_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    found = _profile(tmp_path)
    assert synthetic_rows(SCHEMA, found, seed=1) == synthetic_rows(SCHEMA, found, seed=1)
    assert synthetic_rows(SCHEMA, found, seed=1) != synthetic_rows(SCHEMA, found, seed=2)


def test_direct_identifiers_are_not_in_a_sample(tmp_path: Path) -> None:
    columns = tuple(
        replace(c, kind=ColumnKind.DIRECT_IDENTIFIER) if c.name == "note" else c for c in SCHEMA.columns
    )
    schema = Schema(columns)
    assert "note" not in synthetic_rows(schema, _profile(tmp_path, schema), n=1)[0]


def _drawn(bars: tuple[Bar, ...], rows: int = 1000, units: int = 100) -> list[dict[str, object]]:
    columns = (
        Column("firm", "firm", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, unit_space="enterprise"),
        Column("use", "use", ColumnType.INTEGER, ColumnKind.MEASURE),
    )
    known = tuple(ColumnProfile(c.name, 0.0, bars=bars if c.name == "use" else ()) for c in columns)
    return synthetic_rows(Schema(columns), Profile(rows, units, Quality(1, 1, 1), known), n=20)


def test_the_open_ends_of_a_histogram_are_drawn_as_a_spread_not_as_one_number() -> None:
    ends = (Bar("<5", 0.6, "", "5"), Bar("5-10", 0.2, "5", "10"), Bar(">=10", 0.2, "10", ""))
    values = {row["use"] for row in _drawn(ends)}
    assert values <= set(range(15)), "nothing below nought, nothing far beyond the last public edge"
    assert len(values & set(range(5))) > 2
    assert _drawn((Bar("<-5", 1.0, "", "-5"),))[0]["use"] in range(-10, -5)
    assert _drawn((Bar("<5", 1.0, "", "5"),))[0]["use"] in range(5)
    assert _drawn((Bar("all", 1.0, "", ""),))[0]["use"] in range(100)


def test_a_sample_meets_many_units_and_each_but_once_where_each_has_one_row() -> None:
    assert len({row["firm"] for row in _drawn((), rows=400_000, units=20_000)}) > 8
    assert len({row["firm"] for row in _drawn((), rows=500, units=500)}) == 20
    assert len({row["firm"] for row in _drawn((), rows=500, units=3)}) <= 3
