"""The attacker's linear programs over one connected set of unknowns, and proof of what they find. Pure.

Deviations are counted in grains. A grain is one smallest unit or, for demands of many digits, a power of two that
leaves a demand 12 to 16 binary digits, so that the numbers stay where a floating-point solver is at ease
whatever the size of sums. Rooms are rounded down to grains and demands up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import highspy
import numpy as np
from numpy.typing import NDArray

DIGITS = 16  # binary digits of a demand in grains, at most
STEP = 4  # grains differ by this many binary digits, so that many demands share one
FAR = 1 << 20  # grains; a deviation this large counts as unlimited: 16 times the largest demand
# Solutions are checked in grains / FINE. Sums of 4,000 of them fit in 64 bits, and 2^5 3^3 5 7 11 13 17 holds most
# fractions at the corners of tables of three dimensions without loss.
FINE = 73_513_440
LOOSE = FINE // 256  # a solution further than this from an exact one is not taken
MANY, SWEEPS = 40, 40  # where so many sums lack something they are pushed together, so often
DUAL, PRIMAL = (
    1,
    4,
)  # simplex methods, by the solver's numbers; primal: a new objective leaves a corner feasible

Room = tuple[int | None, int | None]  # down, up, in smallest units; None: unlimited
Reach = tuple[Fraction | None, Fraction | None]
Needs = tuple[int, int, int]  # below, above, width
Whole = NDArray[np.int64]


class Attacker:
    """Unknowns with `rooms` to deviate, `rows` of deviations that add up to 0, and `sums` to push about."""

    def __init__(
        self, rooms: Sequence[Room], rows: Sequence[Sequence[int]], sums: Sequence[Sequence[int]]
    ) -> None:
        self._rooms, self._sums = rooms, Sums(sums)
        self._program = _Program(len(rooms), Sums(rows))

    def reaches(self, needs: Sequence[Needs]) -> list[Reach]:
        """How far below and above its true value each sum was shown to reach, in smallest units."""
        grains = [grain_of(max(need)) for need in needs]
        down = up = [Fraction(0)] * len(needs)
        # Small grains first: what they show holds for the larger ones too.
        for grain in sorted(set(grains)):
            shown = _Shown(_in(down, grain), _in(up, grain))
            self._program.bound(*zip(*(in_grains(room, grain) for room in self._rooms), strict=True))
            fine = {
                i: tuple(-(-number // grain) * FINE for number in need)
                for i, need in enumerate(needs)
                if grains[i] == grain
            }
            self._push_many(fine, shown)
            for i, need in fine.items():
                self._push(i, need, shown)
            down, up = _further(down, shown.down, grain), _further(up, shown.up, grain)
        return [
            (None if d >= FAR * grain else d, None if u >= FAR * grain else u)
            for d, u, grain in zip(down, up, grains, strict=True)
        ]

    def _push_many(self, needs: Mapping[int, tuple[int, ...]], shown: _Shown) -> None:
        """Push all that lack something at once, each some way or other and none further than it has to go."""
        random = np.random.default_rng(0)  # the same program gets the same answer
        for _ in range(SWEEPS):
            lacking = [
                (i, sign) for i, need in needs.items() for sign in (1, -1) if shown.lacks(i, need, sign)
            ]
            if len(lacking) < MANY:
                return
            weights = np.zeros(len(self._rooms))
            most = np.full(len(self._rooms), FAR)
            for i, sign in lacking:
                places = self._sums.places(i)
                weights[places] += sign * random.random()
                most[places] = np.minimum(most[places], max(needs[i]) // FINE)
            if point := self._program.toward(weights, np.maximum(most, 1)):
                shown.see(self._sums, point)

    def _push(self, i: int, need: tuple[int, ...], shown: _Shown) -> None:
        for sign in (1, -1):
            if shown.lacks(i, need, sign) and (point := self._program.furthest(self._sums.places(i), sign)):
                shown.see(self._sums, point)


@dataclass(frozen=True, slots=True)
class _Point:
    """An exact solution is at most `drift` away from `deviations` in each of them. Unit: grains / FINE."""

    deviations: Whole
    drift: float


class _Program:
    """One linear program; the objective changes, and each solve starts from the last solution."""

    def __init__(self, columns: int, rows: Sums) -> None:
        self._rows = rows
        self._solver = solver_for(columns, rows, np.ones(len(rows.flat)), PRIMAL)
        self._columns = np.arange(columns, dtype=np.int32)
        self._stiff: dict[bytes, float] = {}

    def bound(self, down: Sequence[int], up: Sequence[int]) -> None:
        self._low, self._high = -np.array(down, dtype=np.int64), np.array(up, dtype=np.int64)
        bounds = self._low.astype(float), self._high.astype(float)
        self._solver.changeColsBounds(len(down), self._columns, *bounds)

    def furthest(self, places: NDArray[np.int32], sign: int) -> _Point | None:
        """Where the sum over `places` is largest (sign 1) or smallest (-1); None where that cannot be proved."""
        weights = np.zeros(len(self._columns))
        weights[places] = sign
        return self._best(weights)

    def toward(self, weights: NDArray[np.float64], most: Whole) -> _Point | None:
        """Where the weighted sum is largest if no unknown deviates by more than `most` grains."""
        bounds = np.maximum(self._low, -most).astype(float), np.minimum(self._high, most).astype(float)
        self._solver.changeColsBounds(len(most), self._columns, *bounds)
        point = self._best(weights)
        bounds = self._low.astype(float), self._high.astype(float)
        self._solver.changeColsBounds(len(most), self._columns, *bounds)
        return point

    def _best(self, weights: NDArray[np.float64]) -> _Point | None:
        cost = -weights
        self._solver.changeColsCost(len(cost), self._columns, cost)
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._solver.clearSolver()  # errors have piled up on the way here: start afresh
            self._solver.run()
        # Whatever the solver says of its point, the proof decides.
        found = np.array(self._solver.getSolution().col_value)
        if len(found) != len(cost) or not np.isfinite(found).all():
            return None
        found = found.clip(self._low, self._high)
        # Corners of tables of two dimensions are whole numbers. Then nothing is lost.
        point = self._proved(np.rint(found).astype(np.int64) * FINE)
        return point if point and not point.drift else self._proved(np.rint(found * FINE).astype(np.int64))

    def _proved(self, point: Whole) -> _Point | None:
        """Bound the way to an exact solution from a point within the bounds.

        The deviations miss the equations by `rest`. Moving them by at most |rest| / (smallest singular value
        of the equations) solves these exactly, and then shrinking all of them by the same share keeps every
        bound, since rooms are one grain or more. What has no room stays where it is and is left out.
        """
        stays = ((self._low == 0) & (point < LOOSE)) | ((self._high == 0) & (point > -LOOSE))
        point[stays] = 0
        rest = np.linalg.norm(self._rows.of(point))
        drift = float(rest and rest / self._stiffness(stays))
        return _Point(point, drift) if drift <= LOOSE else None

    def _stiffness(self, stays: NDArray[np.bool_]) -> float:
        """The smallest singular value, above 0, of the equations over what moves."""
        key = stays.tobytes()
        if key not in self._stiff:
            matrix = self._rows.matrix(len(stays))[:, ~stays]
            tall = matrix.shape[0] > matrix.shape[1]
            squares = np.linalg.eigvalsh(matrix.T @ matrix if tall else matrix @ matrix.T)
            self._stiff[key] = float(np.sqrt(squares[squares > 1e-9 * squares[-1]][0]))
        return self._stiff[key]


class _Shown:
    """How far each sum was seen to deviate, in grains / FINE. Every point is a witness for every sum."""

    def __init__(self, down: Whole, up: Whole) -> None:
        self.down, self.up = down, up

    def lacks(self, i: int, need: tuple[int, ...], sign: int) -> bool:
        """Whether to push on. At least once each way: an interval that starts at the truth looks wrong."""
        below, above, width = need
        reach, wanted = (self.up[i], above) if sign > 0 else (self.down[i], below)
        return bool(reach < wanted or (any(need) and not reach) or self.down[i] + self.up[i] < width)

    def see(self, sums: Sums, point: _Point) -> None:
        found = sums.of(point.deviations)
        lost = np.ceil(point.drift * (sums.sizes + np.abs(found) / FINE)).astype(np.int64)
        np.maximum(self.up, found - lost, out=self.up)
        np.maximum(self.down, -found - lost, out=self.down)


class Sums:
    """Sums over chosen places of a vector, kept in one flat array. No group is empty."""

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        self.sizes = np.array([len(group) for group in groups], dtype=np.int32)
        self.starts = np.concatenate(([0], np.cumsum(self.sizes))).astype(np.int32)
        self.flat = np.array([place for group in groups for place in group], dtype=np.int32)

    def of(self, vector: Whole) -> Whole:
        if not len(self.sizes):
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(vector[self.flat], self.starts[:-1])

    def places(self, i: int) -> NDArray[np.int32]:
        return self.flat[self.starts[i] : self.starts[i + 1]]

    def matrix(self, columns: int) -> NDArray[np.float64]:
        found = np.zeros((len(self.sizes), columns))
        found[np.repeat(np.arange(len(self.sizes)), self.sizes), self.flat] = 1.0
        return found


class _Quiet(highspy.Highs):
    def enableCallbacks(self) -> None:  # noqa: N802 the solver's own name
        """Called by the constructor. None are used, and enabling them greets on the console."""


def solver_for(columns: int, rows: Sums, weights: NDArray[np.float64], method: int) -> highspy.Highs:
    """Weighted sums that are 0; bounds and objective still open.

    One thread and no clock: the same program gets the same answer. The solver's threads belong to the process: if
    something else in it has asked for more, each solve fails here, and shows nothing.
    """
    solver = _Quiet()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False), ("threads", 1), ("parallel", "off"), ("presolve", "off"), ("solver", "simplex"),
        ("simplex_strategy", method),
    ):  # fmt: skip
        solver.setOptionValue(option, value)
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = columns, len(rows.sizes)
    program.col_cost_ = program.col_lower_ = program.col_upper_ = np.zeros(columns)
    program.row_lower_ = program.row_upper_ = np.zeros(len(rows.sizes))
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_, program.a_matrix_.index_ = rows.starts, rows.flat
    program.a_matrix_.value_ = weights
    solver.passModel(program)
    return solver


def grain_of(demand: int) -> int:
    spare = max(0, demand.bit_length() - DIGITS)
    return 1 << -(-spare // STEP) * STEP


def in_grains(room: Room, grain: int) -> tuple[int, ...]:
    return tuple(FAR if side is None else min(FAR, side // grain) for side in room)


def _in(reach: Sequence[Fraction], grain: int) -> Whole:
    return np.array([min(FAR * FINE, side * FINE // grain) for side in reach], dtype=np.int64)


def _further(reach: Sequence[Fraction], shown: Whole, grain: int) -> list[Fraction]:
    """In smallest units again. What was known more finely stays."""
    return [max(old, Fraction(int(new) * grain, FINE)) for old, new in zip(reach, shown, strict=True)]
