"""Someone who may ask anything the language can say tries to learn about one enterprise.

The attacker knows the contract, everything about all other enterprises, and which rows are the target's.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from audit.refusals import Refused
from catalog.schema import ColumnType
from contracts.policy.terms import Aggregate, ColumnRole, ColumnTerm, DatasetTerm, JoinTerm, Terms
from sandbox.engines import generate
from sandbox.guard import check_query, check_sql
from tests.unit.guard_terms import OPEN, TERMS
from tests.unit.shown import Shown, show

SECTORS = ("steel", "food", "paper", "glass")
TOWNS = ("east", "west", "north")
TARGET = 7

FIRMS = DatasetTerm(
    "d-firms",
    "firms",
    (
        ColumnTerm("firm", ColumnType.TEXT, ColumnRole.UNIT),
        ColumnTerm("sector", ColumnType.TEXT, ColumnRole.DIMENSION, SECTORS),
        ColumnTerm("town", ColumnType.TEXT, ColumnRole.DIMENSION, TOWNS),
        ColumnTerm(
            "tax", ColumnType.INTEGER, ColumnRole.MEASURE, (), (Aggregate.SUM, Aggregate.AVG, Aggregate.COUNT)
        ),
    ),
)


def contract(base: Terms) -> Terms:
    joins: tuple[JoinTerm, ...] = ()
    return replace(base, datasets=(FIRMS,), joins=joins)


GUARDED = contract(TERMS)
NO_RULES = contract(OPEN)  # k = 1, no dominance, no rounding: what the language alone holds back


def firms(seed: int = 3, count: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(count, dtype="int32"), rng.integers(1, 5, count))
    return pd.DataFrame(
        {
            "_unit": unit,
            "firm": unit.astype("uint64"),
            "sector": np.asarray(SECTORS)[unit % 4],
            "town": np.asarray(TOWNS)[(unit // 4) % 3],
            "tax": rng.integers(1, 10**6, len(unit)),
        }
    )


def ask(text: str, data: pd.DataFrame, terms: Terms) -> Shown:
    query = check_sql(text, terms)
    with duckdb.connect() as engine:
        engine.register("firms", pa.Table.from_pandas(data, preserve_index=False))
        return show(lambda q: engine.sql(generate(q, terms)).to_arrow_table(), query, terms)


DIFFERENCING = [
    "select sum(tax) from firms where firm <> '7'",
    "select sum(tax) from firms where firm not in ('7')",
    "select sum(tax) from firms where not firm = '7'",
    "select sum(tax) from firms where firm < '7' or firm > '7'",
    "select sum(tax) from firms where sector = 'steel' or firm = '7'",
    "select sum(tax) from firms where tax < 999",
    "select sum(tax) from firms where tax between 1 and 998",
    "select sum(case when firm = '7' then 0 else tax end) from firms",
    "select sum(tax) filter (where firm <> '7') from firms",
    "select sum(tax) from firms except select sum(tax) from firms where firm = '7'",
    "select sum(tax) from firms where firm in (select firm from firms where town = 'east')",
    "select sum(tax) from firms having count(distinct firm) > 1 and max(tax) < 5",
    "select tax, count(*) from firms group by tax",
    "select firm, sum(tax) from firms group by firm",
    "select sum(tax * 1000000) from firms",
]


@pytest.mark.parametrize("text", DIFFERENCING)
def test_the_two_halves_of_a_difference_cannot_be_asked_even_with_all_rules_off(text: str) -> None:
    with pytest.raises(Refused):
        check_sql(text, NO_RULES)


def test_every_population_that_can_be_asked_for_is_a_union_of_declared_values() -> None:
    """No pair of filters differs by the target: each keeps or drops all who share its declared values."""
    data = firms()
    twins = set(data[(data.sector == SECTORS[3]) & (data.town == TOWNS[1])]["_unit"])
    assert TARGET in twins
    assert len(twins) > 10
    for sectors, towns in product(subsets(SECTORS), subsets(TOWNS)):
        asked = {
            "filters": [
                {"column": ["firms", "sector"], "values": sectors},
                {"column": ["firms", "town"], "values": towns},
            ]
        }
        base = check_sql("select count(distinct firm), sum(tax) from firms", NO_RULES).to_json()
        query = check_query({**base, **asked}, NO_RULES)
        kept = data
        for f in query.filters:
            kept = kept[kept[f.column.column].isin(f.values)]
        population = set(kept["_unit"])
        assert twins <= population or not twins & population


def subsets(values: tuple[str, ...]) -> list[list[str]]:
    return [
        [v for v, bit in zip(values, bits, strict=True) if bit]
        for bits in product((0, 1), repeat=len(values))
    ][1:]


def test_the_full_domain_as_a_filter_is_the_same_question_as_no_filter() -> None:
    listed = ", ".join(f"'{s}'" for s in SECTORS)
    filtered = check_sql(f"select sum(tax) from firms where sector in ({listed})", GUARDED)
    assert filtered == check_sql("select sum(tax) from firms", GUARDED)


def test_one_firm_with_many_rows_is_not_a_crowd() -> None:
    data = firms()
    alone = pd.DataFrame(
        {"_unit": [9999] * 50, "firm": [9999] * 50, "sector": "lone", "town": "east", "tax": 5}
    )
    sectors = replace(FIRMS.columns[1], domain=(*SECTORS, "lone"))
    terms = replace(
        GUARDED, datasets=(replace(FIRMS, columns=(FIRMS.columns[0], sectors, *FIRMS.columns[2:])),)
    )
    table = ask(
        "select sector, count(*), sum(tax) from firms group by sector", pd.concat([data, alone]), terms
    ).table
    assert table.to_pylist()[-1] == {"sector": "lone", "count_rows": None, "sum_tax": None}


def with_giant(tax: int) -> pd.DataFrame:
    data = firms()
    own = data["_unit"] == TARGET
    data.loc[own, "tax"] = tax // own.sum()
    return data


def test_a_giant_in_one_cell_is_withheld_with_company_where_the_total_is_published() -> None:
    data = with_giant(7 * 10**8)
    result = ask("select sector, sum(tax), count(*) from firms group by sector", data, GUARDED)
    blank = [row["sector"] for row in result.table.to_pylist() if row["sum_tax"] is None]
    assert ask("select sum(tax) from firms", data, GUARDED).table["sum_tax"].null_count == 0
    assert SECTORS[TARGET % 4] in blank
    assert len(blank) == 2
    assert all(row["count_rows"] for row in result.table.to_pylist()), "counts stay: they are not dominated"


def test_a_giant_of_the_whole_population_needs_no_company_since_the_total_is_withheld_too() -> None:
    data = with_giant(10**12)
    table = ask("select sector, sum(tax) from firms group by sector", data, GUARDED).table
    assert [row["sector"] for row in table.to_pylist() if row["sum_tax"] is None] == [SECTORS[TARGET % 4]]
    for text in (
        "select sum(tax) from firms",
        "select sum(tax) from firms where sector in ('glass', 'food', 'paper')",
        "select avg(tax) from firms",
        "select town, sum(tax) from firms where town = 'west' group by town",
    ):
        assert ask(text, data, GUARDED).table.column(-1).null_count == 1


def test_a_total_less_the_published_cells_never_leaves_the_target() -> None:
    """The total is one query, the cells another; what is left over must not be the target's own tax."""
    data = firms()
    data = data[(data.sector != "glass") | (data["_unit"] == TARGET)]
    cells = ask(
        "select sector, sum(tax), count(*) from firms group by sector", data, GUARDED
    ).table.to_pylist()
    total = ask("select sum(tax), count(*) from firms", data, GUARDED).table.to_pylist()[0]
    shown = [row for row in cells if row["sum_tax"] is not None]
    left = total["sum_tax"] - sum(row["sum_tax"] for row in shown)
    own = Decimal(int(data.loc[data["_unit"] == TARGET, "tax"].sum()))
    withheld = {row["sector"] for row in cells if row["sum_tax"] is None}
    hidden = data[data.sector.isin(withheld)]
    assert hidden["_unit"].nunique() >= 10
    assert abs(left - own) > 10 * own


def test_asking_again_in_other_words_gives_the_same_bytes() -> None:
    data = firms()
    first = ask(
        "select sector, sum(tax) from firms where town in ('east', 'west') group by sector", data, GUARDED
    )
    second = ask(
        "SELECT f.sector, SUM(f.tax) FROM firms AS f /* again */ WHERE f.town IN ('west','east','west') GROUP BY 1",
        data.sample(frac=1, random_state=1),
        GUARDED,
    )
    assert first.table.equals(second.table)


def test_whether_a_small_cell_has_anyone_is_not_told() -> None:
    data = firms()
    without = data[(data.sector != "glass") | (data.town != "west")]
    some = data[(data.sector != "glass") | (data.town != "west") | (data["_unit"] == TARGET)]
    text = "select sector, count(*), avg(tax) from firms where sector = 'glass' and town = 'west' group by sector"
    assert ask(text, some, GUARDED).table.equals(ask(text, without, GUARDED).table)
    assert ask(text, some, GUARDED).summary == ask(text, without, GUARDED).summary


def test_a_refusal_does_not_depend_on_the_data() -> None:
    """The guard never sees data, so a refusal is the same for every extract: it has no data argument to differ by."""
    messages = set()
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            check_sql("select sum(tax) from firms where town = 'nowhere'", GUARDED)
        messages.add((refused.value.code, refused.value.reason))
    assert messages == {("guard.domain", "This value is not in the declared domain of town.")}
