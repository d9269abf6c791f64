"""What the computation language accepts, and that one question has one canonical form."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.refusals import Refused
from contracts.policy.terms import Aggregate
from sandbox.guard import AggregateQuery, canonical_bytes, check_query, check_sql, possible_cells
from sandbox.guard.query import ColumnRef, Comparison, Dimension, Filter, Having, JoinOn, Measure, OrderBy
from tests.unit.guard_terms import TERMS, with_limits


def canonical(text: str) -> bytes:
    return canonical_bytes(check_sql(text, TERMS))


def test_a_full_query_becomes_exactly_its_parts() -> None:
    query = check_sql(
        """
        SELECT l.district AS "区县", p.sector, COUNT(*), COUNT(DISTINCT p.firm) AS firms,
               SUM(amount) AS total, AVG(kwh), COUNT(note)
        FROM loans AS l INNER JOIN power p ON p.firm = l.enterprise
        WHERE l.year = 2024 AND (sector IN ('trade') AND opened IN (DATE '2024-01-01'))
        GROUP BY "区县", 2 HAVING COUNT(*) >= 20 AND 900 > firms
        ORDER BY total DESC, sector LIMIT 7;
        """,
        TERMS,
    )
    assert query == AggregateQuery(
        sources=("loans", "power"),
        joins=(JoinOn(ColumnRef("loans", "enterprise"), ColumnRef("power", "firm")),),
        filters=(
            Filter(ColumnRef("loans", "opened"), ("2024-01-01",)),
            Filter(ColumnRef("loans", "year"), ("2024",)),
            Filter(ColumnRef("power", "sector"), ("trade",)),
        ),
        dimensions=(
            Dimension(ColumnRef("loans", "district"), "区县"),
            Dimension(ColumnRef("power", "sector"), "sector"),
        ),
        measures=(
            Measure(Aggregate.COUNT_ROWS, None, "count_rows"),
            Measure(Aggregate.COUNT_UNITS, None, "firms"),
            Measure(Aggregate.SUM, ColumnRef("loans", "amount"), "total"),
            Measure(Aggregate.AVG, ColumnRef("power", "kwh"), "avg_kwh"),
            Measure(Aggregate.COUNT, ColumnRef("loans", "note"), "count_note"),
        ),
        having=(Having("count_rows", Comparison.GTE, 20), Having("firms", Comparison.LT, 900)),
        order=(OrderBy("total", True), OrderBy("sector", False)),
        limit=7,
        totals=False,
    )


SAME = {
    "white space, case and comments": (
        "select district, count(*) n from loans where year = 2024 group by district",
        "SELECT  District ,COUNT( * )\n AS N FROM LOANS -- DROP\n WHERE Year=2024 /* 市中 */ GROUP BY 1;",
    ),
    "table aliases": (
        "select district, count(*) from loans group by district",
        "select X.district, count(*) from loans as x group by x.district",
    ),
    "sides of an equality": (
        "select count(*) from loans where district = '历下'",
        "select count(*) from loans where '历下' = district",
    ),
    "equality and a list of one": (
        "select count(*) from loans where district = '历下'",
        "select count(*) from loans where (district in ('历下', '历下'))",
    ),
    "a filter over the full domain": (
        "select count(*) from loans",
        "select count(*) from loans where secured in (true, false) and year in (2025, 2024, 2023)",
    ),
    "conditions that are cut together": (
        "select count(*) from loans where year in (2024)",
        "select count(*) from loans where year in (2023, 2024) and year in (2024, 2025)",
    ),
    "numbers written otherwise": (
        "select count(*) from loans where rate in (3.5, -1)",
        "select count(*) from loans where rate in (-1.00, 3.50)",
    ),
    "dates with and without the type": (
        "select count(*) from loans where opened = '2024-02-01'",
        "select count(*) from loans where opened = date '2024-02-01'",
    ),
    "order of sources and sides of joins": (
        "select count(*) from loans l join power p on l.enterprise = p.firm and l.year = p.year",
        "select count(*) from power p inner join loans l on p.year = l.year and p.firm = l.enterprise",
    ),
    "quoted names that are the same names": (
        "select district, count(*) from loans group by district",
        'select "district", count(*) from "loans" group by "loans"."district"',
    ),
    "FROM says the same with the alias in front": (
        "select count(*) as total from loans",
        "select total: count(*) from loans",
    ),
}


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME.keys())
def test_two_spellings_of_one_question_have_one_canonical_form(pair: tuple[str, str]) -> None:
    assert canonical(pair[0]) == canonical(pair[1])


def test_different_questions_have_different_canonical_forms() -> None:
    texts = [
        "select count(*) from loans",
        "select count(*) from power",
        "select count(*) from loans where year = 2024",
        "select count(*) from loans where year = 2023",
        "select count(*) from loans where year in (2023, 2024)",
        "select count(distinct enterprise) from loans",
        "select sum(amount) from loans",
        "select avg(amount) from loans",
        "select district, count(*) from loans group by 1",
        "select year, count(*) from loans group by 1",
        "select year, count(*) from loans group by 1 with totals",
        "select year, count(*) from loans group by 1 limit 2",
        'select count(*) as "别" from loans',
    ]
    assert len({canonical(text) for text in texts}) == len(texts)


conditions = {
    "district": st.lists(st.sampled_from(["'历下'", "'市中'", "'槐荫'"]), min_size=1, max_size=5),
    "year": st.lists(st.sampled_from(["2023", "2024"]), min_size=1, max_size=4),
    "secured": st.lists(st.sampled_from(["true", "FALSE"]), min_size=1, max_size=1),
}
chosen = st.fixed_dictionaries({}, optional=conditions)
blanks = st.sampled_from([" ", "\n", "\t ", " /* x */ ", " -- y\n"])


@settings(max_examples=60, deadline=None)
@given(where=chosen, blank=blanks, data=st.data())
def test_shuffled_conditions_and_lists_keep_the_canonical_form(
    where: dict[str, list[str]], blank: str, data: st.DataObject
) -> None:
    def text(terms: dict[str, list[str]], gap: str) -> str:
        filters = [f"{name} in ({', '.join(values)})" for name, values in terms.items()]
        clause = (" where " + " and ".join(filters)) if filters else ""
        return ("select count(*) from loans" + clause).replace(" ", gap)

    names = data.draw(st.permutations(list(where)))
    shuffled = {name: data.draw(st.permutations(where[name])) for name in names}
    assert canonical(text(where, " ")) == canonical(text(shuffled, blank))


def test_json_and_sql_make_the_same_query() -> None:
    for text, _ in SAME.values():
        query = check_sql(text, TERMS)
        data = json.loads(canonical_bytes(query))
        assert check_query(data, TERMS) == query
        assert AggregateQuery.from_json(data) == query


def test_json_is_put_into_canonical_order_too() -> None:
    data = check_sql("select count(*) from loans where year in (2023, 2024)", TERMS).to_json()
    for values in permutations(["2023", "2024", "2024"]):
        again = {**data, "filters": [{"column": ["loans", "year"], "values": list(values)}]}
        assert check_query(again, TERMS).filters == (Filter(ColumnRef("loans", "year"), ("2023", "2024")),)


JSON_CHANGES: list[tuple[str, dict[str, object]]] = [
    ("guard.form", {"version": 2}),
    ("guard.form", {"sql": "select 1"}),
    ("guard.form", {"sources": "loans"}),
    ("guard.form", {"limit": "5"}),
    ("guard.form", {"limit": True}),
    ("guard.form", {"totals": 1}),
    ("guard.form", {"measures": [{"aggregate": "max", "column": ["loans", "amount"], "label": "x"}]}),
    ("guard.form", {"measures": [{"aggregate": "count_rows", "column": ["loans", "note"], "label": "x"}]}),
    ("guard.form", {"measures": [{"aggregate": "sum", "column": None, "label": "x"}]}),
    ("guard.form", {"having": [{"label": "count_rows", "comparison": "<>", "value": 3}]}),
    ("guard.table", {"sources": []}),
    ("guard.table", {"sources": ["secret"]}),
    ("guard.join", {"sources": ["loans", "loans"]}),
    ("guard.join", {"sources": ["loans", "power"]}),
    ("guard.measure", {"measures": []}),
    ("guard.unit", {"dimensions": [{"column": ["loans", "enterprise"], "label": "e"}]}),
    ("guard.role", {"dimensions": [{"column": ["loans", "amount"], "label": "e"}]}),
    ("guard.table", {"dimensions": [{"column": ["power", "sector"], "label": "e"}]}),
    ("guard.unit", {"filters": [{"column": ["loans", "enterprise"], "values": ["x"]}]}),
    ("guard.domain", {"filters": [{"column": ["loans", "year"], "values": ["2023 or 1=1"]}]}),
    ("guard.domain", {"filters": [{"column": ["loans", "year"], "values": []}]}),
    ("guard.label", {"measures": [{"aggregate": "count_rows", "column": None, "label": "a\u202eb"}]}),
    ("guard.role", {"measures": [{"aggregate": "avg", "column": ["loans", "staff"], "label": "x"}]}),
]


@pytest.mark.parametrize(("code", "change"), JSON_CHANGES)
def test_json_is_held_to_the_same_rules(code: str, change: dict[str, object]) -> None:
    data = check_sql("select count(*) from loans", TERMS).to_json()
    with pytest.raises(Refused) as refused:
        check_query({**data, **change}, TERMS)
    assert refused.value.code == code


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
)
def test_no_json_makes_the_guard_fail_otherwise_than_by_refusing(data: object) -> None:
    with pytest.raises(Refused):
        check_query(data, TERMS)  # type: ignore[arg-type]


def test_a_refusal_says_which_term_and_where() -> None:
    with pytest.raises(Refused) as refused:
        check_sql("SELECT district, COUNT(*)\nFROM loans\nWHERE  distrikt = '历下'\nGROUP BY 1", TERMS)
    assert (refused.value.code, refused.value.details["term"]) == ("guard.column", "distrikt")
    assert (refused.value.details["line"], refused.value.details["column"]) == (3, 8)


def test_all_problems_are_reported_in_reading_order() -> None:
    text = "select enterprise, max_amount, sum(district) from loans where amount = 3 and year = 1999"
    with pytest.raises(Refused) as refused:
        check_sql(text, TERMS)
    found = [(p["code"], p["term"]) for p in refused.value.details["problems"]]
    assert found == [
        ("guard.unit", "enterprise"),
        ("guard.column", "max_amount"),
        ("guard.role", "district"),
        ("guard.role", "amount"),
        ("guard.domain", "1999"),
    ]
    assert refused.value.code == "guard.unit"


def test_the_table_is_bounded_before_anything_runs() -> None:
    text = "select district, year, count(*) from loans group by 1, 2"
    query = check_sql(text, with_limits(max_cells=12))
    assert possible_cells(query, TERMS) == 12
    with pytest.raises(Refused) as refused:
        check_sql(text, with_limits(max_cells=11))
    assert refused.value.code == "guard.too_many_cells"
    filtered = "select district, year, count(*) from loans where year in (2023, 2024) group by 1, 2"
    assert possible_cells(check_sql(filtered, with_limits(max_cells=11)), TERMS) == 8
    with pytest.raises(Refused) as refused:
        check_sql(text, with_limits(max_dimensions=1))
    assert refused.value.code == "guard.too_many_dimensions"


def test_a_dimension_without_a_declared_domain_cannot_be_grouped() -> None:
    loans = TERMS.datasets[0]
    bare = replace(loans, columns=tuple(replace(c, domain=()) for c in loans.columns))
    with pytest.raises(Refused) as refused:
        check_sql("select district, count(*) from loans group by 1", replace(TERMS, datasets=(bare,)))
    assert refused.value.code == "guard.domain"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "select",
                "from",
                "where",
                "group",
                "by",
                "having",
                "order",
                "limit",
                "join",
                "on",
                "and",
                "or",
                "not",
                "in",
                "(",
                ")",
                ",",
                ".",
                "*",
                "=",
                "<>",
                ">=",
                "'",
                '"',
                ";",
                "--",
                "/*",
                "*/",
                "::",
                "[",
                "]",
                "{",
                "}",
                "$1",
                "?",
                ":x",
                "count",
                "sum",
                "avg",
                "distinct",
                "case",
                "when",
                "then",
                "end",
                "over",
                "filter",
                "union",
                "with",
                "as",
                "loans",
                "power",
                "district",
                "year",
                "amount",
                "enterprise",
                "'历下'",
                "2024",
                "null",
                "true",
                "date",
                "interval",
                "pivot",
                "exists",
                "any",
                "cast",
                "values",
            ]
        ),
        max_size=40,
    )
)
def test_no_text_makes_the_guard_fail_otherwise_than_by_refusing(words: list[str]) -> None:
    for text in (" ".join(words), "select count(*) from loans " + " ".join(words)):
        query = accepted(text)
        if query is not None:
            assert check_query(query.to_json(), TERMS) == query


def accepted(text: str) -> AggregateQuery | None:
    try:
        return check_sql(text, TERMS)
    except Refused as error:
        refused = error
    assert refused.code.startswith("guard.")
    assert refused.details["problems"]
    return None
