"""An invented register of enterprises, and ways to subtract one of them out of it. Pure.

The register has 400 enterprises in 3 districts, 4 sectors and 3 sizes with the electricity that each used in a month.
It is drawn from a fixed seed: it is the same in every process, and is stored nowhere. In each sector of a district one
enterprise is large; these twelve are the targets that a reader may choose from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa

from catalog.schema import ColumnType
from contracts.policy.terms import (
    Aggregate,
    ColumnRole,
    ColumnTerm,
    DatasetTerm,
    DisclosureTerms,
    Lane,
    Level,
    PrivacyTerms,
    Terms,
)

SEED = 20260401
# Of the secret keys. In the perturbed lane a difference may be right by chance, which nobody who asks can tell; these
# keys are some with which none of the 48 on the page is, so that no reader takes luck for a leak.
KEYS_SEED = 21
ENTERPRISES = 400
TABLE = "electricity"
DISTRICTS = ("east", "south", "west")
SECTORS = ("food", "retail", "software", "steel")
SIZES = ("small", "medium", "large")
USES = {"small": (2, 12), "medium": (10, 30), "large": (45, 120)}  # MWh a month, from and below
MEDIUM = 13  # enterprises of each sector of a district; one is large, the others are small
MOST = 200  # MWh of one enterprise that count in the private lane
TIMES = 100  # that one question is asked again


class Attack(StrEnum):
    VERSIONS = "versions"  # the target has left the register since: the total before less the total after
    CELLS = "cells"  # the target has no sector on record: the total less the published sectors
    AGAIN = "again"  # a total with and one without the target, each asked many times
    NARROW = "narrow"  # grouped by more and more, until the target is alone in its cell


@dataclass(frozen=True, slots=True)
class Enterprise:
    number: int
    district: str
    sector: str
    size: str
    mwh: int

    @property
    def name(self) -> str:
        return f"{self.number:03}"


Cell = tuple[str, ...]  # a value for each dimension of the question


@dataclass(frozen=True, slots=True)
class Question:
    """`version`: of the register, 0 or 1. `times`: how often it is asked, each time under another label."""

    sql: str
    version: int = 0
    times: int = 1

    @property
    def texts(self) -> Iterator[str]:
        yield self.sql
        for n in range(2, self.times + 1):
            yield self.sql.replace(" AS mwh", f" AS mwh_{n}")


@dataclass(frozen=True, slots=True)
class Part:
    """What is added (or with `sign` -1 subtracted): one cell of an answer, or with None all of its cells."""

    question: int
    cell: Cell | None = None
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """`readings`: sums that come to the target's value where all their numbers are told; the first such is taken."""

    questions: tuple[Question, ...]
    readings: tuple[tuple[Part, ...], ...]
    versions: tuple[pa.Table, ...]


@cache
def register() -> tuple[Enterprise, ...]:
    rng = np.random.default_rng(SEED)
    numbers = iter(rng.permutation(ENTERPRISES) + 1)
    kinds = list(product(DISTRICTS, SECTORS))
    found: list[Enterprise] = []
    for i, (district, sector) in enumerate(kinds):
        share = ENTERPRISES // len(kinds) + (i < ENTERPRISES % len(kinds))
        sizes = ["large"] + ["medium"] * MEDIUM + ["small"] * (share - MEDIUM - 1)
        found += [
            Enterprise(int(next(numbers)), district, sector, size, int(rng.integers(*USES[size])))
            for size in sizes
        ]
    return tuple(sorted(found, key=lambda one: one.number))


@cache
def targets() -> dict[str, Enterprise]:
    """By name: those that stand out, as the large one of its sector in a district does."""
    return {one.name: one for one in register() if one.size == "large"}


def plan(attack: Attack, target: Enterprise) -> Plan:
    makers = {
        Attack.VERSIONS: _versions,
        Attack.CELLS: _cells,
        Attack.AGAIN: _again,
        Attack.NARROW: _narrow,
    }
    return makers[attack](target)


def _versions(target: Enterprise) -> Plan:
    total = f"SELECT SUM(mwh) AS mwh\nFROM {TABLE}"  # every name here is a constant
    after = [one for one in register() if one != target]
    return Plan(
        (Question(total, 0), Question(total, 1)),
        ((Part(0), Part(1, sign=-1)),),
        (_extract(register()), _extract(after)),
    )


def _cells(target: Enterprise) -> Plan:
    within = f"FROM {TABLE}\nWHERE district = '{target.district}'"
    listed = ", ".join(f"'{sector}'" for sector in SECTORS)
    unknown = [one if one != target else None for one in register()]
    return Plan(
        (
            Question(f"SELECT SUM(mwh) AS mwh\n{within}"),
            Question(
                f"SELECT sector, SUM(mwh) AS mwh\n{within}\n  AND sector IN ({listed})\nGROUP BY sector"
            ),
        ),
        ((Part(0), Part(1, sign=-1)),),
        (_extract([one or replace(target, sector="") for one in unknown]),),
    )


def _again(target: Enterprise) -> Plan:
    all_sizes = (
        f"SELECT SUM(mwh) AS mwh\nFROM {TABLE}\n"
        f"WHERE district = '{target.district}'\n  AND sector = '{target.sector}'"
    )
    others = f"{all_sizes}\n  AND size IN ('small', 'medium')"
    return Plan(
        (Question(all_sizes, times=TIMES), Question(others, times=TIMES)),
        ((Part(0), Part(1, sign=-1)),),
        (_extract(register()),),
    )


def _narrow(target: Enterprise) -> Plan:
    within = f"FROM {TABLE}\nWHERE district = '{target.district}'"
    sizes = [Part(2, (target.sector, size), sign=-1) for size in SIZES if size != target.size]
    return Plan(
        (
            Question(f"SELECT SUM(mwh) AS mwh\n{within}"),
            Question(f"SELECT sector, SUM(mwh) AS mwh\n{within}\nGROUP BY sector"),
            Question(f"SELECT sector, size, SUM(mwh) AS mwh\n{within}\nGROUP BY sector, size"),
        ),
        # Where the cell itself is withheld: its sector less the sector's other sizes.
        ((Part(2, (target.sector, target.size)),), (Part(1, (target.sector,)), *sizes)),
        (_extract(register()),),
    )


def _extract(enterprises: tuple[Enterprise, ...] | list[Enterprise]) -> pa.Table:
    """As a published extract is built: pseudonyms, dense codes, secret record keys."""
    rng = np.random.default_rng(KEYS_SEED)
    secret = rng.integers(0, 2**64, (2, ENTERPRISES + 1), dtype=np.uint64)
    numbers = [one.number for one in enterprises]
    columns = {
        "enterprise": secret[0][numbers],
        "_unit": np.arange(len(numbers), dtype=np.int32),
        "_record_key": secret[1][numbers],
        "mwh": np.array([one.mwh for one in enterprises], dtype=np.int64),
    }
    for name in ("district", "sector", "size"):
        columns[name] = pa.array([getattr(one, name) or None for one in enterprises], pa.string())
    return pa.table(columns)


@cache
def terms_in(lane: Lane) -> Terms:
    """A contract over the register with all numbers in one lane and every limit as it is when nobody changes it."""
    kind, role = ColumnType, ColumnRole
    dimensions = (("district", DISTRICTS), ("sector", SECTORS), ("size", SIZES))
    dataset = DatasetTerm(
        "invented-register",
        TABLE,
        (
            ColumnTerm("enterprise", kind.TEXT, role.UNIT),
            *(
                ColumnTerm(name, kind.TEXT, role.DIMENSION, values, level=Level.UNIT)
                for name, values in dimensions
            ),
            ColumnTerm("mwh", kind.INTEGER, role.MEASURE, (), (Aggregate.SUM,), lane=lane, high=MOST),
        ),
        lane=lane,
        budget=PrivacyTerms().contract_budget,
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Terms(
        assigners=("provider",), assignee="enterprise", purpose="", scenario="", datasets=(dataset,), joins=(),
        disclosure=DisclosureTerms(), max_runs=1, valid_from=start, valid_until=start.replace(year=2027),
        retention_days=1, privacy=PrivacyTerms(),
    )  # fmt: skip
