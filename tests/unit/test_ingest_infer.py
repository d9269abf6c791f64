"""The proposed schema: names, types, kinds, grades, domains."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from catalog.ingest import infer_schema, open_source, validate
from catalog.ingest.kinds import Hint, credit_code, guess, id_card
from catalog.ingest.naming import machine_names
from catalog.ingest.types import guess_type
from catalog.schema import NAME, ColumnKind, ColumnType, Grade, Schema, problems


def _infer(tmp_path: Path, header: str, rows: list[str]) -> Schema:
    path = tmp_path / "in.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    source = open_source(path, folder=tmp_path)
    schema = infer_schema(source, folder=tmp_path)
    assert problems(schema) == ()
    assert validate(source, schema, folder=tmp_path).bad_rows == 0, "a proposal fits what it was made from"
    return schema


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("OSEBuildingID", "ose_building_id"),
        ("PM2.5", "pm2_5"),
        ("SiteEUI(kBtu/sf)", "site_eui_k_btu_sf"),
        ("年份", "year"),
        ("常住人口(万人)", "resident_population"),
        ("统一社会信用代码", "credit_code"),
        ("魑魅魍魉", "c1"),
        ("2024年", "c1_2024"),
        ("order", "order_value"),
        ("_unit", "unit"),
        ("---", "c1"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_headers_get_machine_names(header: str, name: str) -> None:
    assert machine_names((header,), frozenset({"order"})) == (name,)


def test_machine_names_are_distinct_and_valid_for_any_header() -> None:
    chance = random.Random(3)
    signs = "abcXYZ019_ .-年份数据名称額é\u3000'\";()（）"
    headers = tuple("".join(chance.choices(signs, k=chance.randrange(1, 60))) for _ in range(300))
    names = machine_names(headers)
    assert len(set(names)) == len(names)
    assert all(NAME.match(name) for name in names)


@pytest.mark.parametrize(
    ("values", "kind", "form"),
    [
        (["1", "-2", "3.0"], ColumnType.INTEGER, ""),
        (["1", "2.50", "3"], ColumnType.DECIMAL, ""),
        (["1,234.5", "2"], ColumnType.DECIMAL, ""),
        (["3,14", "2,5"], ColumnType.DECIMAL, ","),
        (["007", "012"], ColumnType.TEXT, ""),
        (["2024/1/5", "2024/12/31"], ColumnType.DATE, ""),
        (["20240105", "20241231"], ColumnType.DATE, "%Y%m%d"),
        (["20240105", "20249931"], ColumnType.INTEGER, ""),
        (["1/25/2024", "3/5/2024"], ColumnType.DATE, "%m/%d/%Y"),
        (["25/1/2024", "3/5/2024"], ColumnType.DATE, "%d/%m/%Y"),
        (["2024年1月5日"], ColumnType.DATE, "%Y年%m月%d日"),
        (["2024-01-05 08:00:00", "2024-01-05"], ColumnType.TIMESTAMP, ""),
        (["2024年1月5日 08:30"], ColumnType.TIMESTAMP, "%Y年%m月%d日 %H:%M"),
        (["是", "否"], ColumnType.BOOLEAN, ""),
        (["Y", "N", "-"], ColumnType.BOOLEAN, ""),
        (["0", "1"], ColumnType.INTEGER, ""),
        (["济南", "青岛"], ColumnType.TEXT, ""),
        (
            [f"2/{n}/1997" for n in range(10, 28)] + ["24-Jun-91", "7-May-90"],
            ColumnType.DATE,
            "%m/%d/%Y|%d-%b-%y",
        ),
        ([], ColumnType.TEXT, ""),
        (["-", "NA"], ColumnType.TEXT, ""),
    ],
)
def test_types_are_guessed_from_values(values: list[str], kind: ColumnType, form: str) -> None:
    found = guess_type(values)
    assert (found.type, found.format) == (kind, form)


def test_words_for_no_value_are_set_aside() -> None:
    found = guess_type(["1", "2", "-", "NA"])
    assert (found.type, found.missing) == (ColumnType.INTEGER, ("-", "NA"))


def test_scale_keeps_all_digits_unless_a_float_left_a_tail() -> None:
    assert (guess_type(["1.25", "2.5"]).scale, guess_type(["1.25", "2.5"]).rounded) == (2, False)
    tailed = guess_type([f"{n}.5" for n in range(500)] + ["4.66666666666667"])
    assert (tailed.scale, tailed.rounded) == (1, True)
    shares = guess_type(["0.0241923182525397", "0.312303609017969"])
    assert (shares.scale, shares.rounded) == (9, True)
    wide = guess_type(["123456789012.1234567"])
    assert (wide.scale, wide.rounded) == (6, True)


def test_check_digits_of_identity_numbers() -> None:
    assert id_card("11010519491231002X")  # the example of GB 11643-1999
    assert not id_card("110105194912310021")
    assert credit_code("91350100M000100Y43")  # the example of GB 32100-2015
    assert not credit_code("91350100M000100Y44")


@pytest.mark.parametrize(
    ("header", "values", "hint"),
    [
        ("x", ["13800138000", "+86 13912345678"], Hint.IDENTIFIER),
        ("x", ["a@b.cn", "c.d@example.com"], Hint.IDENTIFIER),
        ("x", ["11010519491231002X"], Hint.IDENTIFIER),
        ("x", ["91350100M000100Y43"], Hint.UNIT),
        ("姓名", ["张三"], Hint.IDENTIFIER),
        ("联系地址", ["泺源大街"], Hint.IDENTIFIER),
        ("customer_id", ["7"], Hint.UNIT),
        ("用户编号", ["7"], Hint.UNIT),
        ("工资", ["7"], Hint.SENSITIVE),
        ("年龄", ["7"], Hint.QUASI),
        ("usage", ["7"], Hint.NONE),
        ("移动电话年末用户数(万户)", ["7"], Hint.NONE),
    ],
)
def test_kinds_are_hinted_by_header_and_content(header: str, values: list[str], hint: Hint) -> None:
    assert guess(header, machine_names((header,))[0], values).hint is hint


def test_a_city_table_is_understood(tmp_path: Path) -> None:
    rows = [
        f"E{n % 40:03d},张{n},1380013{n:04d},2024-{n % 3 + 1:02d}-07,{'是' if n % 2 else '否'},{n}.50,区{n % 4},{20 + n % 60},00{n % 9}"
        for n in range(400)
    ]
    schema = _infer(tmp_path, "企业编号,姓名,手机号,日期,是否规上,用电量,区县,年龄,行业代码", rows)
    found = {c.header: c for c in schema.columns if c.derived is None}
    assert schema.unit is found["企业编号"]
    assert found["企业编号"].unit_space == "enterprise"
    assert found["姓名"].kind is found["手机号"].kind is ColumnKind.DIRECT_IDENTIFIER
    assert found["姓名"].grade is Grade.GENERAL_4
    assert found["是否规上"].domain == ("false", "true")
    assert (found["用电量"].kind, found["用电量"].type, found["用电量"].scale) == (
        ColumnKind.MEASURE,
        ColumnType.DECIMAL,
        1,
    )
    assert found["区县"].domain == ("区0", "区1", "区2", "区3")
    assert found["年龄"].kind is ColumnKind.QUASI_IDENTIFIER
    assert found["行业代码"].type is ColumnType.TEXT, "a code keeps its zeros"
    derived = {c.derived.source: c for c in schema.columns if c.derived}
    assert derived["date"].domain == ("2024-01", "2024-02", "2024-03")
    assert derived["age"].domain[0] == "<18"
    assert all(c.nullable is False for c in found.values())


def test_only_one_unit_is_proposed_and_record_numbers_are_dropped(tmp_path: Path) -> None:
    schema = _infer(tmp_path, "loan_id,enterprise_id,amount", [f"L{n},E{n % 300},{n}" for n in range(900)])
    kinds = {c.name: c.kind for c in schema.columns}
    assert kinds == {
        "loan_id": ColumnKind.DIRECT_IDENTIFIER,
        "enterprise_id": ColumnKind.PRIVACY_UNIT,
        "amount": ColumnKind.MEASURE,
    }


def test_written_text_is_not_published(tmp_path: Path) -> None:
    rows = [
        f"{n},市民反映第{n}号楼夜间施工噪声扰民并多次联系物业未果请有关部门尽快处理答复" for n in range(300)
    ]
    schema = _infer(tmp_path, "n,诉求", rows)
    assert schema.columns[1].kind is ColumnKind.DIRECT_IDENTIFIER


def test_rows_after_the_sample_correct_the_guess(tmp_path: Path) -> None:
    rows = [f"{n},{n},{n}.5" for n in range(21_000)] + ["21000,-,1.123", "21001,NA,2"]
    schema = _infer(tmp_path, "a,b,c", rows)
    assert schema.column("b").missing == ("-", "NA")
    assert schema.column("c").rounded
    rows = [f"{n}" for n in range(20_000)] + [f"x{n}" for n in range(5_000)]
    assert _infer(tmp_path, "a", rows).column("a").type is ColumnType.TEXT
