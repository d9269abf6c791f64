"""Logistic regression of a two-valued dimension on other dimensions, from a table of counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from sandbox.disclosure.models.design import Design, Fit, check_size, design, fit_of, inverse
from sandbox.disclosure.models.reading import Floats, counts_by, levels

_ROUNDS: Final = 60
_CONVERGED: Final = 1e-10
_LARGEST: Final = 15.0  # log odds beyond one in three million: the counts separate the outcomes


def logistic_regression(
    table: pa.Table,
    outcome: str,
    success: str,
    dimensions: Sequence[str],
    count: str,
    noise: float = 0.0,
) -> Fit:
    """Log odds that `outcome` is `success` rather than its other value; counts below 0 are taken as 0.

    Maximum likelihood by iteratively reweighted least squares: the coefficients that single rows would give.
    Error: the inverse information, which says how rows scatter, plus the noise of the counts passed through the
    score equations (delta method). Cutting counts at 0 draws coefficients a little towards 0; that is not in it.
    Raises: Refused models.outcome, models.separated (some value decides the outcome), and as the others.
    """
    found, yes, no, lines = _successes(table, outcome, success, dimensions, count)
    estimates = _maximum(found, yes, no)
    chances = _chance(found.matrix @ estimates)
    bread = inverse(_information(found, yes + no, chances))
    scores = noise**2 * lines * ((1 - chances) ** 2 + chances**2)
    meat = found.matrix.T @ (scores[:, None] * found.matrix)
    return fit_of(found, estimates, bread + bread @ meat @ bread)


def _successes(
    table: pa.Table, outcome: str, success: str, dimensions: Sequence[str], count: str
) -> tuple[Design, Floats, Floats, int]:
    """The design over cells of `dimensions`, and in each how many are a success and how many not."""
    values, _ = levels(table, outcome)
    if len(values) != 2 or success not in values or outcome in dimensions:
        reason = say(
            '"%(label)s" must have two values, one of which is the outcome asked for.', label=outcome
        )
        raise Refused("models.outcome", reason)
    counts, lines = counts_by(table, (*dimensions, outcome), count)
    rows = list(np.ndindex(counts.shape[:-1]))
    texts = [levels(table, dimension)[0] for dimension in dimensions]
    columns = {d: pa.array([texts[i][row[i]] for row in rows], pa.string()) for i, d in enumerate(dimensions)}
    cells = pa.table({**columns, "": pa.nulls(len(rows))})  # no label is empty; a model may have no dimension
    pairs = np.maximum(counts.reshape(-1, 2), 0.0)
    place = values.index(success)
    return design(cells, dimensions), pairs[:, place], pairs[:, 1 - place], lines


def _maximum(found: Design, yes: Floats, no: Floats) -> Floats:
    """Newton's method; a step that lowers the likelihood is halved."""
    whole = yes + no
    check_size(found.matrix.shape[1], int(np.count_nonzero(whole)))
    estimates = np.zeros(found.matrix.shape[1])
    for _ in range(_ROUNDS):
        chances = _chance(found.matrix @ estimates)
        score = found.matrix.T @ (yes - whole * chances)
        step = inverse(_information(found, whole, chances)) @ score
        while _loss(found, yes, no, estimates + step) > _loss(found, yes, no, estimates) + _CONVERGED:
            step = step / 2
        estimates = estimates + step
        if np.max(np.abs(estimates)) > _LARGEST:
            break
        if np.max(np.abs(step)) < _CONVERGED:
            return estimates
    reason = say(
        "Some value decides the outcome alone in these counts: take coarser values or fewer dimensions."
    )
    raise Refused("models.separated", reason)


def _chance(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -40, 40))))


def _information(found: Design, whole: Floats, chances: Floats) -> Floats:
    return np.asarray(found.matrix.T @ ((whole * chances * (1 - chances))[:, None] * found.matrix))


def _loss(found: Design, yes: Floats, no: Floats, estimates: Floats) -> float:
    """The negative log likelihood."""
    odds = found.matrix @ estimates
    return float(yes @ np.logaddexp(0, -odds) + no @ np.logaddexp(0, odds))
