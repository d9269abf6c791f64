"""The demonstration city is synthetic, reproducible, consistent in itself and worth asking questions about."""

import hashlib
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from catalog.ingest.extract import build
from catalog.ingest.source import open_source
from catalog.schema import ColumnKind, ColumnType, DeriveRule, Grade, Schema, problems
from dataspace.demo import enterprises, words
from dataspace.demo.city import DemoFile, Provider, write_city
from dataspace.demo.credit_code import ALPHABET, SYNTHETIC_PREFIX, validate_gb32100
from dataspace.demo.places import DISTRICTS

ABOUT = ["enterprises", "electricity", "water", "hotline", "social_insurance", "credit_facts"]
OF_ENTERPRISES = [name for name in ABOUT if name not in {"enterprises", "hotline"}]

CELLS = """
    WITH unit AS (SELECT {by}, credit_code, sum({measure})::DOUBLE AS used FROM {table} GROUP BY ALL),
    ranked AS (SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY used DESC) AS place FROM unit)
    SELECT {by}, count(*) AS units, sum(used) AS total, sum(used) FILTER (place <= 2) AS top_two
    FROM ranked GROUP BY {by}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DemoFile]:
    return {f.identifier: f for f in write_city(tmp_path_factory.mktemp("city"))}


@pytest.fixture(scope="module")
def city(files: dict[str, DemoFile]) -> duckdb.DuckDBPyConnection:
    """Each file as a table under the machine names of its schema."""
    connection = duckdb.connect()
    for file in files.values():
        names = ", ".join(f'"{c.header}" AS {c.name}' for c in file.schema.columns if c.derived is None)
        connection.execute(f"CREATE TABLE {file.identifier} AS SELECT {names} FROM '{file.path}'")
    return connection


def one(city: duckdb.DuckDBPyConnection, sql: str):
    row = city.execute(sql).fetchone()
    assert row is not None
    return row[0]


def digests(files: list[DemoFile]) -> dict[str, str]:
    return {f.identifier: hashlib.sha256(f.path.read_bytes()).hexdigest() for f in files}


def test_there_are_six_datasets_and_about_a_million_rows(files, city) -> None:
    assert list(files) == ABOUT
    assert {f.provider for f in files.values()} == set(Provider)
    for file in files.values():
        assert one(city, f"SELECT count(*) FROM {file.identifier}") == file.rows
    near = dict(zip(ABOUT, (20_000, 480_000, 240_000, 120_000, 120_000, 30_000), strict=True))
    assert {n: files[n].rows for n in near} == pytest.approx(near, rel=0.1)
    assert sum(f.rows for f in files.values()) == pytest.approx(1_000_000, rel=0.03)


def test_same_seed_same_bytes_and_another_seed_another_city(tmp_path: Path) -> None:
    first = digests(write_city(tmp_path / "a", seed=7, scale=0.02))
    assert digests(write_city(tmp_path / "b", seed=7, scale=0.02)) == first
    other = digests(write_city(tmp_path / "c", seed=8, scale=0.02))
    assert all(other[name] != first[name] for name in ABOUT)


@pytest.mark.parametrize("scale", [0.0, -1.0, 1000.0])
def test_a_scale_without_enterprises_or_names_is_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(ValueError, match="enterprises, not 1 to"):
        write_city(tmp_path, scale=scale)


def test_the_smallest_city_can_be_written(tmp_path: Path) -> None:
    assert len(write_city(tmp_path, scale=1 / enterprises.AT_SCALE_1)) == 6


def test_the_largest_city_has_distinct_names_and_codes() -> None:
    rng = np.random.default_rng(1)
    table = enterprises.registry(rng, enterprises.found_enterprises(rng, enterprises.MOST))
    for header in ("统一社会信用代码", "企业名称"):
        assert len(table.column(header).unique()) == enterprises.MOST


def test_everything_is_labelled_synthetic(files, city) -> None:
    for file in files.values():
        assert file.path.name.startswith("synthetic_")
        assert "合成" in file.title_zh
        assert "synthetic" in file.title_en
        assert file.description.startswith("合成数据 · synthetic")
        if file.path.suffix == ".parquet":
            assert pq.read_schema(file.path).metadata[b"synthetic"] == b"true"
    assert one(city, "SELECT count(*) FROM enterprises WHERE NOT name LIKE '%(合成)'") == 0


def test_the_check_characters_are_those_of_the_standard() -> None:
    known = "91350100M000100Y43"  # the worked example of GB 32100-2015, with its check character
    assert validate_gb32100(known)
    for place in range(18):
        for character in set(ALPHABET) - {known[place]}:
            assert not validate_gb32100(known[:place] + character + known[place + 1 :])
    for wrong in ("", known[:-1], known + "0", known.lower(), "9I350100M000100Y43", "9135010AM000100Y43"):
        assert not validate_gb32100(wrong)


def test_every_credit_code_is_valid_unique_and_of_its_district(city) -> None:
    rows = city.execute("SELECT credit_code, district FROM enterprises").fetchall()
    divisions = {d.name: d.code for d in DISTRICTS}
    assert len({code for code, _ in rows}) == len(rows)
    for code, district in rows:
        assert validate_gb32100(code)
        assert code[2:8] == divisions[district]
        assert code[8:10] == SYNTHETIC_PREFIX


@pytest.mark.parametrize("name", ABOUT)
def test_the_schema_is_sound(files, name: str) -> None:
    schema: Schema = files[name].schema
    assert problems(schema) == ()
    assert all(any("一" <= char <= "龥" for char in c.meaning) for c in schema.columns)
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.unit is not None
    assert schema.unit.unit_space == ("person" if name == "hotline" else "enterprise")
    assert schema.grade is (Grade.GENERAL_3 if name == "social_insurance" else Grade.GENERAL_4)
    for column in schema.columns:
        assert (column.header == "") == (column.derived is not None)
        if column.kind is ColumnKind.DIMENSION:
            assert column.domain


@pytest.mark.parametrize("name", ABOUT)
def test_every_value_fits_its_column(files, city, name: str) -> None:
    kinds = {
        ColumnType.TEXT: {"VARCHAR"},
        ColumnType.INTEGER: {"BIGINT"},
        ColumnType.DECIMAL: {"DECIMAL(18,2)", "DOUBLE"},  # DOUBLE: how the reader sees a CSV column
        ColumnType.DATE: {"DATE"},
        ColumnType.TIMESTAMP: {"TIMESTAMP"},
        ColumnType.BOOLEAN: {"BOOLEAN"},
    }
    read = {row[0]: row[1] for row in city.execute(f"DESCRIBE {name}").fetchall()}
    for column in files[name].schema.columns:
        if column.derived:
            continue
        assert read[column.name] in kinds[column.type]
        if not column.nullable:
            assert one(city, f"SELECT count(*) FROM {name} WHERE {column.name} IS NULL") == 0
        if column.domain is not None:
            found = city.execute(f"SELECT DISTINCT {column.name}::VARCHAR FROM {name}").fetchall()
            assert {value for (value,) in found} <= set(column.domain)


@pytest.mark.parametrize("name", ABOUT)
def test_every_derived_value_lies_in_its_declared_domain(files, city, name: str) -> None:
    patterns = {DeriveRule.YEAR: "%Y", DeriveRule.YEAR_MONTH: "%Y-%m", DeriveRule.HOUR: "%H"}
    for column in files[name].schema.columns:
        rule = column.derived
        if rule is None:
            continue
        if rule.rule is DeriveRule.BANDS:
            assert column.domain == rule.labels()
            used = city.execute(
                f"SELECT count(*) FILTER (v < {rule.edges[0]}), count(*) FILTER (v >= {rule.edges[-1]}) "
                f"FROM (SELECT {rule.source} AS v FROM {name})"
            ).fetchone()
            assert used is not None
            assert min(used) > 0
        else:
            sql = f"SELECT DISTINCT strftime({rule.source}, '{patterns[rule.rule]}') FROM {name}"
            assert {v for (v,) in city.execute(sql).fetchall()} == set(column.domain or ())


@pytest.mark.parametrize("name", OF_ENTERPRISES)
def test_all_datasets_are_about_the_registered_enterprises(city, name: str) -> None:
    same = "e.district = t.district" + (" AND e.industry = t.industry" if name == "electricity" else "")
    strangers = f"SELECT count(*) FROM {name} t LEFT JOIN enterprises e USING (credit_code) "
    assert one(city, strangers + f"WHERE ({same}) IS NOT TRUE") == 0


def test_nothing_happens_before_an_enterprise_is_founded(city) -> None:
    for name, moment in (("electricity", "read_on"), ("water", "read_on"), ("credit_facts", "decided_on")):
        sql = f"SELECT count(*) FROM {name} JOIN enterprises USING (credit_code) WHERE {moment} < founded_on"
        assert one(city, sql) == 0


@pytest.mark.parametrize(("name", "period"), [
    ("electricity", "strftime(read_on, '%Y-%m')"),
    ("water", "strftime(read_on, '%Y-%m')"),
    ("social_insurance", "quarter"),
])  # fmt: skip
def test_an_enterprise_has_one_row_per_period(city, name: str, period: str) -> None:
    assert one(city, f"SELECT count(*) - count(DISTINCT (credit_code, {period})) FROM {name}") == 0


def test_consumption_goes_with_the_insured_employees(city) -> None:
    correlation = """
        SELECT corr(ln(e.used + 1), ln(s.staff)) FROM
        (SELECT credit_code, avg({measure}) AS used FROM {table} GROUP BY 1) e JOIN
        (SELECT credit_code, avg(insured_count) AS staff FROM social_insurance GROUP BY 1) s USING (credit_code)
    """
    assert one(city, correlation.format(measure="kwh", table="electricity")) > 0.6
    assert one(city, correlation.format(measure="water_m3", table="water")) > 0.6


def test_larger_enterprises_have_more_employees(city) -> None:
    rows = city.execute(
        "SELECT size_class, avg(insured_count) FROM social_insurance JOIN enterprises USING (credit_code) GROUP BY 1"
    ).fetchall()
    mean = dict(rows)
    assert mean["大型"] > mean["中型"] > mean["小型"] > mean["微型"] >= 1


def test_electricity_has_seasons_and_anomalies(city) -> None:
    used = dict(
        city.execute(
            "SELECT month(read_on), sum(kwh)::DOUBLE FROM electricity WHERE industry = '批发和零售业' AND year(read_on) = 2025 "
            "GROUP BY 1"
        ).fetchall()
    )
    assert min(used[7], used[8]) > 1.3 * used[10]
    jumps = """
        SELECT count(DISTINCT credit_code) FROM
        (SELECT credit_code, kwh, median(kwh) OVER (PARTITION BY credit_code) AS usual FROM electricity)
        WHERE usual > 1000 AND (kwh > 2.7 * usual OR kwh < 0.13 * usual)
    """
    share = one(city, jumps) / one(city, "SELECT count(DISTINCT credit_code) FROM electricity")
    assert 0.005 < share < 0.05
    assert one(city, "SELECT count(*) FROM electricity WHERE off_peak_kwh > kwh OR kwh < 0") == 0


def test_some_cells_are_too_small_and_some_dominated_but_most_can_be_published(city) -> None:
    cells = city.execute(CELLS.format(by="district, industry", measure="kwh", table="electricity")).fetchall()
    small = [c for c in cells if c[2] < 10]
    dominated = [c for c in cells if c[2] >= 10 and c[4] > 0.85 * c[3]]
    assert len(small) >= 10
    assert ("商河县", "采矿业") in {(c[0], c[1]) for c in small}
    assert ("钢城区", "制造业") in {(c[0], c[1]) for c in dominated}
    assert len(small) + len(dominated) < len(cells) / 3


def test_electricity_by_district_and_month_loses_only_the_steel_district(city) -> None:
    monthly = "(SELECT *, strftime(read_on, '%Y-%m') AS period FROM electricity)"
    sql = CELLS.format(by="district, period", measure="kwh", table=monthly)
    lost = {c[0] for c in city.execute(sql).fetchall() if c[2] < 10 or c[4] > 0.85 * c[3]}
    assert lost == {"钢城区"}


def test_hotline_tickets_follow_the_city(city) -> None:
    by_district = dict(city.execute("SELECT district, count(*) FROM hotline GROUP BY 1").fetchall())
    assert max(by_district, key=by_district.__getitem__) == "历城区"
    assert by_district["历城区"] > 3 * by_district["钢城区"]
    cold = "count(*) FILTER (month(received_at) IN (11, 12, 1, 2, 3))"
    assert one(city, f"SELECT {cold} / count(*) FROM hotline WHERE subcategory = '供热温度'") > 0.9
    assert one(city, "SELECT count(*) FROM hotline WHERE NOT contains(summary, district)") == 0
    assert (
        one(city, "SELECT max(n) FROM (SELECT count(DISTINCT category) n FROM hotline GROUP BY subcategory)")
        == 1
    )
    assert one(city, "SELECT max(n) FROM (SELECT count(*) n FROM hotline GROUP BY caller_id)") > 50
    assert one(city, "SELECT count(DISTINCT caller_id) FROM hotline") > 30_000


def test_hotline_ratings_agree_with_their_scores_and_fall_with_delay(city) -> None:
    scores = dict(city.execute("SELECT DISTINCT satisfaction, satisfaction_score FROM hotline").fetchall())
    assert scores == {"非常满意": 5, "满意": 4, "基本满意": 3, "不满意": 2, "非常不满意": 1, "未评价": None}
    assert one(city, "SELECT corr(days_to_close, satisfaction_score) FROM hotline") < -0.1
    late = "received_at + to_days(days_to_close::INTEGER) > TIMESTAMP '2026-01-01'"
    assert one(city, f"SELECT count(*) FROM hotline WHERE {late} OR days_to_close < 0") == 0


def test_arrears_are_owed_exactly_where_they_are_flagged(city) -> None:
    wrong = "in_arrears <> (arrears_yuan > 0) OR arrears_yuan > contribution_yuan OR insured_count < 1"
    assert one(city, f"SELECT count(*) FROM social_insurance WHERE {wrong}") == 0
    assert 0.01 < one(city, "SELECT avg(in_arrears::INTEGER) FROM social_insurance") < 0.1


def test_credit_facts_have_amounts_only_where_money_is_involved(city) -> None:
    with_money = city.execute(
        "SELECT DISTINCT fact_type FROM credit_facts WHERE amount_yuan IS NOT NULL"
    ).fetchall()
    assert {f for (f,) in with_money} == {"行政处罚", "守信激励", "失信被执行"}
    without = "fact_type IN ('行政处罚', '守信激励', '失信被执行') AND amount_yuan IS NULL"
    assert one(city, f"SELECT count(*) FROM credit_facts WHERE {without}") == 0
    courts = "(issuer = '人民法院') <> (fact_type = '失信被执行')"
    assert one(city, f"SELECT count(*) FROM credit_facts WHERE {courts}") == 0


def test_the_shared_months_and_quarters_are_the_same_two_years() -> None:
    assert (words.MONTH_NAMES[0], words.MONTH_NAMES[-1]) == ("2024-01", "2025-12")
    assert (words.QUARTER_NAMES[0], words.QUARTER_NAMES[-1]) == ("2024Q1", "2025Q4")


def test_every_file_is_published_without_a_rejected_row_and_can_be_joined(tmp_path: Path) -> None:
    extracts = {}
    for file in write_city(tmp_path / "files", scale=0.05):
        source = open_source(file.path, folder=tmp_path / "work")
        extract = build(source, file.schema, out_dir=tmp_path / file.identifier, space_key=bytes(range(32)))
        assert (extract.rows, extract.dropped_rows) == (file.rows, 0)
        extracts[file.identifier] = extract
    for name in OF_ENTERPRISES:
        registered = (
            f"FROM '{extracts[name].path}' JOIN '{extracts['enterprises'].path}' AS e USING (credit_code)"
        )
        assert duckdb.sql(f"SELECT count(*) {registered}").fetchall() == [(extracts[name].rows,)]
