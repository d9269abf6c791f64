"""Any input becomes a file the engine reads; what cannot is refused with the reason."""

from __future__ import annotations

import csv
import random
import zipfile
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from catalog.ingest import IngestError, Source, open_source, preview, sheet_names
from catalog.ingest import workbook as workbooks

TEXT = "城市,区县名称,金额\n济南市,历下区,12.5\n青岛市,市南区,7\n上海市,浦东新区,3\n"
TRADITIONAL = "城市,區域名稱,金額\n臺北市,信義區,12.5\n高雄市,鹽埕區,7\n"


def _open(tmp_path: Path, data: bytes, name: str = "in.csv", **options: object) -> Source:
    path = tmp_path / name
    path.write_bytes(data)
    return open_source(path, folder=tmp_path / "work", **options)


def _refused(tmp_path: Path, data: bytes, name: str = "in.csv", **options: object) -> str:
    with pytest.raises(IngestError) as refused:
        _open(tmp_path, data, name, **options)
    work = tmp_path / "work"
    assert not work.exists() or not list(work.glob("source-*")), "a refused input leaves no copy behind"
    return refused.value.code


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_simplified_chinese_is_read_in_every_common_encoding(
    tmp_path: Path, encoding: str, found: str
) -> None:
    source = _open(tmp_path, TEXT.encode(encoding))
    assert source.encoding == found
    assert source.headers == ("城市", "区县名称", "金额")
    assert preview(source, folder=tmp_path)[2] == {"城市": "上海市", "区县名称": "浦东新区", "金额": "3"}


def test_big5_is_told_from_gb18030(tmp_path: Path) -> None:
    source = _open(tmp_path, TRADITIONAL.encode("big5"))
    assert source.headers == ("城市", "區域名稱", "金額")
    assert preview(source, folder=tmp_path)[0]["城市"] == "臺北市"


def test_latin_1_is_the_last_resort_and_says_so(tmp_path: Path) -> None:
    source = _open(tmp_path, "né,Straße\nrené,müller\n".encode("latin-1"))
    assert source.headers == ("né", "Straße")
    assert source.warnings


def test_a_named_encoding_overrides_the_guess(tmp_path: Path) -> None:
    assert _open(tmp_path, "ключ,имя\n1,да\n".encode("cp1251"), encoding="cp1251").headers == ("ключ", "имя")


@pytest.mark.parametrize("encoding", ["utf-8", "klingon"])
def test_a_wrong_or_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    assert _refused(tmp_path, TEXT.encode("gbk"), encoding=encoding) == "source.encoding"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = (
        delimiter.join(["a", "b", "c"])
        + "\n"
        + delimiter.join(["1", '"x,;|\ty"', "2,5" if delimiter != "," else "2"])
    )
    source = _open(tmp_path, (text + "\n").encode())
    assert source.delimiter == delimiter
    assert source.headers == ("a", "b", "c")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read(tmp_path: Path, newline: str) -> None:
    source = _open(tmp_path, newline.join(["a,b", "1,2", "3,4", ""]).encode())
    assert preview(source, folder=tmp_path) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_mixed_line_ends_and_a_mark_and_breaks_in_quoted_headers_are_read(tmp_path: Path) -> None:
    data = '\ufeff"常住人口\n(万人)",b\r\n1,"x\r\ny"\n3,4\r\n'.encode()
    source = _open(tmp_path, data)
    assert source.headers == ("常住人口(万人)", "b")
    assert preview(source, folder=tmp_path)[0] == {"常住人口(万人)": "1", "b": "x\ny"}


def test_repeated_and_empty_headers_are_numbered(tmp_path: Path) -> None:
    source = _open(tmp_path, "名称,名称,,名称\n1,2,3,4\n".encode())
    assert source.headers == ("名称", "名称 (2)", "column 3", "名称 (3)")
    assert preview(source, folder=tmp_path)[0]["名称 (3)"] == "4"


def test_a_plain_file_is_read_in_place(tmp_path: Path) -> None:
    source = _open(tmp_path, TEXT.encode())
    assert source.path == tmp_path / "in.csv"
    assert not source.copied


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "source.empty"),
        (b"\n\n", "source.no_header"),
        (b"a,b\n", "source.no_rows"),
        (b"1,2\n3,4\n", "source.no_header"),
        (b"2024-01-05,7\n3,4\n", "source.no_header"),
        (b",\n3,4\n", "source.no_header"),
        (b"a,b\n1,\x00\n", "source.nul_bytes"),
        (b"\x1f\x8b\x08\x00", "source.packed"),
        (b"PAR1 not parquet PAR1", "source.damaged"),
        (b"PK\x03\x04 not a zip", "source.damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "source.old_excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "source.password"),
        (",".join(f"c{n}" for n in range(1001)).encode() + b"\n1\n", "source.too_wide"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    assert _refused(tmp_path, data) == code


def test_a_path_with_wildcards_cannot_reach_other_files(tmp_path: Path) -> None:
    assert _refused(tmp_path, TEXT.encode(), name="in*.csv") == "source.path"


def _workbook(path: Path) -> Path:
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"})
    first, second = book.add_worksheet("数据"), book.add_worksheet("其他")
    first.write_row(1, 0, ["编号", "日期", "时间", "金额", "是否"])
    first.write_row(2, 0, ["007", date(2024, 1, 5), datetime(2024, 1, 5, 8, 30), 12.5, True])
    first.write_row(4, 0, ["008", None, None, 3, False])
    first.write_row(5, 0, ["009", None, None, 3, False, "beyond"])
    first.write_blank(9, 0, None, book.add_format({"bold": True}))
    second.write_column(0, 0, ["x", 1])
    book.close()
    return path


def test_a_workbook_keeps_dates_and_row_numbers(tmp_path: Path) -> None:
    path = _workbook(tmp_path / "in.xlsx")
    assert sheet_names(path) == ("数据", "其他")
    source = open_source(path, folder=tmp_path)
    assert source.headers == ("编号", "日期", "时间", "金额", "是否")
    rows = preview(source, folder=tmp_path)
    assert list(rows[0].values()) == ["007", "2024-01-05", "2024-01-05 08:30:00", "12.5", "true"]
    assert set(rows[1].values()) == {None}, "a blank row between rows keeps its place"
    assert rows[2]["编号"] == "008"
    assert len(rows) == 3, "the row with a cell beyond the header is ragged, the blank tail is not there"


def test_a_named_sheet_is_read_and_an_unknown_one_refused(tmp_path: Path) -> None:
    path = _workbook(tmp_path / "in.xlsx")
    assert open_source(path, folder=tmp_path, sheet="其他").headers == ("x",)
    with pytest.raises(IngestError) as refused:
        open_source(path, folder=tmp_path, sheet="三")
    assert refused.value.code == "source.sheet"


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "UNPACKED_BYTES", 1_000_000)
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", b"<x/>")
        package.writestr("xl/worksheets/sheet1.xml", b" " * 5_000_000)
    assert path.stat().st_size < 50_000
    with pytest.raises(IngestError) as refused:
        open_source(path, folder=tmp_path)
    assert refused.value.code == "source.too_large"


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("a.txt", b"x")
    with pytest.raises(IngestError) as refused:
        open_source(path, folder=tmp_path)
    assert refused.value.code == "source.unknown"


def test_parquet_is_read_as_it_is_and_nan_is_null(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({'日"期': [date(2024, 1, 5), None], "v": [float("nan"), 1e-5]}), path)
    source = open_source(path, folder=tmp_path)
    assert preview(source, folder=tmp_path) == [
        {'日"期': "2024-01-05", "v": None},
        {'日"期': None, "v": "1e-05"},
    ]


def test_parquet_with_lists_or_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    for values in ([[1, 2]], [b"x"]):
        pq.write_table(pa.table({"v": values}), path)
        with pytest.raises(IngestError) as refused:
            open_source(path, folder=tmp_path)
        assert refused.value.code == "source.nested"


def test_decoding_reports_its_progress(tmp_path: Path) -> None:
    steps: list[tuple[str, float]] = []
    _open(tmp_path, TEXT.encode("gbk"), progress=lambda step, share: steps.append((step, share)))
    assert steps[0] == ("decode", 0.0)
    assert steps[-1] == ("decode", 1.0)


def test_line_breaks_and_whole_lines_inside_quotes_do_not_make_rows(tmp_path: Path) -> None:
    """Lines inside quotes look like records; threads that start in the middle of the file must not take them for such."""
    chance, path = random.Random(1), tmp_path / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "text", "n"])
        for n in range(200_000):
            lines = [
                chance.choice(["1,x,2", '"marked"', "投诉", f"{n},5,6", ""])
                for _ in range(chance.randrange(12))
            ]
            out.writerow([n, "\n".join(lines) + "x", n % 7])
    with path.open(encoding="utf-8", newline="") as file:
        wanted = [(row[0], row[1]) for row in csv.reader(file)][1:]
    source = open_source(path, folder=tmp_path)
    assert source.serial
    with duckdb.connect(config={"threads": 4}) as connection:
        assert connection.execute(f"SELECT c0, c1 FROM {source.relation('r')}").fetchall() == wanted
        assert connection.execute("SELECT count(*) FROM r").fetchall() == [(0,)]


def test_quotes_within_lines_are_read_by_all_threads(tmp_path: Path) -> None:
    assert not _open(tmp_path, b'a,b\n"1,5",2\n"say ""x""",3\n').serial
    assert _open(tmp_path, b'a,b\n5" pipe,2\n3,4\n').serial, "a lone mark cannot be told from an open one"
