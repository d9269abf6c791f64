"""An attack on the invented register, on an engine without rules and in each lane of this space. Pure.

In the lanes it is what a run does: the text is checked, made bare, looked up among the answers given before, generated
for DuckDB, protected, in the table lane compared with every earlier answer, and arranged. Only the ledger is a
dictionary here, and there is no jail around the engine, since the data is invented. Questions name their dimensions
in the order of a bare question.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import floor, hypot
from typing import Any

import duckdb
import pyarrow as pa

from contracts.policy.terms import Lane
from dataspace.portal.differencing_plans import TABLE, Attack, Cell, Enterprise, Part, Plan, plan, terms_in
from sandbox.disclosure import Protected, arrange, protect
from sandbox.disclosure.cell_key.tables import BOUND
from sandbox.disclosure.memory import MAX_PAIRS, Remembered, candidates
from sandbox.disclosure.private.words import intervals
from sandbox.engines import generate, overlap
from sandbox.guard import AggregateQuery, bare, canonical_bytes, check_sql

# With it all twelve averages come out right; with some others one of them misses by 1.
NOISE_SEED = 11
FRESH_NOISE = 2  # MWh: the most by which an engine that draws anew at each repeat changes an answer
SETTINGS: dict[str, Any] = {
    "threads": 1,
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is told, and by how much it may miss the true one: at most, or in the private lane at 95 %."""

    value: Fraction
    slack: float = 0.0

    @property
    def nearest(self) -> int:
        return floor(self.value + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Answer:
    """`numbers`: what each cell tells; None is withheld. `rules`: why. Only here is it told: nobody is hurt.

    `close`: the answer is refused, for it differs from an earlier one by the contributions of so many.
    `kept`: how many repeats were given the answer that was there already.
    """

    numbers: Mapping[Cell, Number | None] = field(default_factory=dict)
    close: int = 0
    rules: Mapping[Cell, tuple[str, ...]] = field(default_factory=dict)
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What the attacker has in the end: `parts` add up to `found`; None where a number is missing."""

    answers: tuple[Answer, ...]
    parts: tuple[Number, ...] = ()
    found: Number | None = None


# --- An engine without rules ------------------------------------------------------------------------------
@cache
def unprotected(attack: Attack, target: Enterprise) -> Result:
    """DuckDB and the attacker's own text. What is asked many times is answered with noise, drawn anew each time."""
    planned = plan(attack, target)
    noise = random.Random(f"{NOISE_SEED}-{target.name}")  # noqa: S311  # a bad engine's, the same for every reader
    answers = []
    with _engine() as engine:
        for question in planned.questions:
            rows = _run(engine, question.sql, {TABLE: planned.versions[question.version]}).to_pylist()
            off = _average(noise, question.times) if question.times > 1 else Fraction(0)
            cells = [tuple(row.values()) for row in rows]
            answers.append(Answer({cell[:-1]: Number(Fraction(cell[-1]) + off) for cell in cells}))
    return _result(planned, answers, Lane.TABLE)


def _average(noise: random.Random, times: int) -> Fraction:
    return Fraction(sum(noise.randint(-FRESH_NOISE, FRESH_NOISE) for _ in range(times)), times)


# --- This space -------------------------------------------------------------------------------------------
def attacked(lane: Lane, attack: Attack, target: Enterprise) -> Result:
    """What the lane answers. But for the private lane's noise, which is drawn anew, the same each time."""
    if lane is Lane.PRIVATE:
        return _asked(lane, attack, target)
    return _remembered(lane, attack, target)


@cache
def _remembered(lane: Lane, attack: Attack, target: Enterprise) -> Result:
    return _asked(lane, attack, target)


def _asked(lane: Lane, attack: Attack, target: Enterprise) -> Result:
    planned, answers = plan(attack, target), []
    with _engine() as engine:
        space = _Space(lane, engine)
        for question, asked in zip(planned.questions, _questions(lane, attack, target), strict=True):
            answers.append(space.answer(asked, planned.versions[question.version], question.version))
    return _result(planned, answers, lane)


@cache
def _questions(lane: Lane, attack: Attack, target: Enterprise) -> list[list[AggregateQuery]]:
    """Each question as checked, once for each time it is asked."""
    terms = terms_in(lane)
    return [[check_sql(text, terms) for text in q.texts] for q in plan(attack, target).questions]


@dataclass(frozen=True, slots=True)
class _Given:
    """An answer that was told, and the extract behind it."""

    memory: Remembered
    extract: pa.Table


class _Space:
    """One lane with its ledger, empty at first."""

    def __init__(self, lane: Lane, engine: duckdb.DuckDBPyConnection) -> None:
        self._lane, self._terms, self._engine = lane, terms_in(lane), engine
        self._kept: dict[tuple[bytes, int], Answer] = {}
        self._given: list[_Given] = []

    def answer(self, asked: Sequence[AggregateQuery], extract: pa.Table, version: int) -> Answer:
        """The answer to the first, and how many of the others were given the same."""
        kept = 0
        for query in asked:
            key = canonical_bytes(bare(query, self._terms)), version
            if key in self._kept:
                kept += 1
            else:
                self._kept[key] = found = self._compute(query, extract)
        return Answer(found.numbers, found.close, found.rules, kept)

    def _compute(self, query: AggregateQuery, extract: pa.Table) -> Answer:
        terms, question, tables = self._terms, bare(query, self._terms), {TABLE: extract}
        raw = _run(self._engine, generate(question, terms), tables)
        protected = protect(raw, question, terms)
        if self._lane is Lane.TABLE:
            outline = _run(self._engine, overlap.outline(question, terms), tables)
            new = _Given(Remembered(question, terms, protected.table, outline), extract)
            if close := min((c for old in self._given if (c := self._closest(new, old))), default=0):
                return Answer(close=close)
            self._given.append(new)
        shown = arrange(protected.table, query, terms)
        numbers = _numbers(shown, query, self._slack(raw, query), terms.disclosure.sum_digits)
        if protected.exposed:  # totals would still tell what is withheld: nothing is released
            numbers = dict.fromkeys(numbers)
        return Answer(numbers, rules=_rules(protected) if self._lane is not Lane.PRIVATE else {})

    def _slack(self, raw: pa.Table, query: AggregateQuery) -> dict[Cell, float]:
        """Perturbed lane: the most by which a sum is changed; everyone knows the rule, here also the largest."""
        if self._lane is not Lane.PERTURBED:
            return {}
        percent = self._terms.disclosure.p_percent
        names = [f"d{i}" for i in range(len(query.dimensions))]
        return {
            tuple(row[name] for name in names): max(BOUND, 2 * percent * float(row["m0_top"][0]) / 100 + 1)
            for row in raw.to_pylist()
            if row["m0_top"]
        }

    def _closest(self, new: _Given, old: _Given) -> int:
        """By how many contributors two numbers of the two answers differ, where they are fewer than k; else 0."""
        one, other = new.memory, old.memory
        pairs = candidates(one, other)
        if not pairs:
            return 0
        if len(pairs) > MAX_PAIRS:
            return 1
        sql = overlap.differences(one.query, one.terms, other.query, other.terms, pairs)
        found = _run(self._engine, sql, {TABLE: new.extract, overlap.EARLIER + TABLE: old.extract})
        closest = min((units for units in found.column("units").to_pylist() if units), default=0)
        return closest if closest < max(one.k, other.k) else 0


def _engine() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config=SETTINGS)


def _run(engine: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    for name, table in tables.items():
        engine.register(name, table)
    return engine.sql(sql).to_arrow_table()


def _rules(protected: Protected) -> dict[Cell, tuple[str, ...]]:
    rows = protected.evidence.to_pylist()
    return {tuple(row["cell"]): tuple(row["reasons"]) for row in rows if row["reasons"]}


def _numbers(
    table: pa.Table, query: AggregateQuery, slack: Mapping[Cell, float], digits: int
) -> dict[Cell, Number | None]:
    """By cell, in the order of the question's dimensions. Of a private answer the interval goes with it."""
    label = query.measures[0].label
    low, high = intervals(query)[label]
    found: dict[Cell, Number | None] = {}
    for row in table.to_pylist():
        cell = tuple(row[d.label] for d in query.dimensions)
        value = row[label]
        if value is None:
            found[cell] = None
            continue
        half = (row[high] - row[low]) / 2 if low in row else slack.get(cell, 0.0) + _rounded(value, digits)
        found[cell] = Number(Fraction(value), half)
    return found


def _rounded(value: int, digits: int) -> float:
    """The most by which rounding to so many significant digits changed it."""
    step = 10 ** max(0, len(str(abs(int(value)))) - digits)
    return step / 2 if step > 1 else 0.0


# --- Adding up --------------------------------------------------------------------------------------------
def _result(planned: Plan, answers: Sequence[Answer], lane: Lane) -> Result:
    for reading in planned.readings:
        parts = [number for part in reading for number in _told(part, answers)]
        if all(parts):
            known = tuple(number for number in parts if number is not None)
            slacks = [number.slack for number in known]
            # Independent noise adds up in quadrature; changes that are bounded add up at worst.
            slack = hypot(*slacks) if lane is Lane.PRIVATE else sum(slacks)
            return Result(tuple(answers), known, Number(sum((n.value for n in known), Fraction(0)), slack))
    return Result(tuple(answers))


def _told(part: Part, answers: Sequence[Answer]) -> Iterable[Number | None]:
    """Signed; a single None where a number is missing."""
    numbers = answers[part.question].numbers
    if part.cell is None:
        found: list[Number | None] = list(numbers.values()) or [None]
    else:
        found = [numbers.get(part.cell)]
    return [None if n is None else Number(part.sign * n.value, n.slack) for n in found]
