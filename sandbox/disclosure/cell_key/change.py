"""The change of one number: of a count by the stored table, of a sum by a share of its largest contribution. Pure."""

from __future__ import annotations

from decimal import Decimal

from sandbox.disclosure.cell_key.tables import DEVIATION, count_change, sum_part
from sandbox.disclosure.rounding import EXACT
from sandbox.engines.cell_keys import KEYS


def change(absolute: int, largest: int, key: int, percent: int) -> int:
    """The change of a number counted in its smallest steps: rows, units, or the last decimal of a column.

    `absolute` adds up the absolute contributions, `largest` is the largest of single contributors.
    Where p % of the largest is no more than the count table's standard deviation, that table masks it: so
    for units, for rows where nobody has many, and for sums of small whole numbers. Otherwise the change is
    p to 2p % of the largest, up or down.
    Assumes: 0 <= largest <= absolute, 0 <= key < 256, 1 <= percent <= 100.
    Guarantees: mean 0 over the keys. In the second case p % of largest <= |change| < 2p % of it + 1: even one
        who knows all other contributions misses the largest by p % or more, as the p % rule asks. The change
        takes no more than the number has, if it has at least 2p % of the largest, as sums that pass the
        p % rule have.
    Does not guarantee: that the largest contributor's presence is hidden in the second case, only the amount.
    Source: Thompson, Broadfoot and Elazar, Methodology for the automatic confidentialisation of statistical
        outputs from remote servers at the ABS (UNECE 2013): sums change by a share of the largest
        contributions, of a direction and size that the cell key draws; size bounded from below as by
        mu_c in the R package cellKey, Giessing and Tent (UNECE 2019).
    """
    percent = max(1, percent)
    if percent * largest <= 100 * DEVIATION:
        return count_change(absolute, key)
    part = sum_part(key)
    share = percent * (KEYS + abs(part))  # of 100 * KEYS
    size = -(-largest * share // (100 * KEYS))  # rounded up: exact, and never below p %
    return size if part > 0 else -size


def changed_sum(
    total: Decimal, absolute: Decimal, largest: Decimal, *, scale: int, key: int, percent: int
) -> Decimal:
    """`total` with its change; all three have at most `scale` decimals. Sums below zero mirror those above."""

    def steps(value: Decimal) -> int:
        return int(EXACT.scaleb(value, scale))

    moved = change(steps(absolute), steps(largest), key, percent)
    whole = steps(total) + (moved if total >= 0 else -moved)
    return EXACT.scaleb(Decimal(whole), -scale)
