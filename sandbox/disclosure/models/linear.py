"""Linear regression of a measure on dimensions, from sums and counts of each cell. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sandbox.disclosure.models.design import Design, Fit, design, fit_of, inverse
from sandbox.disclosure.models.reading import Floats, numbers


def linear_regression(
    table: pa.Table,
    dimensions: Sequence[str],
    total: str,
    count: str,
    noise_total: float = 0.0,
    noise_count: float = 0.0,
) -> Fit:
    """Least squares of cell means, weighted by counts: the coefficients that single rows would give.

    `total` and `count` name the sum of the measure and the rows that have a value of it. The normal equations need
    sums and counts alone, so nothing is divided and noise leaves them unbiased; large noise still draws the estimates
    towards 0, as errors in variables do.

    Error: noise of sums and counts plus the spread of rows about the model, which is taken from how cells miss it
    beyond their noise. With as many parameters as cells nothing misses: then it is the noise alone, or None
    without noise.
    Source: weighted least squares with a sandwich covariance (White 1980).
    Raises: Refused models.column, models.withheld, models.parameters, models.singular.
    """
    found = design(table, dimensions)
    sums, counts = numbers(table, total), numbers(table, count)
    bread = inverse(found.matrix.T @ (counts[:, None] * found.matrix))
    estimates = bread @ found.matrix.T @ sums
    fitted = found.matrix @ estimates
    noise = noise_total**2 + (fitted * noise_count) ** 2
    spread = _spread(found, bread, sums - counts * fitted, counts, noise)
    if spread is None and not np.any(noise):
        return fit_of(found, estimates, None)
    meat = found.matrix.T @ ((np.maximum(counts, 0.0) * (spread or 0.0) + noise)[:, None] * found.matrix)
    return fit_of(found, estimates, bread @ meat @ bread)


def _spread(found: Design, bread: Floats, residuals: Floats, counts: Floats, noise: Floats) -> float | None:
    """Variance of rows about the model, by the method of moments over cells that hold rows; None where it is saturated.

    A cell's residual sum has variance counts * spread + noise, less what the fit takes up (its leverage).
    """
    full = counts > max(1e-9, 1e-9 * float(counts.max()))
    free = int(full.sum()) - found.matrix.shape[1]
    if free <= 0:
        return None
    leverage = counts * np.einsum("ij,jk,ik->i", found.matrix, bread, found.matrix)
    missed = residuals[full] ** 2 - np.maximum(0.0, 1 - leverage[full]) * noise[full]
    return float(max(0.0, np.sum(missed / counts[full]) / free))
