"""Rounding of what is published. Exact decimal arithmetic, so the same cell always gives the same number."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

EXACT = Context(prec=76, rounding=ROUND_HALF_UP)
AVERAGE_DIGITS = 6  # significant digits of an average where sums are not rounded


def round_count(count: int, base: int) -> int:
    """`count` to the nearest multiple of `base`, halves up.

    Assumes: count >= 0, base >= 1.
    Guarantees: the result differs from the count by at most base / 2.
    Does not guarantee: protection by itself; it blurs what is left after the other rules.
    Source: Hundepool et al. (2012), section 5.4.2, conventional rounding.
    """
    return (2 * count + base) // (2 * base) * base


def round_sum(value: Decimal, digits: int) -> Decimal:
    """`value` to `digits` significant digits, halves away from zero; unchanged for digits = 0.

    Assumes: at most 38 digits.
    Guarantees: a relative change of at most 5 * 10^-digits; never more digits than the value had.
    Does not guarantee: that rounded parts add up to the rounded whole.
    Source: Hundepool et al. (2012), section 5.4.2, conventional rounding.
    """
    if digits == 0 or not value:
        return value
    place = value.adjusted() - digits + 1
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and place <= exponent:
        return value
    return value.quantize(Decimal((0, (1,), place)), context=EXACT)


def average(total: Decimal, count: int, digits: int) -> float | None:
    """Published sum / published count, to `digits` significant digits; None where the count rounds to 0.

    Assumes: both numbers are as published.
    Guarantees: tells nothing that the two published numbers do not tell.
    Does not guarantee: closeness to the true mean: it carries the rounding of both.
    Source: derived from published values, as OpenSAFELY asks for rates.
    """
    if count == 0:
        return None
    return float(round_sum(EXACT.divide(total, Decimal(count)), digits or AVERAGE_DIGITS))
