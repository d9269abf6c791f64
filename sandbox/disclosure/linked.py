"""The linked audit: what a new answer tells together with all earlier exact answers over the same rows. Pure.

Tables that are safe one by one can fix a cell together: the cell that one withholds, or a finer one that none of them
shows. The attacker holds all answers. Unknown to him are the *atoms* (see `refinement`) that hold anyone; each
published cell is the sum of its atoms, and so are totals, which follow from cells. What he may not know too closely:
each withheld cell that breaks a rule, each atom that does, and each total of atoms over some dimensions that does.

Published numbers are taken as exact although they are rounded: he knows less than is assumed here.

Source: linked tables, Hundepool et al., Statistical Disclosure Control (2012), section 4.2.1; de Wolf and Giessing,
Adjusting the tau-ARGUS modular approach to deal with linked tables (Data & Knowledge Engineering 68, 2009).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import pyarrow as pa

from contracts.policy.strictest import strictest
from contracts.policy.terms import Terms
from sandbox.disclosure.alike import Tables, lacking, with_all_counts
from sandbox.disclosure.complementary import Rules, merged
from sandbox.disclosure.findings import Key, Rule
from sandbox.disclosure.grid import Contribution, Grid
from sandbox.disclosure.intervals import Demand, Interval, Sum, Target
from sandbox.disclosure.parts import Pulse, audit_in_parts
from sandbox.disclosure.protection import Levels
from sandbox.disclosure.refinement import Cell, Told, axes_of, cells_of, read_joint
from sandbox.disclosure.withholding import SUMMED, rules_for
from sandbox.engines.joint import counted_totals, joint
from sandbox.guard.query import COUNTS, AggregateQuery, ColumnRef, Measure

MAX_ATOMS = (
    20_000  # of one audit; above it, and above so many dimensions, nothing that is sensitive is released
)
MAX_AXES = 6

_DOMINATED = frozenset({Rule.DOMINANCE.value, Rule.P_PERCENT.value, Rule.ALL_ZERO.value})


Kind = tuple[ColumnRef | None, bool]  # a column, None for those who are there, and whether it is summed


@dataclass(frozen=True, slots=True)
class Verdict:
    """`narrowest`: of what must not be known too closely, the least width shown, as a share of the width demanded.

    None where nothing is sensitive or no end was found to any interval.
    """

    safe: bool
    narrowest: float | None


def linked(new: AggregateQuery, old: AggregateQuery) -> bool:
    """Whether an earlier answer from the same extracts has a part in the audit of a new one.

    Not one by other joins: its numbers are not sums over the same rows. Nor one without a number of what the new one
    measures: nothing that it tells is in the same equations as anything that the new one tells. Counts of whatever may
    be one number (see `alike`).
    """
    same = (new.sources, new.joins) == (old.sources, old.joins)
    return same and bool(_told_by(new) & _told_by(old))


class Linked:
    """A new answer and the earlier ones that are audited with it.

    Assumes: all were made from the same extracts, and `linked` to the new one.
    """

    def __init__(self, new: Told, earlier: Sequence[Told]) -> None:
        self.new, self.all = new, [new, *earlier]
        self.axes = axes_of(self.all)
        self.query, terms = with_all_counts(new, earlier)
        limits = strictest(*(one.terms.disclosure for one in self.all))
        self.terms: Terms = replace(terms, disclosure=limits)

    @property
    def too_large(self) -> bool:
        """Whether there are more dimensions than can be looked at."""
        return len(self.axes) > MAX_AXES

    @property
    def sql(self) -> str:
        return joint(self.query, self.terms, self.axes)

    def verdict(self, raw: pa.Table, pulse: Pulse = lambda: None) -> Verdict:
        """The audit, by the answer of `sql`.

        Guarantees: where `safe`, no target can be worked out more closely than `protection.Levels` demand, by
            anyone who knows all these published numbers, who contributes to no atom, and nothing else.
        Does not guarantee: anything on sums of atoms other than totals over dimensions; about answers from other
            versions, sources or joins (see `memory` for pairs of numbers); in whole numbers (see `intervals.audit`).
        Raises: Refused("disclosure.raw").
        """
        tables = read_joint(raw, self.query, self.terms, self.axes)
        patterns = [_Pattern(self, measures[0], tables, pulse) for measures in _patterns(self.query).values()]
        verdicts = [pattern.verdict() for pattern in patterns if pattern.is_told_more]
        shares = [v.narrowest for v in verdicts if v.narrowest is not None]
        return Verdict(all(v.safe for v in verdicts), min(shares, default=None))


def _kind(measure: Measure) -> Kind:
    return measure.column, measure.aggregate in SUMMED


def _told_by(query: AggregateQuery) -> set[Kind]:
    return {kind if kind[1] else (None, False) for kind in map(_kind, query.measures)}


def _patterns(query: AggregateQuery) -> dict[Kind, list[Measure]]:
    """Measures that are withheld together: of one column, sums apart from counts."""
    found: dict[Kind, list[Measure]] = {}
    for measure in query.measures:
        found.setdefault(_kind(measure), []).append(measure)
    return found


@dataclass(frozen=True, slots=True)
class _Lines:
    """One answer: the cell of each atom, the atoms of each cell, and which cells are published."""

    cells: Sequence[Cell | None]
    atoms: Mapping[Cell, Sum]
    shown: frozenset[Cell]

    def tells(self, parts: Sum) -> int:
        """Of how many published cells these atoms are the sum; 0 where they are not."""
        found = {self.cells[place] for place in parts}
        if not found <= self.shown or sum(len(self.atoms[cell]) for cell in found if cell is not None) != len(
            parts
        ):
            return 0
        return len(found)


class _Pattern:
    """The audit of the counts, or of the sums, of one column. Counts are of contributors (see `Levels`)."""

    def __init__(self, linked: Linked, measure: Measure, tables: Tables, pulse: Pulse) -> None:
        self.linked, self.measure, self.tables, self.pulse = linked, measure, tables, pulse
        self.table = table = tables[measure.column]
        self.keys: list[Key] = sorted(c.cell for at, c in table.items() if None not in at)
        self.atoms = [table[key] for key in self.keys]
        rules: Rules = rules_for(measure, linked.terms.disclosure)
        self.rules = rules
        shape = tuple(len(axis.classes) + 1 for axis in linked.axes)
        self.levels: Levels = rules.levels(Grid(shape, dict(zip(self.keys, self.atoms, strict=True))))

    def verdict(self) -> Verdict:
        equations = self._equations()
        targets = list(dict.fromkeys(self._targets()))
        if len(self.atoms) > MAX_ATOMS:
            return Verdict(safe=not targets, narrowest=None)
        unknowns = [self.levels.unknown(atom) for atom in self.atoms]
        found = audit_in_parts(unknowns, equations, targets, self.pulse)
        shares = [_share(i, t.demand) for i, t in zip(found, targets, strict=True)]
        known = [share for share in shares if share is not None]
        return Verdict(all(interval.enough for interval in found), min(known, default=None))

    @cached_property
    def _answers(self) -> list[tuple[Told, _Lines]]:
        """Those that tell numbers of this pattern."""
        return [(one, self._lines(one, own)) for one in self.linked.all if (own := self._same(one))]

    def _same(self, one: Told) -> list[Measure]:
        return _patterns(one.query).get(_kind(self.measure), [])

    @property
    def is_told_more(self) -> bool:
        """Whether the new answer tells a number of this pattern."""
        new = self.linked.new
        return bool(self._same(new)) or any(one is new and lines.shown for one, lines in self._alike)

    @cached_property
    def _alike(self) -> list[tuple[Told, _Lines]]:
        """Counts of other columns, in the cells of which nobody lacks either: there they are this one."""
        found = []
        for one in self.linked.all if self.measure.aggregate in COUNTS else ():
            for measures in _patterns(one.query).values():
                if measures[0].aggregate in COUNTS and measures[0].column != self.measure.column:
                    lines = self._lines(one, measures)
                    atoms = lacking(self.tables, [self.measure.column, measures[0].column])
                    others = {cell for cell in cells_of(one, self.linked.axes, atoms) if cell is not None}
                    found.append((one, replace(lines, shown=lines.shown - others)))
        return found

    @cached_property
    def _telling(self) -> list[_Lines]:
        return [lines for _, lines in [*self._answers, *self._alike]]

    def _lines(self, one: Told, measures: Sequence[Measure]) -> _Lines:
        cells = cells_of(one, self.linked.axes, self.keys)
        atoms: dict[Cell, list[int]] = {}
        for place, cell in enumerate(cells):
            if cell is not None:
                atoms.setdefault(cell, []).append(place)
        return _Lines(
            cells, {cell: tuple(line) for cell, line in atoms.items()}, frozenset(one.shown(measures))
        )

    def _equations(self) -> list[Sum]:
        """What is published, each once, less what follows from finer cells of one answer."""
        rows = {lines.atoms[cell] for lines in self._telling for cell in lines.shown & lines.atoms.keys()}
        return sorted(row for row in rows if all(lines.tells(row) < 2 for lines in self._telling))

    def _targets(self) -> Iterator[Target]:
        yield from self._withheld()
        for parts, whole in self._totals():
            # What one answer publishes, or is the sum of what it publishes, kept the rules of its own contract.
            if self.rules.breaks(whole) and not any(lines.tells(parts) for lines in self._telling):
                yield Target(parts, self.levels.demand(whole))

    def _withheld(self) -> Iterator[Target]:
        """The withheld cells that break a rule of their own contract. Others only protect these."""
        for one, lines in self._answers:
            for cell, row in one.withheld([self._same(one)[0].label]):
                parts = lines.atoms.get(cell)
                if parts and row["reasons"] != [Rule.COMPLEMENTARY.value]:
                    yield Target(parts, self._demand(parts, row.get("demanded"), row["reasons"]))

    def _demand(self, parts: Sum, demanded: float | None, reasons: Sequence[str]) -> Demand:
        """As when the cell was withheld; its contributors are not known any more. See `Levels.demand`."""
        whole = merged((), [self.atoms[place] for place in parts])
        if demanded is None:
            return self.levels.demand(whole)
        width = self.levels.smallest_units(demanded)
        if not _DOMINATED & set(reasons):
            return Demand(width=width)
        unknown = self.levels.unknown(whole)
        half = -(-width // 2)
        below = half if unknown.low is None else min(half, unknown.value - unknown.low)
        return Demand(below, width - below)

    def _totals(self) -> Iterator[tuple[Sum, Contribution]]:
        """Each atom, and each sum of atoms over some dimensions, with its contributors."""
        axes = range(len(self.linked.axes))
        counted = max(counted_totals(self.linked.axes), key=len)
        for summed in (s for n in range(len(axes) + 1) for s in combinations(axes, n)):
            self.pulse()
            over = set(summed)
            lines: dict[Key, list[int]] = {}
            for place, key in enumerate(self.keys):
                lines.setdefault(_masked(key, over), []).append(place)
            exact = over & set(counted)
            parts: dict[Key, list[Contribution]] = {}
            for at, contribution in self.table.items():
                if {i for i in axes if at[i] is None} == exact:
                    parts.setdefault(_masked(at, over), []).append(contribution)
            for key, line in lines.items():
                yield tuple(line), merged(key, parts[key])


def _masked(key: Sequence[int | None], over: set[int]) -> Key:
    return tuple(-1 if i in over or value is None else value for i, value in enumerate(key))


def _share(interval: Interval, demand: Demand) -> float | None:
    if interval.low is None or interval.high is None or not demand.least:
        return None
    return float((interval.high - interval.low) / Fraction(demand.least))


__all__ = ["Linked", "Told", "Verdict", "linked"]
