"""How many records may be told of. Pure."""

from __future__ import annotations

DIGITS = 2


def told(count: int) -> int:
    """`count` to two significant digits, and to tens at least: 4,837 becomes 4,800, and 62 becomes 60.

    Whoever knows everybody else's records learns from an exact count whether somebody is among them; from a rounded
    one only where the count stands at the very edge of a step.
    """
    step = int(10 ** max(1, len(str(count)) - DIGITS))
    return step * ((count + step // 2) // step)
