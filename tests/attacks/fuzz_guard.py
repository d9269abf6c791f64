"""Texts near the language, thrown at the guard: what it lets through must touch nothing outside the contract.

Run by hand: `python -m tests.attacks.fuzz_guard --minutes 10 [--seed N]`. The suite runs it for some thousand texts.
Most texts come from the grammar with a part too odd here and there, the others are accepted texts cut up and spliced.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import sqlglot
from sqlglot import exp

from audit.refusals import Refused
from contracts.policy.terms import ColumnRole, DatasetTerm, Lane, PrivacyTerms, Terms
from sandbox.engines import generate
from sandbox.guard import bare, check_sql
from tests.unit.guard_terms import TERMS

HIDDEN = {"_unit", "_row", "_record_key"}
FUNCTIONS = {
    "count",
    "sum",
    "min",
    "max",
    "abs",
    "coalesce",
    "least",
    "greatest",
    "hash",
    "row_number",
    "mod",
}
NAMES = [
    "loans", "power", "air", "stations", "enterprise", "district", "year", "opened", "secured", "rate", "amount", "staff",
    "note", "branch", "firm", "sector", "kwh", "code", "zone", "height", "station", "hour", "pm25", "l", "p", "_unit",
    "_record_key", "salaries", "phone", "information_schema.tables", "duckdb_settings()", "read_csv('/etc/passwd')",
    "pg_catalog.pg_class", "历下", "*", "loans.*", '"loans"', '"Loans"', "ｌoans", "l.district", "loans.amount",
]  # fmt: skip
VALUES = ["'历下'", "'industry'", "2024", "2023", "DATE '2024-01-01'", "true", "-1", "3.5", "NULL", "'x'", "1e400", "?", "$1",
          "(select 1)", "x'00'", "E'\\n'", "'历下' || ''", "cast(1 as text)", "10", "9" * 60, "0x1F", "$$a$$", "''"]  # fmt: skip
PIECES = [
    "count(*)", "sum(amount)", "avg(kwh)", "count(distinct enterprise)", "count(distinct firm)", "count(note)",
    "min(amount)", "sum(distinct amount)", "count(*) filter (where year = 2024)", "sum(amount) over ()", "median(amount)",
    "case when year = 2024 then 1 end", "district", "year", "sector", "zone", "hour", "1", "amount + 1",
]  # fmt: skip
TAILS = [
    " with totals", " having count(*) > 10", " order by 1 desc", " limit 5", " offset 1", " union select 1", ";",
    "; drop table loans", " -- x", " /* x */", " qualify true", " window w as ()", " for update", " sample 10%",
    " group by all", " grouping sets ((1))", " fetch first row only", " intersect all select 1", " into outfile 'x'",
]  # fmt: skip
GOOD = {  # by source: what its questions may name
    "loans": (["district", "year", "secured", "rate"], ["count(*)", "sum(amount)", "avg(amount)", "count(note)",
              "count(distinct enterprise)", "sum(staff)"], ["district = '历下'", "year in (2023, 2024)", "secured = true",
              "rate in (3.5, -1)", "opened = date '2024-01-01'"]),
    "power": (["sector", "year"], ["count(*)", "sum(kwh)", "avg(kwh)", "count(distinct firm)"],
              ["sector = 'trade'", "year = 2025"]),
    "air": (["hour"], ["count(*)", "avg(pm25)", "count(pm25)"], ["hour in ('00', '12')"]),
    "loans join power on enterprise = firm": (["district", "sector"], ["count(*)", "sum(kwh)", "avg(amount)"],
                                              ["district = '市中'", "sector = 'industry'"]),
}  # fmt: skip
GOOD_TAILS = [" with totals", " order by 1 desc", " limit 5", ""]
ODD = 0.12  # chance that a part is not one of the good ones
OPERATORS = [
    "=",
    "=",
    "=",
    " in ",
    "<>",
    "<",
    ">=",
    " like ",
    " is ",
    " is not distinct from ",
    " between ",
    "::",
    "~",
    " not in ",
]


def texts(random_: random.Random) -> Iterator[str]:
    """Without end."""
    accepted = [
        "select district, count(*), sum(amount) from loans where year in (2023, 2024) group by district"
    ]
    while True:
        text = _spliced(random_, accepted) if random_.random() < 0.3 else _grown(random_)
        yield text
        if len(accepted) < 2000 and _accepted(text, TERMS):
            accepted.append(text)


def _grown(random_: random.Random) -> str:
    """A question of the language in which each part may be an odd one."""
    source = random_.choice(list(GOOD))
    dimensions, measures, conditions = GOOD[source]

    def some(good: list[str], odd: Callable[[], str], most: int) -> list[str]:
        chosen = random_.sample(good, random_.randint(0, min(most, len(good))))
        return [odd() if random_.random() < ODD else part for part in chosen]

    groups = some(dimensions, lambda: random_.choice(NAMES), 2)
    asked = some(measures, lambda: random_.choice(PIECES), 3) or [random_.choice(measures)]
    where = some(conditions, lambda: _condition(random_), 3)
    odd_sources = [
        f"{source}, {random_.choice(NAMES)}",
        f"(select * from {random_.choice(NAMES)})",
        random_.choice(NAMES),
    ]
    text = f"select {', '.join([*groups, *asked])} from {random_.choice(odd_sources) if random_.random() < ODD else source}"
    if where:
        text += " where " + (" or " if random_.random() < ODD else " and ").join(where)
    if groups:
        text += " group by " + ", ".join(groups)
    return text + random_.choice(TAILS if random_.random() < ODD else GOOD_TAILS)


def _condition(random_: random.Random) -> str:
    pick = random_.choice
    operator = pick(OPERATORS)
    value = (
        f"({', '.join(pick(VALUES) for _ in range(random_.randint(1, 3)))})"
        if "in" in operator
        else pick(VALUES)
    )
    return f"{pick(NAMES)}{operator}{value}"


def _spliced(random_: random.Random, accepted: list[str]) -> str:
    first, second = random_.choice(accepted), random_.choice([*accepted, _grown(random_)])
    cut, other = random_.randrange(len(first) + 1), random_.randrange(len(second) + 1)
    insert = random_.choice(
        ["", "", random_.choice(NAMES), random_.choice(VALUES), random_.choice(PIECES), "(", ")", "\0", " "]
    )
    return first[:cut] + insert + second[other:]


def _accepted(text: str, terms: Terms) -> bool:
    try:
        check_sql(text, terms)
    except Refused:
        return False
    return True


def private(terms: Terms) -> Terms:
    """The same contract with all numbers in the private lane."""

    def moved(dataset: DatasetTerm) -> DatasetTerm:
        columns = tuple(
            replace(c, lane=Lane.PRIVATE, high=1000) if c.role is ColumnRole.MEASURE else c
            for c in dataset.columns
        )
        return replace(dataset, columns=columns, lane=Lane.PRIVATE, budget=1)

    return replace(terms, datasets=tuple(map(moved, terms.datasets)), privacy=PrivacyTerms())


def outside(text: str, terms: Terms) -> list[str]:
    """What the SQL of an accepted text touches beyond the contract; refused texts touch nothing."""
    try:
        question = bare(check_sql(text, terms), terms)
        sql = generate(question, terms)
    except Refused:
        return []
    tree = sqlglot.parse_one(sql, read="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    allowed = {
        d.name: {c.name for c in d.columns} | HIDDEN for d in terms.datasets if d.name in question.sources
    }
    found = [t.name for t in tree.find_all(exp.Table) if t.name not in own and t.name not in allowed]
    found += [t.name for t in tree.find_all(exp.Table) if t.args.get("db") or t.args.get("catalog")]
    found += [
        c.sql() for c in tree.find_all(exp.Column) if c.table and c.name not in allowed.get(c.table, ())
    ]
    domains = {value for d in terms.datasets for c in d.columns for value in c.domain}
    for constant in tree.find_all(exp.Literal):
        if constant.is_string and constant.name not in domains and not constant.find_ancestor(exp.DataType):
            found.append(constant.sql())
    found += [f.sql() for f in tree.find_all(exp.Anonymous) if f.name.lower() not in FUNCTIONS]
    return found


def fuzz(until: Callable[[int], bool], seed: int) -> Counter[str]:
    """Throw texts until `until(thrown)`. Raises AssertionError with the first text that got out."""
    counted: Counter[str] = Counter()
    contracts = (TERMS, private(TERMS))
    for thrown, text in enumerate(texts(random.Random(seed))):
        if until(thrown):
            return counted
        for terms in contracts:
            found = outside(text, terms)
            assert not found, f"{text!r} touches {found}"
        counted["accepted" if _accepted(text, TERMS) else "refused"] += 1
    return counted


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    chosen = parser.parse_args(arguments)
    end = time.monotonic() + 60 * chosen.minutes
    print("seed", chosen.seed)
    print(dict(fuzz(lambda _thrown: time.monotonic() > end, chosen.seed)))


if __name__ == "__main__":
    main(sys.argv[1:])
