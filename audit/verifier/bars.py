"""Entries for each day as a bar chart: one SVG as wide as the page, its words beside it. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from audit.verifier.markup import Markup, both, joined, tag

_MOST = 60  # bars


@dataclass(frozen=True, slots=True)
class Bin:
    """So many days from `first` on, and the entries in them."""

    first: dt.date
    last: dt.date
    entries: int


def bins_of(days: dict[str, int]) -> list[Bin]:
    """Of equal length but the last, at most 60, from the first day with an entry to the last. Requires: not empty."""
    numbers = {dt.date.fromisoformat(day).toordinal(): entries for day, entries in days.items()}
    start, end = min(numbers), max(numbers)
    length = -(-(end - start + 1) // _MOST)
    entries = [0] * -(-(end - start + 1) // length)
    for number, count in numbers.items():
        entries[(number - start) // length] += count
    return [
        Bin(
            dt.date.fromordinal(start + at * length),
            dt.date.fromordinal(min(start + (at + 1) * length - 1, end)),
            count,
        )
        for at, count in enumerate(entries)
    ]


def chart(days: dict[str, int]) -> Markup:
    """Requires: not empty."""
    bins = bins_of(days)
    highest = max(one.entries for one in bins)
    span = (bins[0].last - bins[0].first).days + 1
    bars = joined(*(_bar(at, one, highest) for at, one in enumerate(bins)))
    label = (
        f"{bins[0].first} – {bins[-1].last}: {sum(days.values()):,} entries, at most {highest:,} in one bar"
    )
    # Few days are not blown up to the whole width.
    width = max(len(bins), 12)
    svg = tag(
        "svg", bars, viewBox=f"0 0 {width * 10} 100", preserveAspectRatio="none", role="img", aria_label=label
    )
    caption = (f"每柱 {span} 天", f"{span} days a bar") if span > 1 else ("每柱一天", "one day a bar")
    return tag(
        "figure",
        tag("div", f"{highest:,}", class_="top"),
        svg,
        tag("div", tag("span", str(bins[0].first)), tag("span", str(bins[-1].last)), class_="axis"),
        both(*caption, "figcaption"),
        class_="days",
    )


def _bar(at: int, one: Bin, highest: int) -> Markup | None:
    if not one.entries:
        return None
    height = max(100 * one.entries / highest, 1.5)
    days = str(one.first) if one.first == one.last else f"{one.first} – {one.last}"
    return tag(
        "g",
        tag("title", f"{days}: {one.entries:,}"),
        tag("rect", x=f"{at * 10 + 1}", y=f"{100 - height:.2f}", width="8", height=f"{height:.2f}"),
    )
