"""What the catalog's search takes for a word."""

from __future__ import annotations

import pytest

from catalog.search import lexemes, query_literal, vector_literal


def test_chinese_is_indexed_by_character_and_by_pair_of_neighbours() -> None:
    assert list(lexemes("用电量 kWh")) == ["用", "用电", "电", "电量", "量", "kwh"]


def test_names_with_underscores_are_indexed_by_their_parts() -> None:
    assert list(lexemes("electricity_monthly")) == ["electricity", "monthly"]


def test_full_width_and_capital_letters_are_folded() -> None:
    assert list(lexemes("ＰＭ２.５")) == ["pm2", "5"]


@pytest.mark.parametrize(
    ("asked", "literal"),
    [
        ("电", "'电'"),
        ("用电", "'用电'"),
        ("用电量", "'用电' & '电量'"),
        ("Elec", "'elec':*"),
        ("用电 2025", "'用电' & '2025':*"),
        ("用电用电", "'用电' & '电用'"),
        ("！？ --", ""),
        ("", ""),
    ],
)
def test_a_question_demands_every_part(asked: str, literal: str) -> None:
    assert query_literal(asked) == literal


def test_nothing_in_a_text_can_leave_its_quotes() -> None:
    hostile = "a' | 'b\\ :* & !<-> 用'电"
    assert query_literal(hostile) == "'a':* & 'b':* & '用' & '电'"
    assert set(vector_literal([(hostile, "A")])) <= set("ab用电':,1234567890A ")


def test_positions_rise_and_carry_the_weight() -> None:
    assert vector_literal([("电 x", "A"), ("x", "D")]) == "'电':1A 'x':2A,3D"


def test_a_very_long_text_stays_within_the_bounds_of_the_database() -> None:
    literal = vector_literal([("电力" * 50_000, "D"), ("w" * 10_000, "C")])
    positions = [
        int(p.rstrip("ABCD")) for part in literal.split(" ") for p in part.rpartition(":")[2].split(",")
    ]
    assert max(positions) <= 16_383
    assert max(len(part) for part in literal.split(" ")) < 3_000
    assert len(literal.encode()) < 1_000_000
