"""The extract: immutable, deterministic, pseudonymous, and nothing of the source's order or of the key in it."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from catalog.ingest import Extract, IngestError, OnBadRows, build, keys, open_source, sweep
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Schema

KEY = bytes(range(32))
UNIT = Column("firm", "企业编号", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, unit_space="enterprise")
NAME = Column("boss", "姓名", ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER)
AMOUNT = Column("amount", "金额", ColumnType.DECIMAL, ColumnKind.MEASURE, scale=2)
DAY = Column("day", "日期", ColumnType.DATE, ColumnKind.QUASI_IDENTIFIER)
MONTH = Column(
    "month",
    "",
    ColumnType.TEXT,
    ColumnKind.DIMENSION,
    domain=("2024-01", "2024-02"),
    derived=Derivation("day", DeriveRule.YEAR_MONTH),
)
SCHEMA = Schema((UNIT, NAME, AMOUNT, DAY, MONTH))
HEADER = "企业编号,姓名,金额,日期\n"
ROWS = [f"E{n % 7},secret-name-{n},{n}.5,2024-0{n % 2 + 1}-03\n" for n in range(500)]


def _build(
    tmp_path: Path, rows: list[str], schema: Schema = SCHEMA, key: bytes = KEY, **options: object
) -> Extract:
    path = tmp_path / "in.csv"
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    source = open_source(path, folder=tmp_path / "work")
    return build(source, schema, out_dir=tmp_path / "out", space_key=key, **options)


def _table(extract: Extract) -> list[dict[str, object]]:
    return pq.read_table(extract.path).to_pylist()


def test_the_extract_has_the_declared_columns_and_types(tmp_path: Path) -> None:
    extract = _build(tmp_path, ROWS)
    types = dict(
        duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM '{extract.path}')").fetchall()
    )
    assert types == {
        "firm": "UBIGINT",
        "amount": "DECIMAL(18,2)",
        "day": "DATE",
        "month": "VARCHAR",
        "_unit": "INTEGER",
        "_record_key": "UBIGINT",
    }
    assert (extract.rows, extract.units, extract.dropped_rows, extract.repeated_rows) == (500, 7, 0, 0)


def test_direct_identifiers_and_keys_are_nowhere_in_the_file(tmp_path: Path) -> None:
    extract = _build(tmp_path, ROWS)
    pq_file = pq.ParquetFile(extract.path)
    assert pq_file.metadata.metadata is None
    data = extract.path.read_bytes()
    plain = repr(_table(extract)).encode()
    for secret in (b"secret-name", KEY, KEY.hex().encode(), keys.record_subkey(KEY).encode(), b"E3"):
        assert secret not in data
        assert secret not in plain


def test_the_name_is_the_digest_and_the_file_is_read_only(tmp_path: Path) -> None:
    extract = _build(tmp_path, ROWS)
    data = extract.path.read_bytes()
    assert extract.path.name == hashlib.sha256(data).hexdigest() + ".parquet"
    assert extract.sha256 == hashlib.sha256(data).hexdigest()
    assert extract.sm3 == hashlib.new("sm3", data).hexdigest()
    assert extract.bytes == len(data)
    assert stat.S_IMODE(extract.path.stat().st_mode) == 0o444


@pytest.mark.parametrize("schema", [SCHEMA, Schema((NAME, AMOUNT, DAY, MONTH))])
def test_the_same_content_in_any_order_gives_the_same_bytes(tmp_path: Path, schema: Schema) -> None:
    rows = ROWS + ROWS[:50] + ROWS[:5]
    first = _build(tmp_path, rows, schema, threads=1)
    shuffled = random.Random(7).sample(rows, len(rows))
    second = _build(tmp_path, shuffled, schema, threads=4)
    assert second.sha256 == first.sha256
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_file()] == [first.path.name]


def test_bytes_do_not_depend_on_threads_or_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    duckdb.sql(
        "COPY (SELECT 'E' || (i * 7919 % 60007) AS 企业编号, 'x' AS 姓名, (i % 1000) / 4 AS 金额, "
        f"DATE '2024-01-01' + (i % 50)::INT AS 日期 FROM range(400000) t(i)) TO '{path}' (HEADER)"
    )
    source = open_source(path, folder=tmp_path)
    digests = {
        build(source, SCHEMA, out_dir=tmp_path, space_key=KEY, threads=threads, memory_bytes=memory).sha256
        for threads, memory in ((1, 600_000_000), (3, 600_000_000), (2, 70_000_000))
    }
    assert len(digests) == 1


def test_pseudonyms_are_the_documented_hmac_and_units_are_dense(tmp_path: Path) -> None:
    rows = _table(_build(tmp_path, ROWS))
    expected = {keys.pseudonym(KEY, "enterprise", f"E{n}") for n in range(7)}
    assert {row["firm"] for row in rows} == expected
    assert [sorted(expected).index(row["firm"]) for row in rows] == [row["_unit"] for row in rows]
    assert [row["_unit"] for row in rows] == sorted(row["_unit"] for row in rows)


def test_pseudonyms_are_equal_across_datasets_of_one_space_only(tmp_path: Path) -> None:
    assert keys.pseudonym(KEY, "enterprise", "E1") == keys.pseudonym(KEY, "enterprise", "E1")
    assert keys.pseudonym(KEY, "person", "E1") != keys.pseudonym(KEY, "enterprise", "E1")
    assert keys.pseudonym(KEY[::-1], "enterprise", "E1") != keys.pseudonym(KEY, "enterprise", "E1")
    long = KEY * 3  # a key longer than the block is hashed first (RFC 2104)
    path = tmp_path / "in.csv"
    path.write_text("企业编号,x\n 007 ,1\n")
    extract = build(open_source(path, folder=tmp_path), Schema((UNIT,)), out_dir=tmp_path, space_key=long)
    assert _table(extract)[0]["firm"] == keys.pseudonym(long, "enterprise", "007")


def test_a_record_keeps_its_key_in_the_next_version(tmp_path: Path) -> None:
    def key_of(extract: Extract) -> dict[tuple[object, ...], object]:
        return {(r["firm"], r["amount"], r["day"]): r["_record_key"] for r in _table(extract)}

    before = key_of(_build(tmp_path, ROWS[:300]))
    after = key_of(_build(tmp_path, ROWS[100:]))
    shared = before.keys() & after.keys()
    assert len(shared) == 200
    assert all(before[record] == after[record] for record in shared)
    other = key_of(_build(tmp_path, ROWS[:300], key=KEY[::-1]))
    assert not set(before.values()) & set(other.values())


def test_the_record_key_is_the_documented_one(tmp_path: Path) -> None:
    row = "E1,n,7.5,2024-01-03\n"
    rows = _table(_build(tmp_path, [row, row]))
    subkey = keys.record_subkey(KEY)
    content = b"7.50\x1f2024-01-03\x1fE1"  # amount, day, firm

    def first(data: bytes) -> int:
        return int.from_bytes(hashlib.sha256(subkey.encode() + data).digest()[:8], "big")

    once = first(content)
    assert {r["_record_key"] for r in rows} == {once, first(b"\x1e" + f"{once}/2".encode())}


def test_repeated_records_have_distinct_keys(tmp_path: Path) -> None:
    extract = _build(tmp_path, ROWS[:3] * 4)
    assert extract.repeated_rows == 9
    assert len({row["_record_key"] for row in _table(extract)}) == 12


def test_the_order_inside_a_unit_is_not_the_source_order(tmp_path: Path) -> None:
    rows = [row for row in _table(_build(tmp_path, ROWS)) if row["_unit"] == 0]
    amounts = [row["amount"] for row in rows]
    assert amounts != sorted(amounts)
    recorded = [row["_record_key"] for row in rows]
    assert recorded == sorted(recorded)


def test_without_a_unit_each_row_stands_for_itself(tmp_path: Path) -> None:
    rows = _table(_build(tmp_path, ROWS, Schema((AMOUNT, MONTH, DAY))))
    assert [row["_row"] for row in rows] == list(range(500))
    assert "_unit" not in rows[0]


def test_nothing_is_published_while_rows_do_not_fit(tmp_path: Path) -> None:
    bad = [*ROWS, "E1,n,abc,2024-01-03\n", ",n,1,2024-01-03\n", "E1\n", "E1,n,1,2025-01-03\n"]
    with pytest.raises(IngestError) as refused:
        _build(tmp_path, bad)
    assert (refused.value.code, refused.value.details["bad_rows"]) == ("rows.invalid", 4)
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []
    extract = _build(tmp_path, bad, on_bad_rows=OnBadRows.DROP_ROWS)
    assert (extract.rows, extract.dropped_rows) == (500, 4)
    assert extract.sha256 == _build(tmp_path, ROWS).sha256


def test_an_extract_of_no_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        _build(tmp_path, ["E1,n,abc,2024-01-03\n"], on_bad_rows=OnBadRows.DROP_ROWS)
    assert refused.value.code == "rows.none_left"


def test_doubts_of_the_fast_reading_do_not_change_values(tmp_path: Path) -> None:
    plain = _build(tmp_path, [*ROWS, "E1,n,1234567.50,2024-01-03\n"])
    grouped = _build(tmp_path, [*ROWS, 'E1,n,"1,234,567.5",2024-01-03\n'])
    assert grouped.sha256 == plain.sha256


def test_derived_columns_follow_their_rules(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,t,n\n370102,2024-03-05 08:15:00,9\n110105,2023-12-31 23:59:59,20\n,,\n")
    stamp = Column("t", "t", ColumnType.TIMESTAMP, ColumnKind.QUASI_IDENTIFIER)
    number = Column("n", "n", ColumnType.INTEGER, ColumnKind.MEASURE)
    code = Column("id", "id", ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER)

    def derived(name: str, rule: Derivation, *domain: str) -> Column:
        return Column(name, "", ColumnType.TEXT, ColumnKind.DIMENSION, domain=domain, derived=rule)

    schema = Schema(
        (
            code,
            stamp,
            number,
            derived("year", Derivation("t", DeriveRule.YEAR), "2023", "2024"),
            derived("hour", Derivation("t", DeriveRule.HOUR), "08", "23"),
            derived("band", Derivation("n", DeriveRule.BANDS, edges=("10", "20")), "<10", "10-20", ">=20"),
            derived("region", Derivation("id", DeriveRule.PREFIX, length=2), "37", "11"),
        )
    )
    extract = build(open_source(path, folder=tmp_path), schema, out_dir=tmp_path, space_key=KEY)
    rows = sorted(
        ((r["year"], r["hour"], r["band"], r["region"]) for r in _table(extract)),
        key=lambda row: row[0] or "",
    )
    assert rows == [(None, None, None, None), ("2023", "23", ">=20", "11"), ("2024", "08", "<10", "37")]
    assert "id" not in _table(extract)[0]


def test_a_crash_leaves_only_what_the_sweep_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    extract = _build(tmp_path, ROWS)
    stale = [out / ".extract-0123.tmp", out / "tmp" / "spill-0123", out / "source-0123.csv"]
    stale[1].mkdir()
    stale[0].touch()
    stale[2].touch()
    assert sweep(out) == 0, "a build under way is not disturbed"
    for path in stale:
        os.utime(path, (0, 0))
    os.utime(extract.path, (0, 0))
    assert sweep(out) == 3
    assert [p for p in stale if p.exists()] == []
    assert extract.path.exists()


def test_a_failing_digest_leaves_no_file(tmp_path: Path) -> None:
    def fail(step: str, _share: float) -> None:
        if step == "digest":
            raise RuntimeError

    with pytest.raises(RuntimeError):
        _build(tmp_path, ROWS, progress=fail)
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []


def test_steps_are_reported_in_order(tmp_path: Path) -> None:
    steps: list[str] = []
    _build(tmp_path, ROWS, progress=lambda step, _share: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["validate", "build", "digest"]


def test_a_short_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        _build(tmp_path, ROWS, key=b"hunter2")
    assert refused.value.code == "extract.key"
    assert "hunter2" not in f"{refused.value} {refused.value.details}"


def test_too_little_memory_is_said_without_data(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        _build(tmp_path, ROWS * 200, memory_bytes=1_000_000)
    assert refused.value.code == "extract.memory"
    assert refused.value.__cause__ is None
