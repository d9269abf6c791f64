"""What the attacker makes of numbers: the likelihood ratio of its two worlds, everything linear taken together.

Each published number is a sum over rows that the attacker knows, or knows up to the crowd's values, plus an error of
known variance (rounding, change or noise). Under either world the numbers are taken for normal with the same covariance,
so the ratio is linear in them, and whatever a difference, a tracker or an average could tell is in it: a strategy only
has to choose the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np

from contracts.policy.terms import Lane, Terms
from sandbox.disclosure.cell_key.tables import DEVIATION
from sandbox.disclosure.private.mechanism import mechanisms_of
from sandbox.engines.bounding import Kind
from sandbox.guard import bare, check_sql
from tests.attacks.attacker.questions import ROWS, SUM, UNITS, Question, Told
from tests.attacks.attacker.worlds import Frame, Game, Mask

_KINDS = {SUM: Kind.SUM, ROWS: Kind.ROWS, UNITS: Kind.UNITS}
_TINY = 1e-6  # so that a repeated exact number does not make the covariance singular


@dataclass(frozen=True)
class Number:
    """One published number: what it should be in either world, whose values it holds, and its error's variance."""

    value: float
    expected: tuple[float, float]
    crowd: tuple[int, ...]  # units of the crowd, with repetitions for their rows
    variance: float


def numbers(game: Game, version: int, question: Question, told: Told, terms: Terms) -> list[Number]:
    worlds, crowds = game.versions[version], game.crowd[version]
    lane = terms.datasets[0].lane
    found = {tuple(row[name] for name in question.by): row for row in told.rows}
    pairs = zip(question.cells(worlds[0]), question.cells(worlds[1]), strict=True)
    result = []
    for (cell, rows), (_same, others) in pairs:
        total = None in cell
        if cell not in found or (total and lane is not Lane.PERTURBED):
            continue
        for measure in question.measures:
            value = found[cell][measure]
            if value is None:
                continue
            expected = tuple(_true(measure, w, r) for w, r in zip(worlds, (rows, others), strict=True))
            unknown = worlds[0].unit[rows & crowds[0]] if measure == SUM else np.array([], int)
            variance = _variance(measure, worlds[1], others, float(value), question, terms)  # type: ignore[arg-type]
            result.append(Number(float(value), expected, tuple(unknown.tolist()), variance))  # type: ignore[arg-type]
    return result


def score(found: Sequence[Number], spread: float) -> float:
    """Above 0 for the second world, below 0 for the first, 0 where the numbers tell nothing."""
    shift = np.array([n.expected[1] - n.expected[0] for n in found])
    if not shift.any():
        return 0.0
    middle = np.array([sum(n.expected) / 2 for n in found])
    members = sorted({unit for n in found for unit in n.crowd})
    place = {unit: i for i, unit in enumerate(members)}
    incidence = np.zeros((len(found), len(members)))
    for i, number in enumerate(found):
        for unit in number.crowd:
            incidence[i, place[unit]] += 1
    covariance = spread**2 * incidence @ incidence.T + np.diag([n.variance + _TINY for n in found])
    weights = np.linalg.solve(covariance, shift)
    return float(weights @ (np.array([n.value for n in found]) - middle))


def _true(measure: str, frame: Frame, rows: Mask) -> float:
    if measure == SUM:
        return float(frame.value[rows].sum())
    return float(rows.sum() if measure == ROWS else len(np.unique(frame.unit[rows])))


def _variance(
    measure: str, frame: Frame, rows: Mask, value: float, question: Question, terms: Terms
) -> float:
    lane, limits = terms.datasets[0].lane, terms.disclosure
    if lane is Lane.PRIVATE:
        mechanisms = mechanisms_of(bare(check_sql(question.text, terms), terms), terms)
        return next((m.scale * m.unit) ** 2 for m in mechanisms if m.statistic.kind is _KINDS[measure])
    if measure != SUM:
        return float(DEVIATION**2) if lane is Lane.PERTURBED else (limits.round_counts**2 - 1) / 12
    digits = limits.sum_digits
    rounding = 10 ** (floor(log10(abs(value))) - digits + 1) if digits and value else 1
    error = (rounding**2 - 1) / 12 if rounding > 1 else 0.0
    if lane is not Lane.PERTURBED:
        return error
    share = limits.p_percent * np.bincount(frame.unit[rows], frame.value[rows]).max(initial=0) / 100
    # The change is uniform on p to 2p % of the largest, either way: its mean square is 7/3 of p % squared.
    return error + (share**2 * 7 / 3 if share > DEVIATION else DEVIATION**2)
