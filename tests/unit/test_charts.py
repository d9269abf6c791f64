"""What a chart shows: never more than the table, nothing withheld turned into a number."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.portal.charts import MAX_PANELS, MAX_SERIES, ChartColumn, chart_for, table_for

MONTH = ChartColumn("month", measure=False)
INDUSTRY = ChartColumn("industry", measure=False)
DISTRICT = ChartColumn("district", measure=False)
KWH = ChartColumn("kWh", measure=True)
COUNT = ChartColumn("enterprises", measure=True)


def drawn(columns: list[ChartColumn], rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    chart = chart_for(columns, rows)
    assert chart is not None
    json.dumps(chart)  # it must travel as JSON
    return chart


def test_months_run_forward_as_a_line_whatever_the_order_of_the_table() -> None:
    chart = drawn([MONTH, KWH], [("2025-03", 3), ("2025-01", 1), ("2025-02", 2)])
    [series] = chart["option"]["series"]
    assert series["type"] == "line"
    assert chart["option"]["xAxis"][0]["data"] == ["2025-01", "2025-02", "2025-03"]
    assert series["data"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["2023", "2024"], "line"),
        (["2025-01-31", "2025-02-01"], "line"),
        (["2025-01-31T08:00:00", "2025-01-31T09:00:00"], "line"),
        ([f"{hour:02d}" for hour in range(24)], "line"),
        (["01", "02"], "bar"),  # codes, not hours: too few to be a course of a day
        (["<10", "10-20", ">=20"], "bar"),
        (["2025-01", "unknown"], "bar"),
    ],
)
def test_only_what_reads_as_time_becomes_a_line(texts: list[str], kind: str) -> None:
    chart = drawn([DISTRICT, KWH], [(text, 5) for text in texts])
    assert chart["option"]["series"][0]["type"] == kind


def test_bars_keep_the_order_of_the_table_and_begin_at_nought() -> None:
    chart = drawn([DISTRICT, COUNT], [("<10", 4), ("10-20", 9), (">=20", 1)])
    assert chart["option"]["xAxis"][0]["data"] == ["<10", "10-20", ">=20"]
    assert chart["option"]["yAxis"][0]["scale"] is False


def test_a_withheld_cell_stays_null_and_is_counted_in_words() -> None:
    chart = drawn([DISTRICT, COUNT], [("a", 10), ("b", None), ("c", 30)])
    assert chart["option"]["series"][0]["data"] == [10, None, 30]
    assert "withheld" in chart["summary"]


def test_an_absent_cell_looks_like_a_withheld_one() -> None:
    absent = drawn([MONTH, INDUSTRY, KWH], [("2025-01", "x", 1), ("2025-01", "y", 2), ("2025-02", "x", 3)])
    withheld = drawn(
        [MONTH, INDUSTRY, KWH],
        [("2025-01", "x", 1), ("2025-01", "y", 2), ("2025-02", "x", 3), ("2025-02", "y", None)],
    )
    assert absent == withheld


def test_totals_are_not_drawn_beside_what_they_add_up() -> None:
    chart = drawn([DISTRICT, COUNT], [("a", 10), ("b", 20), (None, 30)])
    assert chart["option"]["series"][0]["data"] == [10, 20]
    assert "30" not in chart["summary"]


def test_time_is_the_axis_and_the_other_dimension_the_series() -> None:
    rows = [(industry, month, 7) for industry in ("x", "y", "z") for month in ("2025-01", "2025-02")]
    chart = drawn([INDUSTRY, MONTH, KWH], rows)
    assert chart["option"]["xAxis"][0]["data"] == ["2025-01", "2025-02"]
    assert [series["name"] for series in chart["option"]["series"]] == ["x", "y", "z"]


def test_bars_of_several_groups_are_told_apart_without_colour() -> None:
    rows = [(place, group, 7) for place in "abcd" for group in ("x", "y")]
    assert drawn([DISTRICT, INDUSTRY, COUNT], rows)["option"]["aria"]["decal"]["show"] is True
    assert drawn([DISTRICT, COUNT], [("a", 1), ("b", 2)])["option"]["aria"]["decal"]["show"] is False


def test_many_groups_become_a_heat_map() -> None:
    rows = [(str(a), f"g{b}", a * b) for a in range(1, 13) for b in range(MAX_SERIES + 1)]
    chart = drawn([DISTRICT, INDUSTRY, COUNT], rows)
    [series] = chart["option"]["series"]
    assert series["type"] == "heatmap"
    assert len(series["data"]) == len(rows)


def test_measures_of_different_size_get_a_panel_each() -> None:
    measures = [ChartColumn(f"m{i}", measure=True) for i in range(MAX_PANELS + 1)]
    rows = [(f"2025-{m:02d}", *(10**i for i in range(MAX_PANELS + 1))) for m in range(1, 13)]
    chart = drawn([MONTH, *measures], rows)
    assert len(chart["option"]["grid"]) == MAX_PANELS
    assert [series["yAxisIndex"] for series in chart["option"]["series"]] == list(range(MAX_PANELS))
    last = chart["option"]["grid"][-1]
    assert last["top"] + last["height"] < chart["height"]


def test_many_or_long_names_lie_on_their_side_first_row_on_top() -> None:
    chart = drawn([DISTRICT, COUNT], [(f"matter {n}", n) for n in range(30)])
    assert chart["horizontal"] is True
    assert chart["option"]["yAxis"][0]["type"] == "category"
    assert chart["option"]["yAxis"][0]["inverse"] is True


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ([KWH], [(12,)]),  # no dimension: a figure, not a chart
        ([MONTH, INDUSTRY, DISTRICT, KWH], [("2025-01", "x", "a", 1), ("2025-02", "x", "a", 1)]),
        ([MONTH, INDUSTRY], [("2025-01", "x"), ("2025-02", "y")]),  # nothing to measure
        ([MONTH, KWH], []),
        ([MONTH, KWH], [("2025-01", 4)]),  # one point
        ([MONTH, KWH], [("2025-01", None), ("2025-02", None)]),  # everything withheld
    ],
)
def test_where_a_table_says_it_better_there_is_no_chart(
    columns: list[ChartColumn], rows: list[tuple[Any, ...]]
) -> None:
    assert chart_for(columns, rows) is None


def test_exact_decimals_travel_as_json_numbers() -> None:
    chart = drawn([MONTH, KWH], [("2025-01", Decimal("12.50")), ("2025-02", Decimal(3))])
    assert chart["option"]["series"][0]["data"] == [12.5, 3.0]


def test_the_summary_names_the_extremes_and_their_places() -> None:
    chart = drawn([DISTRICT, COUNT], [("a", 1200), ("b", 5), ("c", 90)])
    assert "1,200 (a)" in chart["summary"]
    assert "5 (b)" in chart["summary"]
    assert chart["option"]["aria"]["label"]["description"] == chart["summary"]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("uvwxyz")),
        st.one_of(st.none(), st.integers(0, 10**9)),
        min_size=2,
    )
)
def test_a_chart_shows_exactly_the_published_values(cells: dict[tuple[str, str], int | None]) -> None:
    chart = chart_for([DISTRICT, INDUSTRY, COUNT], [(a, b, value) for (a, b), value in cells.items()])
    if chart is None:
        return
    found = [value for series in chart["option"]["series"] for value in series["data"]]
    values = [v[2] if isinstance(v, list) else v for v in found]
    assert sorted(v for v in values if v is not None) == sorted(v for v in cells.values() if v is not None)


def test_the_table_names_totals_and_explains_the_mark_only_where_it_stands() -> None:
    table = table_for([DISTRICT, COUNT], [("a", 10), ("b", None), (None, 30)], "Enterprises")
    assert table.withheld is True
    assert [cell.value for _, cell in table.filled[1]] == ["b", None]
    assert table.filled[2][0][1].value not in {None, ""}
    assert table_for([DISTRICT, COUNT], [("a", 10)], "Enterprises").withheld is False


def test_shares_are_bars_from_nought_even_over_months() -> None:
    rows = [(f"2024-{month:02d}", 40 + month) for month in range(1, 13)]
    drawn = chart_for([ChartColumn("month", measure=False), ChartColumn("%", measure=True)], rows, bars=True)
    assert drawn is not None
    assert [series["type"] for series in drawn["option"]["series"]] == ["bar"]
    assert [axis["scale"] for axis in drawn["option"]["yAxis"]] == [False]
    assert not drawn["horizontal"], "months keep running from left to right"


def test_on_half_a_page_a_dozen_chinese_names_lie_on_their_side() -> None:
    columns = [ChartColumn("district", measure=False), ChartColumn("n", measure=True)]
    rows = [(f"第{n}号区", n) for n in range(10)]
    narrow, wide = chart_for(columns, rows, narrow=True), chart_for(columns, rows)
    assert narrow is not None
    assert wide is not None
    assert (narrow["horizontal"], wide["horizontal"]) == (True, False)
