"""What is published, what of it is secret, and the two worlds between which the attacker has to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNDECLARED = -1
DATASET, UNIT, VALUE = "people", "who", "amount"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """The rows of one version. `unit` numbers units, `places` has each row's position in a dimension's domain.

    `pseudonym` (one for each unit of the population) and `key` (one for each row) are what nobody outside knows.
    """

    dims: Mapping[str, tuple[str, ...]]
    unit: NDArray[np.int64]
    places: Mapping[str, NDArray[np.int64]]
    value: NDArray[np.int64]
    key: NDArray[np.uint64]
    pseudonym: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.value)

    def only(self, rows: Mask) -> Frame:
        places = {name: found[rows] for name, found in self.places.items()}
        return replace(self, unit=self.unit[rows], places=places, value=self.value[rows], key=self.key[rows])

    def with_values(self, value: NDArray[np.int64]) -> Frame:
        return replace(self, value=value)

    def texts(self, name: str) -> list[str | None]:
        domain = [*self.dims[name], None]  # UNDECLARED is the last
        return [domain[place] for place in self.places[name]]

    @cached_property
    def table(self) -> pa.Table:
        """As the ingest writes it: units numbered densely."""
        dense = np.unique(self.unit, return_inverse=True)[1]
        columns: dict[str, object] = {
            "_unit": pa.array(dense, pa.int32()),
            "_record_key": pa.array(self.key, pa.uint64()),
            UNIT: pa.array(self.pseudonym[self.unit], pa.uint64()),
            "whom": pa.array([str(unit) for unit in self.unit], pa.string()),  # see `switches.any_language`
        }
        columns |= {name: pa.array(self.texts(name), pa.string()) for name in self.dims}
        return pa.table({**columns, VALUE: pa.array(self.value, pa.int64())})


@dataclass(frozen=True)
class Population:
    """Real or made people to draw games from; `value` is small and whole, so that sums of it have exact odds."""

    name: str
    frame: Frame

    @cached_property
    def levels(self) -> tuple[int, int]:
        """The two values of a value game: half a standard deviation apart around the mean."""
        mean, spread = self.frame.value.mean(), self.frame.value.std()
        low = round(mean - spread / 4)
        return low, max(low + 1, round(mean + spread / 4))

    def finest(self) -> NDArray[np.int64]:
        """Each row's cell of the table over all dimensions."""
        cell = np.zeros(len(self.frame), np.int64)
        for name, domain in self.frame.dims.items():
            cell = cell * len(domain) + self.frame.places[name]
        return cell


@dataclass(frozen=True)
class Game:
    """`worlds`: for each version, what the attacker expects if the secret is the first or the second; in both the
    crowd's values stand at their mean. `crowd` marks, in the worlds' rows, those whose values it does not know.
    `truth` is what is published. `target` is a row of the first version in which the target is.
    """

    versions: tuple[tuple[Frame, Frame], ...]
    truth: tuple[Frame, ...]
    crowd: tuple[tuple[Mask, Mask], ...]
    spread: float
    secret: bool
    home: Mapping[str, str | None]  # the target's own value of each dimension
    unit: int
    measures: tuple[str, ...]

    @property
    def dims(self) -> Mapping[str, tuple[str, ...]]:
        return self.truth[0].dims


@dataclass(frozen=True)
class Setting:
    """What kind of game. `lonely`: nobody else is in the target's finest cell. `undeclared`: the target has no
    declared value of the second dimension. `versions`: 2 where the target leaves with the second one (a value
    game) or comes with it, if at all (a presence game). `crowd`: whether the others' values are unknown, see the package.
    `times`: the target is so many times as large as others. `measures`: what the game is about; nothing else is asked.
    """

    name: str
    presence: bool = False
    lonely: bool = False
    undeclared: bool = False
    versions: int = 1
    crowd: bool = False
    times: int = 1
    measures: tuple[str, ...] = ("s", "n", "u")


def draw(population: Population, setting: Setting, rng: np.random.Generator) -> Game:
    """A game with target, secret, crowd, keys and pseudonyms drawn at random."""
    frame = _keyed(population.frame, rng)
    finest = population.finest()
    sizes = np.bincount(finest, minlength=finest.max() + 1)
    target = int(rng.choice(np.flatnonzero((sizes[finest] >= 20) & (finest >= 0))))
    unit = int(frame.unit[target])
    own = frame.unit == unit
    stay = np.ones(len(frame), bool)
    if setting.lonely:
        stay = (finest != finest[target]) | own
    stay &= ~own | (np.arange(len(frame)) == target)  # one row of the target's is at stake, and has all of it
    if setting.undeclared:
        second = list(frame.dims)[1]
        moved = frame.places[second].copy()
        moved[target] = UNDECLARED
        frame = replace(frame, places={**frame.places, second: moved})
    home = {name: frame.texts(name)[target] for name in frame.dims}
    crowd = ~own & setting.crowd
    return _played(population, setting, rng, frame.only(stay), crowd[stay], home, unit)


def _played(
    population: Population, setting: Setting, rng: np.random.Generator, frame: Frame, crowd: Mask,
    home: Mapping[str, str | None], unit: int,
) -> Game:  # fmt: skip
    secret = bool(rng.integers(2))
    own = frame.unit == unit
    believed, real = frame.value.copy(), frame.value.copy()
    believed[crowd] = round(population.frame.value.mean())
    real[crowd] = rng.choice(population.frame.value, crowd.sum())
    low, high = population.levels
    levels = (high, high) if setting.presence else (low, high)

    def world(values: NDArray[np.int64], which: bool, there: bool) -> tuple[Frame, Mask]:
        mine = np.where(own, levels[which] * setting.times, values)
        rows = ~own | there
        return frame.with_values(mine).only(rows), crowd[rows]

    def there(version: int, which: bool) -> bool:
        if setting.presence:
            return which and version == setting.versions - 1
        return version == 0

    numbers = range(setting.versions)
    pairs = [[world(believed, which, there(v, which)) for which in (False, True)] for v in numbers]
    return Game(
        versions=tuple((no[0], yes[0]) for no, yes in pairs),
        truth=tuple(world(real, secret, there(v, secret))[0] for v in numbers),
        crowd=tuple((no[1], yes[1]) for no, yes in pairs),
        spread=float(population.frame.value.std()),
        secret=secret,
        home=home,
        unit=unit,
        measures=setting.measures,
    )


def _keyed(frame: Frame, rng: np.random.Generator) -> Frame:
    key = rng.integers(0, 2**64, len(frame), dtype=np.uint64)
    pseudonym = rng.integers(0, 2**64, int(frame.unit.max()) + 1, dtype=np.uint64)
    return replace(frame, key=key, pseudonym=pseudonym)


def made_up(units: int = 270, seed: int = 5) -> Population:
    """Firms of three sectors in three towns, one or two rows each; nobody is in the fourth sector."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), 1 + (rng.random(units) < 0.2))
    dims = {"sector": ("steel", "food", "paper", "none"), "town": ("east", "west", "north")}
    places = {"sector": (unit % 3).astype(np.int64), "town": (unit // 3 % 3).astype(np.int64)}
    value = np.clip(np.rint(rng.normal(60, 20, len(unit))), 1, 200).astype(np.int64)
    return Population("made up", frame_of(dims, unit, places, value))


def frame_of(
    dims: Mapping[str, tuple[str, ...]],
    unit: NDArray[np.int64],
    places: Mapping[str, NDArray[np.int64]],
    value: NDArray[np.int64],
) -> Frame:
    zeros = np.zeros(len(unit), np.uint64)
    return Frame(dims, unit, places, value, zeros, np.zeros(int(unit.max()) + 1, np.uint64))
