"""The SQL a question is shown as: the guard reads it back to the same question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy.terms import ColumnTerm
from dataspace.portal.sqltext import sql_of
from sandbox.guard import check_query, check_sql
from tests.unit.guard_terms import TERMS

TEXTS = (
    "select count(*) from loans",
    "select district, count(distinct enterprise) as n from loans where year = 2024 group by 1",
    """select l.district as "区县", p.sector, count(*), count(distinct p.firm) firms, sum(amount) total, avg(kwh)
       from loans l join power p on p.firm = l.enterprise and l.year = p.year
       where l.year in (2023, 2024) and sector = 'trade' and opened = date '2024-01-01' and secured = true
         and rate in (-1, 3.5)
       group by 1, 2 with totals having count(*) >= 20 and 900 > firms order by total desc, sector limit 7""",
    'select count(*) as "say ""how"" many" from loans',
    "select zone, sum(height) from stations join air on code = station group by zone",
)


@pytest.mark.parametrize("text", TEXTS)
def test_the_guard_reads_the_text_back_to_the_same_question(text: str) -> None:
    query = check_sql(text, TERMS)
    assert check_sql(sql_of(query, TERMS), TERMS) == query


def test_a_measure_may_bear_the_name_of_a_grouped_column() -> None:
    query = check_sql('select district as "a", count(*) as district from loans group by a', TERMS)
    assert check_sql(sql_of(query, TERMS), TERMS) == query


WORDS = ("select", "order", "group", "by", "count", "sum", "date", "time", "text", "row", "rows", "table", "filter", "end",
         "limit", "values", "index", "interval", "null", "true", "desc", "all", "left", "case", "from", "window", "totals")  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_words_of_sql_may_be_labels_and_names(word: str) -> None:
    named = replace(TERMS.datasets[0].columns[1], name=word)
    assert isinstance(named, ColumnTerm)
    loans = replace(TERMS.datasets[0], columns=(TERMS.datasets[0].columns[0], named))
    terms = replace(TERMS, datasets=(loans,), joins=())
    data = question(
        dimensions=[{"column": ["loans", word], "label": word}],
        filters=[{"column": ["loans", word], "values": ["历下"]}],
    )
    query = check_query(data, terms)
    assert check_sql(sql_of(query, terms), terms) == query


@settings(max_examples=150, deadline=None)
@given(label=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20))
def test_any_printable_label_survives(label: str) -> None:
    query = check_query(
        question(
            measures=[{"aggregate": "count_rows", "column": None, "label": label}],
            having=[{"label": label, "comparison": ">=", "value": 10}],
            order=[{"label": label, "descending": True}],
        ),
        TERMS,
    )
    assert check_sql(sql_of(query, TERMS), TERMS) == query


def question(**parts: Any) -> dict[str, Any]:
    return check_sql("select count(*) from loans", TERMS).to_json() | parts
