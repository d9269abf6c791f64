"""Builds with one rule switched off: what to put in the place of what, for `monkeypatch`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sqlglot import exp

from contracts.policy.terms import Terms
from sandbox.disclosure.cell_key.tables import count_change
from sandbox.disclosure.complementary import Rules, Suppression
from sandbox.disclosure.grid import Grid
from sandbox.guard import AggregateQuery, check_sql
from tests.attacks.attacker import space
from tests.attacks.attacker.worlds import DATASET, UNIT

_random = np.random.default_rng(0)


def any_language(text: str, terms: Terms) -> AggregateQuery:
    """A guard that knows `<>` and lets the unit be filtered: `whom` is the unit as a dimension of the contract."""
    found = re.search(rf"{UNIT} <> '(\d+)'", text)
    dataset = terms.dataset(DATASET)
    whom = dataset.column("whom") if dataset else None
    if found and whom:
        others = ", ".join(repr(v) for v in whom.domain if v != found[1])
        text = text.replace(found[0], f"whom IN ({others})")
    return check_sql(text, terms)


def _primary_only(grid: Grid, rules: Rules) -> Suppression:
    found = frozenset(key for key, cell in grid.cells.items() if rules.breaks(cell))
    return Suppression(found, frozenset(), frozenset(), {})


def _nothing(*_args: Any, **_more: Any) -> tuple[()]:
    return ()


def _drawn_anew(count: int, key: int) -> int:
    return count_change(count, int(_random.integers(256)))


def _unlike(*_args: Any) -> str:
    return str(_random.integers(2**62))


def _plain(name: str, *_bounds: Any) -> exp.Expr:
    return exp.Coalesce(this=exp.column(name), expressions=[exp.Literal.number(0)])


_HERE = "tests.attacks.attacker.space"
_RULES = "sandbox.disclosure"
SWITCHES: dict[str, dict[str, Any]] = {
    "language": {f"{_HERE}.check_sql": any_language},
    "memory": {f"{_HERE}.candidates": lambda *_: [], "sandbox.worker.candidates": lambda *_, **__: []},
    "linked audit": {f"{_HERE}.linked": lambda *_: False},
    "complementary suppression": {f"{_RULES}.withholding.suppress": _primary_only},
    "k": {f"{_RULES}.withholding.too_few": _nothing, f"{_RULES}.perturbed.too_few": _nothing},
    "dominance": {f"{_RULES}.withholding.dominated": _nothing, f"{_RULES}.perturbed.dominated": _nothing},
    "change of counts": {f"{_RULES}.cell_key.change.count_change": lambda *_: 0, f"{_RULES}.perturbed.count_change": lambda *_: 0},
    "change of sums": {f"{_RULES}.perturbed.changed_sum": lambda total, *_a, **_k: total},
    "same people, same change": {f"{_RULES}.cell_key.change.count_change": _drawn_anew},
    "one answer for one question": {f"{_HERE}.answer_key": _unlike},
    "noise": {f"{_RULES}.private.answer.release": lambda cells, _mechanism: cells},
    "clamping": {"sandbox.engines.private_sql._clamped": _plain},
    "budget": {f"{_HERE}.enforce": _nothing},
}  # fmt: skip


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Switches rules of the product off, by name, until the test ends."""

    def switch(*names: str) -> None:
        for name in names:
            for path, other in SWITCHES[name].items():
                monkeypatch.setattr(path, other)
        space.forget()

    yield switch
    monkeypatch.undo()
    space.forget()
