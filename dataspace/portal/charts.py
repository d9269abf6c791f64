"""From a released table to what a page shows of it: data in, data out. `charts.js` does the drawing.

What is withheld stays `None` all the way, so a chart can show nothing that the table does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext, ngettext
from django_stubs_ext import StrOrPromise

from dataspace.portal.parts import Col, Table

Value = int | float | None

MAX_PANELS = 4  # measures drawn one below the other
MAX_SERIES = 6  # more groups than this are drawn as a heat map
MAX_CATEGORIES = 2000  # as many cells as a contract may release
CROWDED = 14  # categories from which bars lie on their side
HALF_PAGE = 56  # letters that fit below a chart of half a page's width
ZOOM = 40  # categories from which a slider appears
GAP = 40  # pixels below a panel: room for the axis and its name
MAX_HEIGHT = 1600
_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}){0,2}\S*)?)?)?")
_HOUR = re.compile(r"([01]\d|2[0-3])")


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """A column of a released table. A measure holds numbers, anything else groups."""

    label: StrOrPromise
    measure: bool


@dataclass(frozen=True, slots=True)
class _Pivot:
    """One measure: `values[g][c]` of group g at category c; None where withheld, empty or absent."""

    measure: str
    categories: list[str]
    groups: list[str]
    values: list[list[Value]]


def chart_for(
    columns: Sequence[ChartColumn], rows: Sequence[Sequence[Any]], *, bars: bool = False, narrow: bool = False
) -> dict[str, Any] | None:
    """The payload of one chart, or None where a table says it better.

    Each row has one value per column; a dimension that is None marks a total over it, and totals are not
    drawn. One dimension: a panel per measure (at most `MAX_PANELS`). Two: the one that reads as time, else
    the longer one, becomes the axis, the other the series; the first measure is drawn.
    `bars`: shares of a whole, compared from nought even where the values are years or months.
    `narrow`: the chart has half a page's width.

    Payload: `option` (ECharts options without colours), `height` in CSS pixels, `horizontal`, and
    `summary`, the same in one sentence for those who cannot see it.
    """
    dimensions = [i for i, column in enumerate(columns) if not column.measure]
    measures = [i for i, column in enumerate(columns) if column.measure]
    drawn = [row for row in rows if all(row[i] is not None for i in dimensions)]
    if not measures or not drawn or len(dimensions) not in {1, 2}:
        return None
    axis, series = _axis_and_series(dimensions, drawn)
    if len(_distinct(drawn, axis)) < 2 or len(drawn) > MAX_CATEGORIES:
        return None
    if series is None:
        pivots = [_pivot(columns, drawn, axis, None, m) for m in measures[:MAX_PANELS]]
    else:
        pivots = [_pivot(columns, drawn, axis, series, measures[0])]
    if all(value is None for pivot in pivots for group in pivot.values for value in group):
        return None
    axis_name = str(columns[axis].label)
    if len(pivots[0].groups) > MAX_SERIES:
        return _heat_map(pivots[0], axis_name)
    return _panels(pivots, axis_name, bars=bars, narrow=narrow)


def table_for(columns: Sequence[ChartColumn], rows: Sequence[Sequence[Any]], caption: StrOrPromise) -> Table:
    """The same as a table part: totals are named; what is withheld prints as its mark, with the legend."""
    shown = [
        [
            gettext("All") if value is None and not c.measure else value
            for c, value in zip(columns, row, strict=True)
        ]
        for row in rows
    ]
    withheld = any(value is None for row in shown for value in row)
    return Table(caption, [Col(c.label, numeric=c.measure) for c in columns], shown, withheld=withheld)


# --- Arranging ------------------------------------------------------------------------------------------
def _axis_and_series(dimensions: list[int], rows: Sequence[Sequence[Any]]) -> tuple[int, int | None]:
    if len(dimensions) == 1:
        return dimensions[0], None
    first, second = dimensions
    times = [_reads_as_time(_distinct(rows, i)) for i in dimensions]
    if times[0] != times[1]:
        return (first, second) if times[0] else (second, first)
    longer = len(_distinct(rows, first)) >= len(_distinct(rows, second))
    return (first, second) if longer else (second, first)


def _distinct(rows: Sequence[Sequence[Any]], index: int) -> list[str]:
    """The texts of a column, each once, in the order of the table."""
    return list(dict.fromkeys(str(row[index]) for row in rows))


def _reads_as_time(texts: Sequence[str]) -> bool:
    """Years, months, days, moments; or hours of a day, when there are enough of them to be a course."""
    if len(texts) >= 6 and all(_HOUR.fullmatch(text) for text in texts):
        return True
    return all(_TIME.fullmatch(text) for text in texts)


def _pivot(
    columns: Sequence[ChartColumn], rows: Sequence[Sequence[Any]], axis: int, series: int | None, measure: int
) -> _Pivot:
    categories = _distinct(rows, axis)
    if _reads_as_time(categories):
        categories.sort()  # a line runs forward, whatever the table is sorted by
    name = str(columns[measure].label)
    groups = [name] if series is None else _distinct(rows, series)
    values: list[list[Value]] = [[None] * len(categories) for _ in groups]
    at_category = {text: place for place, text in enumerate(categories)}
    at_group = {text: place for place, text in enumerate(groups)}
    for row in rows:
        group = 0 if series is None else at_group[str(row[series])]
        values[group][at_category[str(row[axis])]] = _plain(row[measure])
    return _Pivot(name, categories, groups, values)


def _plain(value: Any) -> Value:
    """Exact decimals become floats: a chart's pixels are coarser than that."""
    return float(value) if isinstance(value, Decimal) else value


# --- Options --------------------------------------------------------------------------------------------
def _panels(pivots: list[_Pivot], axis_name: str, *, bars: bool, narrow: bool) -> dict[str, Any]:
    """Lines over time or bars over categories, one grid per pivot, the category axis shared."""
    first = pivots[0]
    in_time = _reads_as_time(first.categories)
    time = in_time and not bars
    horizontal = not in_time and len(pivots) == 1 and _lies_on_its_side(first.categories, narrow=narrow)
    legend = len(first.groups) > 1
    top = 56 if legend else 28
    panel = _panel_height(first, len(pivots), horizontal=horizontal)
    last = len(pivots) - 1
    category_axes = [
        _category_axis(first.categories, axis_name, place, last=place == last, horizontal=horizontal)
        for place in range(len(pivots))
    ]
    value_axes = [
        _value_axis(pivot.measure, place, time=time, horizontal=horizontal)
        for place, pivot in enumerate(pivots)
    ]
    option = {
        "grid": [_grid(top + place * (panel + GAP), panel, alone=last == 0) for place in range(len(pivots))],
        "xAxis": value_axes if horizontal else category_axes,
        "yAxis": category_axes if horizontal else value_axes,
        "series": [
            _series(name, data, place, time=time)
            for place, pivot in enumerate(pivots)
            for name, data in zip(pivot.groups, pivot.values, strict=True)
        ],
        "legend": {"show": legend, "type": "scroll", "top": 0, "left": 0},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "line" if time else "shadow"}},
        "aria": _aria(pivots, axis_name, decals=legend and not time),
    }
    height = top + len(pivots) * (panel + GAP) + (20 if last else 0)
    if len(first.categories) > ZOOM and not horizontal:
        axes = list(range(len(pivots)))
        option["dataZoom"] = [
            {"type": "slider", "xAxisIndex": axes, "bottom": 4, "height": 18, "showDetail": False}
        ]
        height += 28
    return _payload(option, height, pivots, axis_name, horizontal=horizontal)


def _payload(
    option: dict[str, Any], height: int, pivots: list[_Pivot], axis_name: str, *, horizontal: bool = False
) -> dict[str, Any]:
    return {
        "option": option,
        "height": height,
        "horizontal": horizontal,
        "summary": _summary(pivots, axis_name),
    }


def _grid(top: int, height: int, *, alone: bool = True) -> dict[str, Any]:
    """Several panels share one left edge, so that their axes line up."""
    edge: dict[str, Any] = {"left": 8, "containLabel": True} if alone else {"left": 60, "containLabel": False}
    return edge | {"right": 24, "top": top, "height": height}


def _panel_height(pivot: _Pivot, panels: int, *, horizontal: bool) -> int:
    if not horizontal:
        return 240 if panels == 1 else 150
    return min(MAX_HEIGHT, max(220, len(pivot.categories) * (14 + 10 * len(pivot.groups))))


def _lies_on_its_side(categories: list[str], *, narrow: bool) -> bool:
    """Many or long names need the room of a line each."""
    if narrow and sum(map(_letters, categories)) > HALF_PAGE:
        return True
    return len(categories) > CROWDED or (len(categories) > 4 and max(map(len, categories)) > 8)


def _letters(text: str) -> int:
    """The room a name takes beside its neighbours; a Chinese character takes that of two letters."""
    return 2 + sum(2 if unicodedata.east_asian_width(letter) in "FW" else 1 for letter in text)


def _category_axis(
    categories: list[str], name: str, place: int, *, last: bool, horizontal: bool
) -> dict[str, Any]:
    return {
        "type": "category",
        "gridIndex": place,
        "data": categories,
        "name": name if last and not horizontal else "",
        "nameLocation": "middle",
        "nameGap": 30,
        "inverse": horizontal,  # the table's first row is the topmost bar
        "axisLabel": {"show": last, "hideOverlap": True}
        | ({"interval": 0} if len(categories) <= CROWDED else {}),
    }


def _value_axis(name: str, place: int, *, time: bool, horizontal: bool) -> dict[str, Any]:
    """Bars begin at nought; a line may begin where the data do."""
    return {
        "type": "value",
        "gridIndex": place,
        "name": name,
        "nameLocation": "middle" if horizontal else "end",
        "nameGap": 30 if horizontal else 12,
        "nameTextStyle": {"align": "center" if horizontal else "left"},
        "scale": time,
        "splitNumber": 4,
    }


def _series(name: str, data: list[Value], place: int, *, time: bool) -> dict[str, Any]:
    series: dict[str, Any] = {"name": name, "data": data, "xAxisIndex": place, "yAxisIndex": place}
    if time:
        few = len(data) <= ZOOM
        return series | {"type": "line", "showSymbol": few, "symbolSize": 6, "lineStyle": {"width": 2}}
    return series | {"type": "bar", "barMaxWidth": 28}


def _heat_map(pivot: _Pivot, axis_name: str) -> dict[str, Any]:
    """Many groups over a shared axis. Withheld cells are blank, marked where there is room for figures."""
    cells = [
        [column, line, value] for line, group in enumerate(pivot.values) for column, value in enumerate(group)
    ]
    shown = [value for group in pivot.values for value in group if value is not None]
    height = min(MAX_HEIGHT, 24 * len(pivot.groups))
    scale = {"min": min(shown), "max": max(shown), "orient": "horizontal", "top": 0, "right": 8}
    readable = len(pivot.categories) <= CROWDED
    option = {
        "grid": [_grid(40, height)],
        "xAxis": [_category_axis(pivot.categories, axis_name, 0, last=True, horizontal=False)],
        "yAxis": [{"type": "category", "data": pivot.groups, "inverse": True}],
        "visualMap": [scale],
        "series": [{"name": pivot.measure, "type": "heatmap", "data": cells, "label": {"show": readable}}],
        "tooltip": {"trigger": "item"},
        "aria": _aria([pivot], axis_name, decals=False),
    }
    return _payload(option, height + 40 + GAP, [pivot], axis_name)


# --- In words -------------------------------------------------------------------------------------------
def _aria(pivots: list[_Pivot], axis_name: str, *, decals: bool) -> dict[str, Any]:
    """Decals tell bars apart without colour; lines have their symbols."""
    return {
        "enabled": True,
        "label": {"enabled": True, "description": _summary(pivots, axis_name)},
        "decal": {"show": decals},
    }


def _summary(pivots: list[_Pivot], axis_name: str) -> str:
    return " ".join(_sentence(pivot, axis_name) for pivot in pivots)


def _sentence(pivot: _Pivot, axis_name: str) -> str:
    """What the eye takes in first: how many values, the largest and the smallest, how much is withheld."""
    found = [
        (value, category if len(pivot.groups) == 1 else f"{group}, {category}")
        for group, line in zip(pivot.groups, pivot.values, strict=True)
        for category, value in zip(pivot.categories, line, strict=True)
        if value is not None
    ]
    words = gettext("%(measure)s by %(axis)s: %(count)d values.") % {
        "measure": pivot.measure, "axis": axis_name, "count": len(found),
    }  # fmt: skip
    if found:
        high, low = max(found, key=lambda f: f[0]), min(found, key=lambda f: f[0])
        words += " " + gettext("Highest %(high)s (%(at_high)s), lowest %(low)s (%(at_low)s).") % {
            "high": f"{high[0]:,}", "at_high": high[1], "low": f"{low[0]:,}", "at_low": low[1],
        }  # fmt: skip
    hidden = sum(len(line) for line in pivot.values) - len(found)
    if hidden:
        words += " " + ngettext(
            "%(count)d is withheld or empty.", "%(count)d are withheld or empty.", hidden
        ) % {"count": hidden}
    return words
