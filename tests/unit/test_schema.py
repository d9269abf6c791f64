"""The schema: what it stores, what it refuses."""

from __future__ import annotations

import json

import pytest

from catalog.schema import Column, ColumnKind, ColumnType, Derivation, DeriveRule, Grade, Schema, problems

UNIT = Column("firm", "企业编号", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, unit_space="enterprise")
DAY = Column(
    "day", "日期", ColumnType.DATE, ColumnKind.QUASI_IDENTIFIER, Grade.GENERAL_2, format="%Y年%m月%d日"
)
AMOUNT = Column(
    "amount", "金额", ColumnType.DECIMAL, ColumnKind.MEASURE, scale=2, missing=("-",), rounded=True
)
BAND = Column(
    "amount_band",
    "",
    ColumnType.TEXT,
    ColumnKind.DIMENSION,
    domain=("<10", "10-20", ">=20"),
    derived=Derivation("amount", DeriveRule.BANDS, edges=("10", "20")),
)
GOOD = Schema((UNIT, DAY, AMOUNT, BAND))


def test_a_schema_survives_json() -> None:
    assert Schema.from_json(json.loads(json.dumps(GOOD.to_json()))) == GOOD


def test_a_schema_stored_before_a_field_existed_is_read_with_its_default() -> None:
    data = GOOD.to_json()
    for column in data["columns"]:
        del column["missing"], column["rounded"]
    assert Schema.from_json(data).column("amount").rounded is False


def test_json_with_an_unknown_field_is_refused() -> None:
    data = GOOD.to_json()
    data["columns"][0]["colour"] = "blue"
    with pytest.raises(ValueError, match="colour"):
        Schema.from_json(data)


def test_a_good_schema_has_no_problems() -> None:
    assert problems(GOOD) == ()


def test_the_grade_is_the_highest_of_the_columns() -> None:
    assert GOOD.grade is Grade.GENERAL_2


def test_band_labels_name_half_open_ranges() -> None:
    assert BAND.derived.labels() == ("<10", "10-20", ">=20")


def _with(column: Column, **changes: object) -> Schema:
    from dataclasses import replace

    return Schema(tuple(replace(c, **changes) if c is column else c for c in GOOD.columns))


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (Schema(), "schema.nothing_left"),
        (_with(UNIT, kind=ColumnKind.DIRECT_IDENTIFIER), None),
        (_with(UNIT, name="_unit"), "schema.name"),
        (_with(UNIT, name='firm"; DROP'), "schema.name"),
        (_with(UNIT, name="day"), "schema.duplicate_name"),
        (_with(UNIT, header="日期"), "schema.duplicate_header"),
        (_with(UNIT, unit_space=""), "schema.unit_space"),
        (_with(UNIT, type=ColumnType.DATE), "schema.unit_type"),
        (_with(UNIT, domain=("a",)), "schema.identifier_domain"),
        (_with(DAY, kind=ColumnKind.PRIVACY_UNIT, unit_space="person"), "schema.several_units"),
        (_with(DAY, format="%Y'%x"), "schema.format"),
        (_with(DAY, domain=("2024-1-5",)), "schema.domain"),
        (_with(AMOUNT, scale=10), "schema.scale"),
        (_with(AMOUNT, domain=("1.5",)), "schema.domain"),
        (_with(AMOUNT, domain=("1.50", "1.50")), "schema.domain"),
        (_with(AMOUNT, type=ColumnType.TEXT), "schema.derived_source"),
        (_with(BAND, domain=None), "schema.derived_domain"),
        (_with(BAND, kind=ColumnKind.MEASURE), "schema.derived_kind"),
        (_with(BAND, derived=Derivation("amount", DeriveRule.BANDS, edges=("20", "10"))), "schema.edges"),
        (_with(BAND, derived=Derivation("amount", DeriveRule.BANDS, edges=("nan",))), "schema.edges"),
        (_with(BAND, derived=Derivation("nowhere", DeriveRule.YEAR)), "schema.derived_source"),
        (_with(BAND, derived=Derivation("firm", DeriveRule.PREFIX)), "schema.length"),
    ],
)
def test_a_schema_that_cannot_be_built_says_why(schema: Schema, code: str | None) -> None:
    codes = {p.code for p in problems(schema)}
    assert codes == ({code} if code else set()) or code in codes
