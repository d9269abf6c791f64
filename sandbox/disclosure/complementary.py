"""Secondary suppression: withhold more cells until no known total tells a withheld one. Pure.

A table's totals are treated as known whether or not the table shows them, because another query of the same
contract can ask for them. Such a query is protected too, so the totals that count as known are those that
the same rules would publish in the table of totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from sandbox.disclosure.findings import Key
from sandbox.disclosure.grid import ZERO, Contribution, Grid, Group

TOLERANCE = 1e-8  # of a squared projection between 0 and 1 of 0/1 vectors
Total = tuple[Key, ...]  # the non-empty cells that a total adds up


@dataclass(frozen=True, slots=True)
class Rules:
    """`breaks`: a cell must be withheld. `tells`: the sum over a total's withheld cells must not be known."""

    breaks: Callable[[Contribution], bool]
    tells: Callable[[Group], bool]


@dataclass(frozen=True, slots=True)
class Suppression:
    """`primary` cells break a rule, `added` ones protect them, `exposed` ones totals tell all the same."""

    primary: frozenset[Key]
    added: frozenset[Key]
    exposed: frozenset[Key]

    @property
    def withheld(self) -> frozenset[Key]:
        return self.primary | self.added


def suppress(grid: Grid, rules: Rules) -> Suppression:
    """Choose further cells to withhold, greedily, then verify.

    Assumes: empty cells are known to be empty, so they hide nothing; in the table of totals different cells
        have different contributors.
    Guarantees: unless listed in `exposed`, no primary cell follows exactly from the published cells and the
        known totals over any set of dimensions; and each known total less its published cells is a group
        that tells nothing, unless all its cells are withheld. The choice depends on the arguments alone.
    Does not guarantee: the fewest possible cells; that a withheld cell cannot be estimated within a narrow
        interval by totals and non-negativity; anything about tables with other filters or dimensions; that
        a total of contributions of both signs, counted as withheld, is withheld.
    Source: Hundepool et al. (2012), section 4.4; from coarse to fine as in HITAS, de Wolf (2002); exact
        disclosure as membership in the row space of the totals: Gusfield (SIAM J. Comput. 17, 1988).
    """
    primary = frozenset(key for key, cell in grid.cells.items() if rules.breaks(cell))
    if not primary:
        return Suppression(primary, frozenset(), frozenset())
    search = _Search(grid, primary, known_totals(grid, rules), rules)
    while search.mend_totals() or search.mend_exposed():
        pass
    return Suppression(primary, frozenset(search.withheld) - primary, search.exposed())


def known_totals(grid: Grid, rules: Rules) -> list[Total]:
    """The totals over one or more dimensions that the same rules would publish, coarse ones by recursion."""
    axes = [axis for axis, size in enumerate(grid.shape) if size > 1]
    found: dict[Total, None] = {}
    for count in range(1, len(axes) + 1):
        for summed in combinations(axes, count):
            coarse, lines = collapse(grid, summed)
            withheld = suppress(coarse, rules).withheld
            found |= {line: None for key, line in sorted(lines.items()) if key not in withheld}
    return list(found)


def collapse(grid: Grid, summed: tuple[int, ...]) -> tuple[Grid, dict[Key, Total]]:
    """The table of totals over the dimensions `summed`, and the cells under each of its cells."""
    kept = [axis for axis in range(len(grid.shape)) if axis not in summed]
    lines: dict[Key, list[Key]] = {}
    for key in sorted(grid.cells):
        lines.setdefault(tuple(key[axis] for axis in kept), []).append(key)
    cells = {key: _merged(key, [grid.cells[k] for k in line]) for key, line in lines.items()}
    shape = tuple(grid.shape[axis] for axis in kept)
    return Grid(shape, cells), {key: tuple(line) for key, line in lines.items()}


def _merged(key: Key, parts: list[Contribution]) -> Contribution:
    kept = max(len(part.largest) for part in parts)
    largest = sorted((size for part in parts for size in part.largest), reverse=True)[:kept]
    return Contribution(
        key,
        sum(part.units for part in parts),
        sum(part.rows for part in parts),
        sum((part.total for part in parts), ZERO),
        sum((part.absolute for part in parts), ZERO),
        tuple(largest),
    )


class _Search:
    """Grows the set of withheld cells of one table until its known totals tell nothing."""

    def __init__(self, grid: Grid, primary: frozenset[Key], known: list[Total], rules: Rules) -> None:
        self.grid, self.primary, self.known, self.rules = grid, primary, known, rules
        self.withheld: set[Key] = set()
        self.of_cell: dict[Key, list[int]] = {key: [] for key in grid.cells}
        for i, total in enumerate(known):
            for key in total:
                self.of_cell[key].append(i)
        self.gaps = [0] * len(known)  # how many cells of each total are withheld
        for key in primary:
            self._withhold(key)

    def mend_totals(self) -> bool:
        """Withhold one more cell under each total whose remainder tells something. True where any was added."""
        before = len(self.withheld)
        for i, total in enumerate(self.known):
            if 0 < self.gaps[i] < len(total) and self.rules.tells(self._remainder(total)):
                self._withhold_one(total)
        return len(self.withheld) > before

    def mend_exposed(self) -> bool:
        """Withhold one more cell for each exposed one, near it if there is one. True where any was added."""
        before = len(self.withheld)
        for key in sorted(self.exposed()):
            near = tuple(other for i in self.of_cell[key] for other in self.known[i])
            if not self._withhold_one(near):
                self._withhold_one(tuple(k for total in self._touched() for k in total))
        return len(self.withheld) > before

    def _touched(self) -> Iterator[Total]:
        return (total for total, gaps in zip(self.known, self.gaps, strict=True) if gaps)

    def _remainder(self, total: Total) -> tuple[Contribution, ...]:
        return tuple(self.grid.cells[key] for key in total if key in self.withheld)

    def _withhold(self, key: Key) -> None:
        self.withheld.add(key)
        for i in self.of_cell[key]:
            self.gaps[i] += 1

    def _withhold_one(self, candidates: Total) -> bool:
        """Withhold the published candidate that costs least: fewest new gaps, then fewest contributors."""
        shown = [key for key in candidates if key not in self.withheld]
        if shown:
            self._withhold(min(shown, key=self._cost))
        return bool(shown)

    def _cost(self, key: Key) -> tuple[int, int, Key]:
        new_gaps = sum(self.gaps[i] == 0 for i in self.of_cell[key])
        return new_gaps, self.grid.cells[key].units, key

    def exposed(self) -> frozenset[Key]:
        return exposed(self.known, self.withheld) & self.primary


def exposed(known: list[Total], withheld: set[Key]) -> frozenset[Key]:
    """The withheld cells whose value follows exactly from the known totals and the published cells.

    Cell j follows exactly when its unit vector lies in the row space of the equations, that is, when its
    squared projection onto that space is 1.
    """
    cells = sorted(withheld)
    place = {key: i for i, key in enumerate(cells)}
    rows = {tuple(place[key] for key in total if key in withheld) for total in known}
    rows.discard(())
    if not rows:
        return frozenset()
    matrix = np.zeros((len(rows), len(cells)))
    for i, row in enumerate(sorted(rows)):
        matrix[i, list(row)] = 1.0
    _, sizes, space = np.linalg.svd(matrix, full_matrices=False)
    space = space[sizes > TOLERANCE * sizes[0]]
    told = np.square(space).sum(axis=0) > 1 - TOLERANCE
    return frozenset(cells[i] for i in np.flatnonzero(told))


def all_cells(shape: tuple[int, ...]) -> Iterator[Key]:
    """Every cell of the declared grid, in order; one cell, (), without dimensions."""
    return product(*(range(size) for size in shape))
