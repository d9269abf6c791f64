"""Which published values to withhold beside one that is known too closely. Pure.

Source: Kelly, Golden and Assad, Cell suppression: disclosure protection for sensitive tabular data (Networks 22,
1992): the cheapest move of all cells, totals kept, that carries the cell as far as it must be able to go.
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np

from sandbox.disclosure.attacker import DUAL, FAR, Room, Sums, grain_of, in_grains, solver_for

MOVES = 1e-6  # grains; less is noise


def company(
    rooms: Sequence[Room],
    rows: Sequence[Sequence[int]],
    costs: Sequence[float],
    parts: Sequence[int],
    amount: int,
) -> list[int] | None:
    """The unknowns with a cost that move so that the sum of `parts` rises by `amount`, or falls if negative.

    Assumes: `rows` are the sums that must stay; `costs`, per smallest unit moved, are 0 for what is withheld.
    Guarantees: the choice depends on the arguments alone. None: there is no such move, whatever is withheld.
    Does not guarantee: the fewest unknowns, nor that rounding did not hide a need: audit again.
    """
    count = len(rooms)
    grain = grain_of(abs(amount))
    down, up = np.array([in_grains(room, grain) for room in rooms], dtype=float).reshape(count, 2).T
    groups = [*rows, parts]
    both = Sums([[*group, *(count + place for place in group)] for group in groups])  # rises, then falls
    signs = np.concatenate([np.repeat((1.0, -1.0), len(group)) for group in groups])
    solver = solver_for(2 * count, both, signs, DUAL)
    columns = np.arange(2 * count, dtype=np.int32)
    solver.changeColsBounds(2 * count, columns, np.zeros(2 * count), np.concatenate((up, down)))
    solver.changeColsCost(2 * count, columns, np.concatenate((costs, costs)))
    far = min(FAR, -(-abs(amount) // grain)) * (1 if amount > 0 else -1)
    solver.changeRowBounds(len(rows), float(far), float(far))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    found = np.array(solver.getSolution().col_value)
    moved = (found[:count] > MOVES) | (found[count:] > MOVES)
    return [int(i) for i in np.flatnonzero(moved & (np.array(costs) > 0))]
