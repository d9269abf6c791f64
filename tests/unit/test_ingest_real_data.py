"""Real files go the whole way: opened, understood, validated, built, profiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from catalog.ingest import build, infer_schema, open_source, profile, synthetic_rows, validate
from catalog.schema import ColumnKind, ColumnType, Schema, problems

KEY = bytes(range(32))

# file, rows, unit, units, columns that must have been understood: name → (type, kind)
FILES = [
    (
        "hotline_311_stlouis_2018_01.csv",
        1554,
        "requestid",
        1532,
        {
            "datetimeinit": (ColumnType.TIMESTAMP, ColumnKind.QUASI_IDENTIFIER),
            "problemcode": (ColumnType.TEXT, ColumnKind.DIMENSION),
            "datetimeinit_hour": (ColumnType.TEXT, ColumnKind.DIMENSION),
        },
    ),
    (
        "sme_loans.csv",
        22427,
        "enterprise_id",
        21726,
        {
            "zip": (ColumnType.TEXT, ColumnKind.QUASI_IDENTIFIER),
            "approval_date": (ColumnType.DATE, ColumnKind.QUASI_IDENTIFIER),
            "disbursement_gross": (ColumnType.INTEGER, ColumnKind.MEASURE),
            "loan_id": (ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER),
        },
    ),
    (
        "household_electricity_halfhourly.parquet",
        293_874,
        "customer_id",
        10,
        {
            "general_supply_kwh": (ColumnType.DECIMAL, ColumnKind.MEASURE),
            "reading_datetime_month": (ColumnType.TEXT, ColumnKind.DIMENSION),
        },
    ),
    (
        "building_energy_2015_2016.csv",
        6716,
        "ose_building_id",
        3432,
        {
            "address": (ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER),
            "default_data": (ColumnType.BOOLEAN, ColumnKind.DIMENSION),
            "electricity_k_wh": (ColumnType.DECIMAL, ColumnKind.MEASURE),
        },
    ),
    (
        "china_city_macro.csv",
        7500,
        None,
        0,
        {
            "year": (ColumnType.INTEGER, ColumnKind.DIMENSION),
            "province": (ColumnType.TEXT, ColumnKind.DIMENSION),
            "resident_population": (ColumnType.DECIMAL, ColumnKind.MEASURE),
        },
    ),
    (
        "adult_income.csv",
        32_561,
        "person_id",
        32_561,
        {
            "age": (ColumnType.INTEGER, ColumnKind.QUASI_IDENTIFIER),
            "age_band": (ColumnType.TEXT, ColumnKind.QUASI_IDENTIFIER),
            "hours_per_week": (ColumnType.INTEGER, ColumnKind.MEASURE),
        },
    ),
]


@pytest.mark.parametrize(("name", "rows", "unit", "units", "understood"), FILES, ids=[f[0] for f in FILES])
def test_a_real_file_is_published_from_its_own_proposal(
    shared_data: Path, tmp_path: Path, name: str, rows: int, unit: str | None, units: int, understood: dict
) -> None:
    source = open_source(shared_data / name, folder=tmp_path)
    schema = infer_schema(source, folder=tmp_path)
    assert problems(schema) == ()
    assert (schema.unit.name if schema.unit else None) == unit
    for column, expected in understood.items():
        found = schema.column(column)
        assert (found.type, found.kind) == expected
    assert validate(source, schema, folder=tmp_path).bad_rows == 0
    extract = build(source, schema, out_dir=tmp_path / "out", space_key=KEY)
    assert (extract.rows, extract.units, extract.dropped_rows) == (rows, units, 0)
    found = profile(extract, schema, folder=tmp_path)
    assert 0.5 < found.quality.score <= 1
    assert len(synthetic_rows(schema, found)) == 20
    keys = duckdb.sql(f"SELECT count(DISTINCT _record_key) FROM '{extract.path}'").fetchall()
    assert keys == [(rows,)]


def test_city_statistics_with_broken_headers_are_read_under_whole_ones(
    shared_data: Path, tmp_path: Path
) -> None:
    source = open_source(shared_data / "china_city_macro.csv", folder=tmp_path)
    assert len(source.headers) == 27
    assert source.encoding == "utf-8-sig"
    assert "常住人口(万人)" in source.headers
    assert "一般公共预算支出_科学技术(万元)" in source.headers


def test_sums_of_the_extract_are_those_of_the_source(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "sme_loans.csv"
    source = open_source(path, folder=tmp_path)
    extract = build(source, infer_schema(source, folder=tmp_path), out_dir=tmp_path, space_key=KEY)
    ours = duckdb.sql(
        f"SELECT state, count(*), count(DISTINCT _unit), sum(disbursement_gross) FROM '{extract.path}' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    theirs = duckdb.sql(
        "SELECT State, count(*), count(DISTINCT enterprise_id), sum(DisbursementGross) "
        f"FROM read_csv('{path}', ignore_errors = true) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert ours == theirs


def test_air_quality_survives_a_round_trip_through_gb18030_semicolons(
    shared_data: Path, tmp_path: Path
) -> None:
    parquet = shared_data / "beijing_air_quality_hourly.parquet"
    text = tmp_path / "air.csv"
    duckdb.sql(
        f"""COPY (SELECT station AS "站点", year AS "年份", hour AS "小时", "PM2.5", "TEMP" AS "温度" FROM '{parquet}')
        TO '{text}' (HEADER, DELIMITER ';')"""
    )
    path = tmp_path / "gb.csv"
    path.write_bytes(text.read_text(encoding="utf-8").encode("gb18030"))
    source = open_source(path, folder=tmp_path)
    assert (source.encoding, source.delimiter) == ("gb18030", ";")
    schema = infer_schema(source, folder=tmp_path)
    assert validate(source, schema, folder=tmp_path).bad_rows == 0
    extract = build(source, schema, out_dir=tmp_path, space_key=KEY)
    assert extract.rows == 420_768
    [(nulls, total)] = duckdb.sql(
        f"SELECT count(*) - count(pm2_5), sum(pm2_5) FROM '{extract.path}'"
    ).fetchall()
    assert nulls == 8739
    assert float(total) == pytest.approx(
        duckdb.sql(f"SELECT sum(\"PM2.5\") FROM '{parquet}'").fetchall()[0][0]
    )


def test_a_corrected_schema_reports_what_the_proposal_accepted(shared_data: Path, tmp_path: Path) -> None:
    source = open_source(shared_data / "hotline_311_stlouis_2018_01.csv", folder=tmp_path)
    schema = infer_schema(source, folder=tmp_path)
    strict = Schema(
        tuple(
            replace(c, nullable=False)
            if c.name == "datetimeclosed"
            else replace(c, domain=("CLOSED", "CANCEL"))
            if c.name == "status"
            else c
            for c in schema.columns
        )
    )
    found = validate(source, strict, folder=tmp_path)
    assert {(f.column, f.code) for f in found.faults} == {("datetimeclosed", "missing"), ("status", "domain")}
    assert 0 < found.bad_rows < found.rows
