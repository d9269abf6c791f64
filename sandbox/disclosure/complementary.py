"""Secondary suppression: withhold more cells until no known total tells a withheld one. Pure.

A table's totals are treated as known whether or not the table shows them, because another query of the same
contract can ask for them. Such a query is protected too, so the totals that count as known are those that
the same rules would publish in the table of totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from sandbox.disclosure.company import company
from sandbox.disclosure.findings import Key
from sandbox.disclosure.grid import ZERO, Contribution, Grid, Group
from sandbox.disclosure.intervals import Demand, Target, audit, too_large
from sandbox.disclosure.protection import Levels, Squeeze

Total = tuple[Key, ...]  # the non-empty cells that a total adds up


@dataclass(frozen=True, slots=True)
class Rules:
    """`breaks`: a cell must be withheld. `tells`: the sum over a total's withheld cells must not be known.

    `levels`: how closely those that break a rule may be known.
    """

    breaks: Callable[[Contribution], bool]
    tells: Callable[[Group], bool]
    levels: Callable[[Grid], Levels]


@dataclass(frozen=True, slots=True)
class Suppression:
    """`primary` cells break a rule, `added` ones protect them, `exposed` ones are known too closely all the same.

    `squeezes`: how closely totals tell each primary cell.
    """

    primary: frozenset[Key]
    added: frozenset[Key]
    exposed: frozenset[Key]
    squeezes: Mapping[Key, Squeeze]

    @property
    def withheld(self) -> frozenset[Key]:
        return self.primary | self.added


def suppress(grid: Grid, rules: Rules) -> Suppression:
    """Choose further cells to withhold, greedily, and audit what is left to be known.

    Assumes: empty cells are known to be empty, so they hide nothing; in the table of totals different cells
        have different contributors.
    Guarantees: unless listed in `exposed`, no primary cell, and no total that breaks a rule, follows from the
        published cells and the known totals over any set of dimensions more closely than `levels` demand;
        and each known total less its published cells is a group that tells nothing, unless all its cells are
        withheld. What is too large to be audited is withheld as a whole, and exposed. The choice depends on the
        arguments alone.
    Does not guarantee: the fewest possible cells; anything about tables with other filters or dimensions, or
        against someone who knows how cells were chosen and reasons from the choice.
    Source: Hundepool et al. (2012), section 4.4; from coarse to fine as in HITAS, de Wolf (2002).
    """
    primary = frozenset(key for key, cell in grid.cells.items() if rules.breaks(cell))
    if not primary:
        return Suppression(primary, frozenset(), frozenset(), {})
    tables = list(_tables_of_totals(grid, rules))
    search = _Search(grid, _known(tables), rules)
    for key in sorted(primary):
        search.protect((key,), grid.cells[key])
    for table in tables:
        for key in sorted(table.suppression.primary):
            search.protect(table.lines[key], table.coarse.cells[key])
    while search.mend_totals() or search.mend_intervals():
        pass
    added = frozenset(search.withheld) - primary
    return Suppression(primary, added, search.exposed(), search.squeezes)


@dataclass(frozen=True, slots=True)
class _Totals:
    """A table of totals, the cells under each of its own, and what of it would be withheld."""

    coarse: Grid
    lines: dict[Key, Total]
    suppression: Suppression


def _tables_of_totals(grid: Grid, rules: Rules) -> Iterator[_Totals]:
    """Over one or more dimensions, coarse ones by recursion."""
    axes = [axis for axis, size in enumerate(grid.shape) if size > 1]
    for count in range(1, len(axes) + 1):
        for summed in combinations(axes, count):
            coarse, lines = collapse(grid, summed)
            yield _Totals(coarse, lines, suppress(coarse, rules))


def known_totals(grid: Grid, rules: Rules) -> list[Total]:
    """The totals over one or more dimensions that the same rules would publish."""
    return _known(_tables_of_totals(grid, rules))


def _known(tables: Iterable[_Totals]) -> list[Total]:
    found: dict[Total, None] = {}
    for table in tables:
        withheld = table.suppression.withheld
        found |= {line: None for key, line in sorted(table.lines.items()) if key not in withheld}
    return list(found)


def collapse(grid: Grid, summed: tuple[int, ...]) -> tuple[Grid, dict[Key, Total]]:
    """The table of totals over the dimensions `summed`, and the cells under each of its cells."""
    kept = [axis for axis in range(len(grid.shape)) if axis not in summed]
    lines: dict[Key, list[Key]] = {}
    for key in sorted(grid.cells):
        lines.setdefault(tuple(key[axis] for axis in kept), []).append(key)
    cells = {key: merged(key, [grid.cells[k] for k in line]) for key, line in lines.items()}
    shape = tuple(grid.shape[axis] for axis in kept)
    return Grid(shape, cells), {key: tuple(line) for key, line in lines.items()}


def merged(key: Key, parts: list[Contribution]) -> Contribution:
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
    """Grows the set of withheld cells of one table until its known totals tell nothing too closely."""

    def __init__(self, grid: Grid, known: list[Total], rules: Rules) -> None:
        self.grid, self.known, self.rules = grid, known, rules
        self.levels = rules.levels(grid)
        self.unknowns = {key: self.levels.unknown(cell) for key, cell in grid.cells.items()}
        self.withheld: set[Key] = set()
        self.narrow: dict[Total, Demand] = {}  # sums of cells not yet shown to be protected
        self.squeezes: dict[Key, Squeeze] = {}
        self.of_cell: dict[Key, list[int]] = {key: [] for key in grid.cells}
        for i, total in enumerate(known):
            for key in total:
                self.of_cell[key].append(i)
        self.gaps = [0] * len(known)  # how many cells of each total are withheld
        self.keys = sorted(grid.cells)
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.rooms = [self.unknowns[key].rooms for key in self.keys]
        self.lines = [[self.places[key] for key in total] for total in known]

    def protect(self, cells: Total, whole: Contribution) -> None:
        """Their sum, `whole`, must not be known too closely. A single cell is withheld."""
        self.narrow.setdefault(cells, self.levels.demand(whole))
        if len(cells) == 1 and cells[0] not in self.withheld:
            self._withhold(cells[0])

    def mend_totals(self) -> bool:
        """Withhold one more cell under each total whose remainder tells something. True where any was added."""
        before = len(self.withheld)
        for i, total in enumerate(self.known):
            if 0 < self.gaps[i] < len(total) and self.rules.tells(self._remainder(total)):
                self._withhold_one(total)
        return len(self.withheld) > before

    def mend_intervals(self) -> bool:
        """Audit, then withhold company for what is known too closely. True where any was added.

        What has been shown stays true when more is withheld, and is not audited again.
        """
        if too_large(len(self.withheld), len(self.narrow)):
            self._withhold_all()
            return False
        before = len(self.withheld)
        for cells, missing in self._audit():
            for amount in missing:
                for key in self._company(cells, amount):
                    self._withhold(key)
        return len(self.withheld) > before

    def exposed(self) -> frozenset[Key]:
        return frozenset(key for cells in self.narrow for key in cells)

    def _audit(self) -> list[tuple[Total, list[int]]]:
        """The sums that are known too closely, and how far they must still be able to move."""
        cells = sorted(self.withheld)
        place = {key: i for i, key in enumerate(cells)}
        rows = [tuple(place[key] for key in total if key in place) for total in self._touched()]
        wanted = list(self.narrow.items())
        targets = [Target(tuple(place[key] for key in keys if key in place), need) for keys, need in wanted]
        found = audit([self.unknowns[key] for key in cells], rows, targets)
        narrow: list[tuple[Total, list[int]]] = []
        for (keys, demand), target, interval in zip(wanted, targets, found, strict=True):
            if len(keys) == 1:
                self.squeezes[keys[0]] = self.levels.squeeze(interval, demand)
            if interval.enough:
                del self.narrow[keys]
            else:
                value = sum(self.unknowns[cells[i]].value for i in target.parts)
                narrow.append((keys, interval.missing(value, demand)))
        return narrow

    def _company(self, cells: Total, amount: int) -> list[Key]:
        """What to withhold so that the sum of `cells` can move by `amount`: few cells, of few contributors."""
        units = {key: cell.units for key, cell in self.grid.cells.items() if key not in self.withheld}
        everyone = sum(units.values()) or 1
        costs = [1 + units[key] / everyone if key in units else 0.0 for key in self.places]
        parts = [self.places[key] for key in cells]
        found = company(self.rooms, self.lines, costs, parts, amount)
        return [self.keys[place] for place in found or ()]

    def _touched(self) -> Iterator[Total]:
        return (total for total, gaps in zip(self.known, self.gaps, strict=True) if gaps)

    def _remainder(self, total: Total) -> tuple[Contribution, ...]:
        return tuple(self.grid.cells[key] for key in total if key in self.withheld)

    def _withhold(self, key: Key) -> None:
        self.withheld.add(key)
        for i in self.of_cell[key]:
            self.gaps[i] += 1

    def _withhold_all(self) -> None:
        for key in sorted(self.grid.cells.keys() - self.withheld):
            self._withhold(key)

    def _withhold_one(self, candidates: Total) -> None:
        """Withhold the published candidate that costs least: fewest new gaps, then fewest contributors."""
        shown = [key for key in candidates if key not in self.withheld]
        if shown:
            self._withhold(min(shown, key=self._cost))

    def _cost(self, key: Key) -> tuple[int, int, Key]:
        new_gaps = sum(self.gaps[i] == 0 for i in self.of_cell[key])
        return new_gaps, self.grid.cells[key].units, key


def all_cells(shape: tuple[int, ...]) -> Iterator[Key]:
    """Every cell of the declared grid, in order; one cell, (), without dimensions."""
    return product(*(range(size) for size in shape))
