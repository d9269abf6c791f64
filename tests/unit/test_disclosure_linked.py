"""P9: tables that are safe one by one tell nothing together either, and what is harmless together is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, Level, Terms
from sandbox.disclosure import parts, protect
from sandbox.disclosure.linked import Linked, Told, Verdict, linked
from sandbox.disclosure.memory import Remembered, candidates
from sandbox.engines import generate, overlap
from sandbox.guard import bare, check_sql
from sandbox.guard.query import AggregateQuery
from tests.unit.guard_terms import TERMS
from tests.unit.test_disclosure_intervals import vertices

BANDS, SIZES, MONTHS = ("low", "mid", "high", "top"), ("x", "y", "z"), ("01", "02", "03")
COLUMNS = ("band", "size", "month")


def contract(**limits: int) -> Terms:
    firms = DatasetTerm(
        "d-firms",
        "firms",
        (
            ColumnTerm("firm", ColumnType.TEXT, ColumnRole.UNIT),
            ColumnTerm("band", ColumnType.TEXT, ColumnRole.DIMENSION, BANDS, level=Level.UNIT),
            ColumnTerm("size", ColumnType.TEXT, ColumnRole.DIMENSION, SIZES, level=Level.UNIT),
            ColumnTerm("month", ColumnType.TEXT, ColumnRole.DIMENSION, MONTHS),
            ColumnTerm("tax", ColumnType.INTEGER, ColumnRole.MEASURE, (), tuple(Aggregate)[2:]),
        ),
    )
    return replace(TERMS, datasets=(firms,), joins=(), disclosure=replace(TERMS.disclosure, **limits))


GUARDED = contract()
Row = tuple[object, ...]  # firm, band, size, month, tax


def people(*groups: tuple[int, str, str | None], month: str | None = "01") -> list[Row]:
    """So many firms of a band and a size, one row each; taxes differ little."""
    found: list[Row] = []
    for count, band, size in groups:
        found += [(len(found) + i, band, size, month, 1000 + i) for i in range(count)]
    return found


class Exposed(Exception):
    """Refused by the audit of the table alone."""


class World:
    """Asks as the product does: each answer protected by itself, then audited with all before it."""

    def __init__(self, rows: Sequence[Row], terms: Terms = GUARDED, **more: int) -> None:
        data = pd.DataFrame(rows, columns=["firm", *COLUMNS, "tax"]).assign(**more)
        data["_unit"] = data["firm"].astype("int32")
        data["firm"] = data["firm"].astype("uint64")
        data["tax"] = data["tax"].astype("Int64")
        self.data, self.terms, self.told = data, terms, []
        self.engine = duckdb.connect(config={"threads": 1})
        self.engine.register("firms", pa.Table.from_pandas(data, preserve_index=False))

    def ask(self, text: str, terms: Terms | None = None) -> Verdict:
        new = self.tell(text, terms or self.terms)
        together = Linked(new, [old for old in self.told if linked(new.query, old.query)])
        verdict = together.verdict(self.engine.sql(together.sql).to_arrow_table())
        if verdict.safe:
            self.told.append(new)
        return verdict

    def tell(self, text: str, terms: Terms) -> Told:
        query = bare(check_sql(text, terms), terms)
        raw = self.engine.sql(generate(query, terms)).to_arrow_table()
        protected = protect(raw, query, terms)
        if protected.exposed:
            raise Exposed
        return Told(query, terms, protected.table, protected.evidence)

    def close_pairs(self, one: Told, other: Told) -> bool:
        """Whether the comparison of pairs would refuse already."""
        both = [
            Remembered(
                t.query,
                t.terms,
                t.answer,
                self.engine.sql(overlap.outline(t.query, t.terms)).to_arrow_table(),
            )
            for t in (one, other)
        ]
        return bool(candidates(*both))


def by(*names: str, where: str = "", measure: str = "count(*)") -> str:
    text = f"select {', '.join([*names, measure])} from firms"
    text += f" where {where}" if where else ""
    return text + (f" group by {', '.join(names)}" if names else "")


# Size x holds the bands low, high and top, so that x less high and top is low: 4 firms, which the first table withholds.
PAIR = people((4, "low", "x"), (20, "mid", "y"), (50, "high", "x"), (60, "top", "x"))


@pytest.mark.parametrize("measure", ["count(*)", "count(distinct firm)", "sum(tax)", "avg(tax)"])
@pytest.mark.parametrize("order", [("band", "size"), ("size", "band")])
def test_of_two_tables_that_fix_a_cell_together_the_second_is_refused(
    measure: str, order: tuple[str, str]
) -> None:
    world = World(PAIR)
    assert world.ask(by(order[0], measure=measure)).safe
    assert not world.ask(by(order[1], measure=measure)).safe
    assert World(PAIR).ask(by(order[1], measure=measure)).safe, "alone it is safe"
    both = [world.tell(by(name, measure=measure), GUARDED) for name in order]
    assert not world.close_pairs(*both), "no pair of numbers tells it"


THREE = people((4, "low", "x"), (30, "mid", "x"), (40, "high", "x"), (50, "top", "x"))
FILTERS = ["band in ('low', 'mid')", "band in ('low', 'high')", "band in ('mid', 'high')"]


@pytest.mark.parametrize("order", list(permutations(FILTERS)))
def test_of_three_tables_that_only_together_fix_a_cell_the_last_is_refused(order: tuple[str, ...]) -> None:
    world = World(THREE)
    assert [world.ask(by(where=where)).safe for where in order] == [True, True, False]


def test_a_cell_told_too_closely_is_refused_although_it_is_not_fixed() -> None:
    """Size x less high and top leaves low and 3 of mid: low is one of 0 to 7, where 10 are demanded."""
    world = World([*PAIR, *((500 + i, "mid", "x", "01", 1000) for i in range(3))])
    assert world.ask(by("band")).safe
    assert not world.ask(by("size")).safe


def test_a_dominating_firm_is_not_told_by_two_tables() -> None:
    rows = people((12, "low", "x"), (20, "mid", "y"), (50, "high", "x"), (60, "top", "x"))
    rows[0] = (*rows[0][:4], 90_000)
    world = World(rows)
    assert world.ask(by("band", measure="sum(tax)")).safe
    assert not world.ask(by("size", measure="sum(tax)")).safe
    assert World(rows).ask(by("size", measure="sum(tax)")).safe
    counts = World(rows)
    assert counts.ask(by("band")).safe
    assert counts.ask(by("size")).safe, "twelve may be counted"


def test_one_firm_with_many_rows_does_not_hide_among_its_own_months() -> None:
    """Each month has cells of its own, so that no single one is told; the firm's months together would be."""
    rows = [
        row for m in MONTHS for row in people((30, "mid", "x"), (40, "high", "x"), (50, "top", "x"), month=m)
    ]
    rows += [(900, "low", "x", month, 1000) for month in MONTHS for _ in range(5)]
    world = World(rows)
    assert world.ask(by("month")).safe
    assert [world.ask(by(where=where)).safe for where in FILTERS] == [True, True, False]


def test_firms_without_a_declared_value_are_a_cell_too() -> None:
    rows = [*people((50, "high", "x"), (60, "top", "y"), (30, "mid", "z")), *people((4, "top", None))[:4]]
    rows = [(i, *row[1:]) for i, row in enumerate(rows)]
    world = World(rows)
    assert world.ask(by("size", "band")).safe
    assert not world.ask(by("band")).safe, "top less y's leaves those without a size"


HARMLESS = [
    by("band"), by("band", "month"), by("size"), by("size", "month"), by("month"), by(), by("band", "size"),
    by("month", where="band = 'top'"), by("size", where="band in ('mid', 'high')"), by("band", where="size = 'y'"),
]  # fmt: skip


def crowd(each: int) -> list[Row]:
    firms = list(enumerate((band, size) for band in BANDS for size in SIZES for _ in range(each)))
    return [(i, *group, month, 1000 + i) for i, group in firms for month in MONTHS]


@pytest.mark.parametrize("measure", ["count(*)", "count(distinct firm), sum(tax)"])
def test_what_analysts_ask_one_after_the_other_is_answered(measure: str) -> None:
    world = World(crowd(12))
    for text in HARMLESS:
        assert world.ask(text.replace("count(*)", measure)).safe, text


def test_coarser_tables_after_finer_ones_are_answered_although_cells_are_withheld() -> None:
    rows = [row for row in crowd(12) if row[1:3] != ("low", "x") or row[0] < 4]
    world = World(rows)
    assert [world.ask(text).safe for text in (by("band", "size"), by("band"), by("size"), by())] == [True] * 4
    assert any(row["band"] is None or row["count_rows"] is None for row in _shown(world)), (
        "something is withheld"
    )


def _shown(world: World) -> list[dict[str, object]]:
    table = world.told[0].answer
    return [
        {"band": b, "count_rows": n}
        for b, n in zip(*(table.column(i).to_pylist() for i in (0, 2)), strict=True)
    ]


def test_what_shares_no_measure_or_rows_has_no_part_in_the_audit() -> None:
    counts, sums, both, values = (
        bare(check_sql(by("band", measure=m), GUARDED), GUARDED)
        for m in ("count(*)", "sum(tax)", "count(*), sum(tax)", "count(tax)")
    )
    assert not linked(counts, sums)
    assert linked(counts, both)
    assert linked(counts, values), "where nobody lacks a value, they are one number"
    assert not linked(sums, values)
    assert not linked(counts, replace(counts, sources=("firms", "loans")))


@pytest.mark.parametrize("order", [("count(*)", "count(tax)"), ("count(tax)", "count(distinct firm)")])
def test_counts_of_a_column_that_is_never_empty_are_counts_of_rows(order: tuple[str, str]) -> None:
    world = World(PAIR)
    assert world.ask(by("band", measure=order[0])).safe
    assert not world.ask(by("size", measure=order[1])).safe
    empty = [(*row[:4], None if i % 2 else row[4]) for i, row in enumerate(PAIR)]
    world = World(empty)
    assert world.ask(by("band", measure=order[0])).safe
    assert world.ask(by("size", measure=order[1])).safe, "the two counts are of different contributors"


EITHER_WAY = [("count(*)", "count(tax)"), ("count(tax)", "count(*)"), ("count(tax)", "count(distinct firm)")]


@pytest.mark.parametrize(("first", "second"), EITHER_WAY)
@pytest.mark.parametrize("order", [("band", "size"), ("size", "band")])
def test_a_column_that_some_lack_elsewhere_is_a_count_of_all_where_nobody_lacks_it(
    first: str, second: str, order: tuple[str, str]
) -> None:
    """Ten of size z have no tax. That does not keep anybody from subtracting what is told of size x."""
    rows = [*PAIR, *((500 + i, "mid", "z", "01", None if i < 10 else 1000) for i in range(20))]
    world = World(rows)
    assert world.ask(by(order[0], measure=first)).safe
    assert not world.ask(by(order[1], measure=second)).safe
    assert World(rows).ask(by(order[1], measure=second)).safe, "alone it is safe"


def test_who_lacks_a_value_does_not_hide_those_who_have_one() -> None:
    """Twelve of low are there, four of them with a tax: all may be counted, the four may not."""
    world = World([*PAIR, *((500 + i, "low", "x", "01", None) for i in range(8))])
    assert world.ask(by("band")).safe
    assert not world.ask(by("size", measure="count(tax)")).safe


def test_two_columns_that_nobody_lacks_count_the_same_in_contracts_that_have_one_each() -> None:
    pay = ColumnTerm("pay", ColumnType.INTEGER, ColumnRole.MEASURE, (), tuple(Aggregate)[2:])
    [firms] = GUARDED.datasets
    other = replace(GUARDED, datasets=(replace(firms, columns=(*firms.columns[:-1], pay)),))
    for first, second in [(("pay", other), ("tax", GUARDED)), (("tax", GUARDED), ("pay", other))]:
        world = World(PAIR, pay=1)
        assert world.ask(by("band", measure=f"count({first[0]})"), first[1]).safe
        assert not world.ask(by("size", measure=f"count({second[0]})"), second[1]).safe


def test_no_silent_pass_of_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap makes the audit stricter, never milder."""
    from sandbox.disclosure import linked as module

    monkeypatch.setattr(parts, "MOST", 2)
    world = World(PAIR)
    assert world.ask(by("band")).safe
    assert not world.ask(by("size")).safe
    monkeypatch.setattr(module, "MAX_ATOMS", 3)
    assert not World(PAIR).ask(by("band")).safe
    monkeypatch.setattr(module, "MAX_AXES", 1)
    told = World(crowd(12)).tell(by("band", "size"), GUARDED)
    assert Linked(told, [told]).too_large


def test_parts_find_intervals_no_wider_than_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from sandbox.disclosure.intervals import Demand, Target, Unknown

    unknowns = [Unknown(3 + 7 * i % 11) for i in range(36)]
    lines = [tuple(6 * i + j for j in range(6)) for i in range(6)]
    lines += [tuple(6 * i + j for i in range(6)) for j in range(6)]
    targets = [Target((i,), Demand(width=12)) for i in range(36)]
    whole = parts.audit_in_parts(unknowns, lines, targets)
    monkeypatch.setattr(parts, "MOST", 24)
    cut = parts.audit_in_parts(unknowns, lines, targets)
    assert sum(i.enough for i in cut) > 18, "harmless ones still pass"
    assert all(one.enough or not other.enough for one, other in zip(whole, cut, strict=True))


def test_an_engine_that_answers_something_else_is_not_believed() -> None:
    world = World(PAIR)
    told = world.tell(by("band"), GUARDED)
    together = Linked(told, [told])
    with pytest.raises(Refused, match=r"disclosure\.raw"):
        together.verdict(pa.table({"d0": [1], "k": [5], "n": [4]}))


# --- Against exact arithmetic, by another way -----------------------------------------------------------------
K = 4
SMALL = contract(min_contributors=K, complement_contributors=1, round_counts=1)
groups = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(BANDS[:3]), st.sampled_from([*SIZES[:2], None])),
    min_size=2,
    max_size=7,
    unique_by=lambda group: group[1:],
)
wheres = st.sampled_from(
    ["", "band in ('low', 'mid')", "band in ('mid', 'high')", "band = 'high'", "size = 'x'"]
)
questions = st.tuples(st.sampled_from([(), ("band",), ("size",), ("band", "size")]), wheres)


@settings(max_examples=100, deadline=None)
@given(groups, st.lists(questions, min_size=2, max_size=4, unique=True))
def test_the_audit_agrees_with_exact_arithmetic_over_all_corners(
    groups: list[tuple[int, str, str | None]], asked: list[tuple[tuple[str, ...], str]]
) -> None:
    world = World(people(*groups), SMALL)
    for names, where in asked:
        text = by(*names, where=where)
        try:
            told = [*world.told, world.tell(text, SMALL)]
        except Exposed:
            continue
        found = world.ask(text)
        assert found.safe is (not narrow_ones(groups, told)), (text, groups)


def narrow_ones(groups: list[tuple[int, str, str | None]], told: list[Told]) -> set[frozenset[int]]:
    """Sensitive sets of groups whose number of firms can be worked out to fewer than K."""
    values = [Fraction(count) for count, *_ in groups]
    published: list[set[frozenset[int]]] = []
    sensitive: set[frozenset[int]] = set()
    for one in told:
        cells = cells_by_hand(groups, one.query)
        seen = {r["cell"]: r for r in ({**r, "cell": tuple(r["cell"])} for r in one.evidence.to_pylist())}
        published.append({parts for at, parts in cells.items() if seen[at]["outcome"] == "published"})
        sensitive |= {p for at, p in cells.items() if "min_contributors" in seen[at]["reasons"]}
    for kept in product((True, False), repeat=2):
        totals: dict[tuple[object, ...], set[int]] = {}
        for i, (_, *group) in enumerate(groups):
            at = tuple(value if keep else None for value, keep in zip(group, kept, strict=True))
            totals.setdefault((*at, *kept), set()).add(i)
        sensitive |= {frozenset(p) for p in totals.values() if sum(values[i] for i in p) < K}
    rows = sorted(set().union(*published), key=sorted)
    exact = [[Fraction(i in row) for i in range(len(groups))] for row in rows]
    sides = [sum(values[i] for i in row) for row in rows]
    corners = list(vertices(exact, sides)) if rows else [[Fraction(0)] * len(groups)]
    reached = {
        p: [sum(c[i] for i in p) for c in corners]
        for p in sensitive
        if all(any(i in row for row in rows) for i in p) and not any(told_by(p, own) for own in published)
    }
    return {p for p, ends in reached.items() if max(ends) - min(ends) < K}


def told_by(parts: frozenset[int], published: set[frozenset[int]]) -> bool:
    inside = [row for row in published if row <= parts]
    return frozenset().union(*inside) == parts


def cells_by_hand(
    groups: list[tuple[int, str, str | None]], query: AggregateQuery
) -> dict[tuple[str, ...], frozenset[int]]:
    names = [d.column.column for d in query.dimensions]
    domains = {"band": BANDS, "size": SIZES}
    kept = {name: domains[name] for name in names}
    for f in query.filters:
        kept[f.column.column] = f.values  # noqa: PD011
    found: dict[tuple[str, ...], set[int]] = {}
    for i, (_, *group) in enumerate(groups):
        at = dict(zip(("band", "size"), group, strict=True))
        if all(at[name] in own for name, own in kept.items()):
            found.setdefault(tuple(str(at[name]) for name in names), set()).add(i)
    return {at: frozenset(parts) for at, parts in found.items()}
