"""The discrete Gaussian mechanism on vectors of bounded sums. The only place where noise is drawn.

Noise is OpenDP's: whole numbers from its cryptographic generator by exact rational arithmetic, nothing seeded and no
floating point near the data. The scale is ours, so before a draw the library's own privacy map must agree.
"""

from __future__ import annotations

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

from audit.wording import say
from sandbox.disclosure.private.accounting import MICRO
from sandbox.disclosure.private.mechanism import Mechanism
from sandbox.guard.problems import refuse

dp.enable_features("contrib")  # every mechanism of the library asks for this word


def release(cells: NDArray[np.int64], mechanism: Mechanism) -> NDArray[np.int64]:
    """`cells` (in steps) with noise. Sums beyond 64 bits stay at the end of the range: no sum gets there.

    Raises: Refused("private.noise") where the library's map says that the noise would not do.
    """
    measurement = _measurement(mechanism.scale)
    lost: float = measurement.map(d_in=mechanism.sensitivity)  # type: ignore[no-untyped-call]
    if not lost <= mechanism.micro_rho / MICRO:
        raise refuse("private.noise", say("The noise would not keep the budget; nothing is released."))
    return np.asarray(measurement(cells.tolist()), dtype=np.int64)


def _measurement(scale: float) -> dp.Measurement:
    """Vectors of 64-bit integers, L2 distance, zero-concentrated divergence."""
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    return dp.m.make_gaussian(domain, dp.l2_distance(T="f64"), scale=scale)
