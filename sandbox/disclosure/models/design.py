"""Dimensions as a design matrix, and the guards that regressions share. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from audit.refusals import Refused
from audit.wording import say
from sandbox.disclosure.models.reading import Floats, levels

INTERCEPT = ""  # the coefficient of no dimension: the reference of all


@dataclass(frozen=True, slots=True)
class Design:
    """Dummy coding: a column of ones, then one column for each value of a dimension but its first, the reference."""

    matrix: Floats  # lines by parameters
    terms: tuple[tuple[str, str], ...]  # (dimension, value) of each parameter; the first is the intercept
    references: tuple[tuple[str, str], ...]  # the value of each dimension that the others are compared with


@dataclass(frozen=True, slots=True)
class Coefficient:
    dimension: str
    value: str
    estimate: float
    error: float | None  # standard error; None where the table cannot tell


@dataclass(frozen=True, slots=True)
class Fit:
    coefficients: tuple[Coefficient, ...]
    references: tuple[tuple[str, str], ...]
    cells: int


def design(table: pa.Table, dimensions: Sequence[str]) -> Design:
    """Raises: Refused models.column; models.parameters where there are more parameters than lines."""
    if len(set(dimensions)) < len(dimensions):
        raise Refused("models.column", say("Choose two different dimensions."))
    columns, terms, references = [np.ones(table.num_rows)], [(INTERCEPT, "")], []
    for dimension in dimensions:
        values, places = levels(table, dimension)
        references.append((dimension, values[0]))
        for place, value in enumerate(values[1:], start=1):
            columns.append((places == place).astype(np.float64))
            terms.append((dimension, value))
    check_size(len(columns), table.num_rows)
    return Design(np.column_stack(columns), tuple(terms), tuple(references))


def check_size(parameters: int, cells: int) -> None:
    if parameters > cells:
        reason = say(
            "The model has %(parameters)d coefficients, the table only %(cells)d cells: take fewer dimensions.",
            parameters=parameters,
            cells=cells,
        )
        raise Refused("models.parameters", reason)


def inverse(information: Floats) -> Floats:
    """Of a symmetric matrix. Raises: Refused("models.singular") unless it is safely positive definite."""
    sizes = np.sqrt(np.maximum(np.diag(information), 0.0))
    if np.all(sizes > 0):
        scaled = information / np.outer(sizes, sizes)
        if np.linalg.eigvalsh(scaled)[0] > 1e-9:
            return np.asarray(np.linalg.inv(scaled) / np.outer(sizes, sizes))
    reason = say("The counts do not tell the coefficients apart: take fewer dimensions or coarser values.")
    raise Refused("models.singular", reason)


def fit_of(found: Design, estimates: Floats, covariance: Floats | None) -> Fit:
    errors = [None] * len(estimates) if covariance is None else np.sqrt(np.diag(covariance)).tolist()
    rows = zip(found.terms, estimates.tolist(), errors, strict=True)
    coefficients = tuple(Coefficient(*term, estimate, error) for term, estimate, error in rows)
    return Fit(coefficients, found.references, len(found.matrix))
