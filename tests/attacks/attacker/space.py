"""The product's way of a question without web, queue and jail: its own pure functions in the worker's order.

guard → contract (every limit) → ledger (one answer for one question) → generated SQL in DuckDB → disclosure rules →
comparison with earlier answers → arrangement. What a web request adds is tested against this in `test_attacker`: the
same questions over HTTP have the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from audit.refusals import Refused
from contracts.policy.constraints import enforce
from contracts.policy.facts import Action, Facts
from contracts.policy.terms import Lane, Terms
from sandbox.answers import answer_key
from sandbox.disclosure import arrange, protect
from sandbox.disclosure.linked import Linked, linked
from sandbox.disclosure.linked import Told as Answered
from sandbox.disclosure.memory import MAX_PAIRS, Remembered, candidates
from sandbox.disclosure.private.accounting import charge_of
from sandbox.engines import generate, overlap
from sandbox.guard import AggregateQuery, bare, check_sql, lane_of
from sandbox.spec import ExtractRef
from sandbox.uses import uses_of
from tests.attacks.attacker.questions import Told

Check = Callable[[str, Terms], AggregateQuery]
RELEASED, NOT_RELEASABLE = "released", "not_releasable"


@dataclass
class Kept:
    """A row of the ledger. `table` is None where the answer was refused."""

    query: AggregateQuery
    terms: Terms
    lane: Lane
    charge: int
    version: int
    accounts: set[str] = field(default_factory=set)
    table: pa.Table | None = None
    outline: pa.Table | None = None
    evidence: pa.Table | None = None


class Space:
    """`versions`: the extracts of the one dataset, in turn; `contracts`: what each account has signed."""

    def __init__(self, versions: Sequence[pa.Table], contracts: Mapping[str, Terms]) -> None:
        self.versions, self.contracts = versions, contracts
        self.version = 0
        self.ledger: dict[str, Kept] = {}
        self.runs = dict.fromkeys(contracts, 0)

    def publish(self) -> None:
        self.version += 1

    def ask(self, text: str, account: str = "one") -> Told:
        terms = self.contracts[account]
        try:
            query = _checked(text, terms)
            kept = self._asked(query, terms, account)
        except Refused as refused:
            return Told(refused.code)
        if kept.table is None:
            return Told(NOT_RELEASABLE)
        return Told(RELEASED, tuple(arrange(kept.table, query, terms).to_pylist()))

    def _asked(self, query: AggregateQuery, terms: Terms, account: str) -> Kept:
        """Raise Refused before any data is read; otherwise the ledger's row, answered or refused for good."""
        question = _bare(query, terms)
        lane = lane_of(question, terms)
        key = answer_key(question, terms, lane, [self._ref(terms)])
        kept = self.ledger.get(key)
        charge = charge_of(question, terms) if lane is Lane.PRIVATE and kept is None else 0
        self._decide(query, terms, account, key, lane, charge)
        if kept is None or kept.table is None:
            self.runs[account] += 1
        if kept is None:
            kept = self.ledger[key] = Kept(question, terms, lane, charge, self.version)
            self._answer(kept)
        kept.accounts.add(account)
        return kept

    def _ref(self, terms: Terms) -> ExtractRef:
        dataset = terms.datasets[0]
        number = str(self.version)
        return ExtractRef(dataset.name, dataset.uid, number, self.version, 0, number, number)

    def _decide(
        self, query: AggregateQuery, terms: Terms, account: str, key: str, lane: Lane, charge: int
    ) -> None:
        used, joined = uses_of(query, terms)
        mine = [k for name, k in self.ledger.items() if account in k.accounts and name != key]
        tables = [k for k in mine if k.lane is Lane.TABLE]
        facts = Facts(
            action=Action.SUBMIT, now=_within(terms), consumer=terms.assignee, purpose=terms.purpose,
            scenario=terms.scenario, runs_used=self.runs[account], used=used, joined=joined, lane=lane, charge=charge,
            scripted=False,
            answers=sum(k.table is not None for k in tables), refusals=sum(k.table is None for k in tables),
            spent=sum(k.charge for k in mine),
            spent_on=((terms.datasets[0].uid, sum(k.charge for k in self.ledger.values())),),
        )  # fmt: skip
        violations = enforce(terms, facts)
        if violations and not (key in self.ledger and violations[0].code == "contract.quota"):
            raise Refused(violations[0].code, violations[0].reason)

    def _answer(self, kept: Kept) -> None:
        now = {kept.terms.datasets[0].name: self.versions[self.version]}
        raw = run(_sql(kept.query, kept.terms), now)
        protected = protect(raw, kept.query, kept.terms)
        if kept.lane is Lane.TABLE:
            kept.outline, kept.evidence = run(_outline(kept.query, kept.terms), now), protected.evidence
            new = Remembered(kept.query, kept.terms, protected.table, kept.outline)
            given = [old for old in self.ledger.values() if old.table is not None]
            if any(self._too_close(new, old) for old in given) or self._tell_together(
                kept, protected.table, given
            ):
                return
        kept.table = protected.table

    def _tell_together(self, kept: Kept, table: pa.Table, given: Sequence[Kept]) -> bool:
        """The linked audit, as the worker asks it."""
        new = _answered(kept, table)
        same = [_answered(old, old.table) for old in given if old.version == kept.version]
        beside = [old for old in same if linked(new.query, old.query)]
        if not beside:
            return False
        audit = Linked(new, beside)
        if audit.too_large:
            return True
        return not audit.verdict(
            run(audit.sql, {kept.terms.datasets[0].name: self.versions[self.version]})
        ).safe

    def _too_close(self, new: Remembered, earlier: Kept) -> bool:
        assert earlier.table is not None and earlier.outline is not None  # noqa: PT018
        old = Remembered(earlier.query, earlier.terms, earlier.table, earlier.outline)
        pairs = candidates(new, old)
        if not pairs or len(pairs) > MAX_PAIRS:
            return bool(pairs)
        name = new.terms.datasets[0].name
        both = {name: self.versions[self.version], overlap.EARLIER + name: self.versions[earlier.version]}
        found = run(overlap.differences(new.query, new.terms, old.query, old.terms, pairs), both)
        return any(0 < units < max(new.k, old.k) for units in found.column("units").to_pylist())


# What is pure is worked out once for all games. A switch that changes one of these calls `forget`.
@cache
def _checked(text: str, terms: Terms) -> AggregateQuery:
    return check_sql(text, terms)


@cache
def _bare(query: AggregateQuery, terms: Terms) -> AggregateQuery:
    return bare(query, terms)


@cache
def _sql(query: AggregateQuery, terms: Terms) -> str:
    return generate(query, terms)


@cache
def _outline(query: AggregateQuery, terms: Terms) -> str:
    return overlap.outline(query, terms)


def forget() -> None:
    for known in (_checked, _bare, _sql, _outline):
        known.cache_clear()


def run(sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    engine = _engine()
    for name, table in tables.items():
        engine.register(name, table)
    return engine.sql(sql).to_arrow_table()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    config: dict[str, Any] = {"threads": 1}
    return duckdb.connect(config=config)


def _within(terms: Terms) -> datetime:
    return terms.valid_from


def _answered(kept: Kept, table: pa.Table | None) -> Answered:
    assert table is not None
    return Answered(kept.query, kept.terms, table, kept.evidence)
