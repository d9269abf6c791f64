"""Every row is held against the schema, and what is wrong is said by row and column without showing what must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.ingest import Findings, IngestError, open_source, validate
from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Schema

M, D = ColumnKind.MEASURE, ColumnKind.DIMENSION


def _find(tmp_path: Path, text: str, *columns: Column) -> Findings:
    path = tmp_path / "in.csv"
    path.write_text(text, encoding="utf-8")
    return validate(open_source(path, folder=tmp_path), Schema(columns), folder=tmp_path)


def _faults(findings: Findings) -> dict[tuple[str, str], list[int]]:
    return {(f.column, f.code): [s.row for s in f.samples] for f in findings.faults}


def _cells(tmp_path: Path, column: Column, *cells: str) -> dict[str, list[int]]:
    """Code → rows, for one column `v` of these cells."""
    lines = [f'"{cell}",x' if cell else ",x" for cell in cells]
    found = _find(tmp_path, "v,other\n" + "\n".join(lines) + "\n", column)
    return {code: rows for (_, code), rows in _faults(found).items()}


def test_integers(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.INTEGER, M)
    good = ["8", "-3", "+5", "8.0", " 7 ", "1,234,567", "1e3", "9223372036854775807", ""]
    assert _cells(tmp_path, column, *good) == {}
    bad = ["1.5", "abc", "12,34", "9223372036854775808", "0x1F", "１", "1.5e0", "inf"]
    assert _cells(tmp_path, column, *bad) == {"fraction": [1, 7], "type": [2, 3, 5, 6, 8], "range": [4]}


def test_decimals_keep_their_declared_digits(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.DECIMAL, M, scale=2)
    assert (
        _cells(tmp_path, column, "1", "1.25", "1.2500", "-.5", "1,234.50", "125e-2", "1234567890123456.78")
        == {}
    )
    bad = ["1.255", "1e-3", "nan", "12345678901234567.8", "1.2.3", "¥5"]
    assert _cells(tmp_path, column, *bad) == {"scale": [1, 2], "type": [3, 5, 6], "range": [4]}


def test_a_rounded_decimal_takes_more_digits(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.DECIMAL, M, scale=2, rounded=True)
    assert _cells(tmp_path, column, "1.255", "4.66666666666667", "abc") == {"type": [3]}


def test_a_decimal_comma_is_read_where_declared(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.DECIMAL, M, scale=2, format=",")
    assert _cells(tmp_path, column, "3,14", "1.234,50", "7", "3,141") == {"scale": [4]}


def test_dates_in_iso_and_in_a_declared_pattern(tmp_path: Path) -> None:
    iso = Column("v", "v", ColumnType.DATE, D)
    good = ["2024-01-05", "2024/1/5", "2024-02-29", "2024-01-05 00:00:00.0"]
    assert _cells(tmp_path, iso, *good) == {}
    bad = ["2023-02-29", "2024-13-01", "epoch", "infinity", "2024-01-05 08:00", "20240105", "5/1/2024"]
    assert _cells(tmp_path, iso, *bad) == {"type": [1, 2, 3, 4, 5, 6, 7]}
    chinese = Column("v", "v", ColumnType.DATE, D, format="%Y年%m月%d日")
    assert _cells(tmp_path, chinese, "2024年1月5日", "2024年02月30日", "2024-01-05") == {"type": [2, 3]}
    digits = Column("v", "v", ColumnType.DATE, D, format="%Y%m%d")
    assert _cells(tmp_path, digits, "20240105", "2024115", "20240230") == {"type": [2, 3]}
    two = Column("v", "v", ColumnType.DATE, D, format="%m/%d/%Y|%d-%b-%y")
    assert _cells(tmp_path, two, "1/5/2024", "24-Jun-91", "1/5/24") == {"type": [3]}


def test_timestamps_and_booleans(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.TIMESTAMP, D)
    good = ["2018-01-01 00:48:30.5", "2013-01-01T10:00:00Z", "2013-01-01T10:00+08:00", "2024/1/5 8:30"]
    assert _cells(tmp_path, column, *good, "8:30", "2024-01-05 25:00:00") == {"type": [5, 6]}
    flag = Column("v", "v", ColumnType.BOOLEAN, D)
    assert _cells(tmp_path, flag, "是", "否", "Y", "no", "TRUE", "0", "maybe") == {"type": [7]}


def test_domains_are_checked_on_typed_values(tmp_path: Path) -> None:
    text = Column("v", "v", ColumnType.TEXT, D, domain=("it's", "b"))
    assert _cells(tmp_path, text, "it's", " b ", "c", "") == {"domain": [3]}
    number = Column("v", "v", ColumnType.INTEGER, D, domain=("8", "9"))
    assert _cells(tmp_path, number, "8.0", "9", "10") == {"domain": [3]}
    flag = Column("v", "v", ColumnType.BOOLEAN, D, domain=("true",))
    assert _cells(tmp_path, flag, "是", "否") == {"domain": [2]}


def test_missing_words_are_null_and_null_is_refused_where_it_must_not_be(tmp_path: Path) -> None:
    column = Column("v", "v", ColumnType.INTEGER, M, missing=("-", "NA"), nullable=False)
    assert _cells(tmp_path, column, "1", " - ", "NA", "", "  ") == {"missing": [2, 3, 4, 5]}


def test_a_derived_value_outside_its_domain_is_a_fault(tmp_path: Path) -> None:
    code = Column("v", "v", ColumnType.TEXT, ColumnKind.DIRECT_IDENTIFIER)
    region = Column(
        "region",
        "",
        ColumnType.TEXT,
        D,
        domain=("37", "11"),
        derived=Derivation("v", DeriveRule.PREFIX, length=2),
    )
    found = _find(tmp_path, "v,w\n370102,x\n310000,x\n,x\n", code, region)
    assert _faults(found) == {("region", "domain"): [2]}
    assert found.faults[0].samples[0].value is None, "the prefix of an identifier is part of it"


def test_ragged_rows_are_reported_with_the_number_they_have_in_the_file(tmp_path: Path) -> None:
    text = 'v,w\n1,a\n2\n3,"x\ny"\n4,b,c\nx,d\n6,"8"z\ny,e\n'
    found = _find(tmp_path, text, Column("v", "v", ColumnType.INTEGER, M))
    assert _faults(found) == {("", "quotes"): [6], ("", "ragged"): [2, 4], ("v", "type"): [5, 7]}
    assert (found.rows, found.bad_rows) == (7, 5)


def test_a_row_with_two_faults_is_one_bad_row(tmp_path: Path) -> None:
    columns = [Column("v", "v", ColumnType.INTEGER, M), Column("w", "w", ColumnType.INTEGER, M)]
    found = _find(tmp_path, "v,w\na,b\n1,2\n", *columns)
    assert (found.rows, found.bad_rows, len(found.faults)) == (2, 1, 2)


def test_a_hundred_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    text = "v,w\n" + "".join(f"x{n},1\n" for n in range(5000))
    [fault] = _find(tmp_path, text, Column("v", "v", ColumnType.INTEGER, M)).faults
    assert fault.count == 5000
    assert [s.row for s in fault.samples] == list(range(1, 101))
    assert fault.samples[9].value == "x9"


@pytest.mark.parametrize(
    "kind", [ColumnKind.DIRECT_IDENTIFIER, ColumnKind.SENSITIVE, ColumnKind.PRIVACY_UNIT]
)
def test_values_of_protected_columns_are_not_shown(tmp_path: Path, kind: ColumnKind) -> None:
    space = "person" if kind is ColumnKind.PRIVACY_UNIT else ""
    column = Column("v", "v", ColumnType.INTEGER, kind, unit_space=space)
    found = _find(tmp_path, "v,w\nsecret,1\n2,2\n", column, Column("w", "w", ColumnType.INTEGER, M))
    assert "secret" not in repr(found.to_json())
    assert found.faults[0].samples[0].row == 1


def test_shown_values_are_shortened(tmp_path: Path) -> None:
    [fault] = _find(tmp_path, f"v,w\n{'z' * 500},1\n", Column("v", "v", ColumnType.INTEGER, M)).faults
    assert fault.samples[0].value == "z" * 40 + "…"


def test_a_schema_that_does_not_fit_the_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IngestError) as refused:
        _find(tmp_path, "v,w\n1,2\n", Column("q", "absent", ColumnType.INTEGER, M))
    assert refused.value.code == "schema.header"
    assert refused.value.details["columns"] == ("q",)


def test_headers_and_values_cannot_smuggle_sql(tmp_path: Path) -> None:
    evil = "x'); DROP TABLE t; --"
    column = Column("v", evil, ColumnType.TEXT, D, domain=(evil,), missing=("' OR '1'='1",))
    found = _find(tmp_path, f'"{evil}",w\n"{evil}",1\n', column)
    assert found.bad_rows == 0


def test_cancelling_stops_the_work(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(_step: str, _share: float) -> None:
        raise Cancelled

    path = tmp_path / "in.csv"
    path.write_text("v,w\n1,2\n")
    source = open_source(path, folder=tmp_path)
    schema = Schema((Column("v", "v", ColumnType.INTEGER, M),))
    with pytest.raises(Cancelled):
        validate(source, schema, folder=tmp_path, progress=cancel)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("rows", [1, 500_000])
def test_a_quotation_mark_that_nothing_closes_is_refused_with_its_row(tmp_path: Path, rows: int) -> None:
    text = 'v,w\n1,a\n2,"b\n' + "3,c\n" * rows
    with pytest.raises(IngestError) as refused:
        _find(tmp_path, text, Column("v", "v", ColumnType.INTEGER, M))
    assert refused.value.code == "source.quotes"
    assert refused.value.details["row"] in {1, 2}


def test_a_lone_quotation_mark_inside_a_text_is_text(tmp_path: Path) -> None:
    text = 'v,w\n1,5" pipe\n2,b\n3,c\n'
    found = _find(tmp_path, text, Column("w", "w", ColumnType.TEXT, D, domain=('5" pipe', "b", "c")))
    assert (found.rows, found.bad_rows) == (3, 0)


def test_a_text_beyond_all_measure_is_reported(tmp_path: Path) -> None:
    found = _find(tmp_path, f"v,w\n1,{'z' * 70_000}\n2,b\n", Column("w", "w", ColumnType.TEXT, D))
    assert _faults(found) == {("w", "long"): [1]}
