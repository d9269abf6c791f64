"""What the attacker asks, in which order. A strategy only chooses questions; `inference` reads the answers.

`home` is the target's own value of each dimension, None where it has no declared one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import ClassVar

from tests.attacks.attacker.questions import ROWS, SUM, UNITS, Question
from tests.attacks.attacker.worlds import Game

ALL = (SUM, ROWS, UNITS)


@dataclass(frozen=True)
class Ask:
    question: Question
    account: str = "one"


@dataclass(frozen=True)
class Publish:
    """Wait for the provider's next version."""


Moves = Iterator[Ask | Publish]


class Strategy:
    """`versions`: how many it waits for. `fresh`: it takes a repeated number for a new draw."""

    name: ClassVar[str]
    fresh: ClassVar[bool] = False
    versions: ClassVar[int] = 1

    def moves(self, game: Game) -> Moves:
        raise NotImplementedError


def _axes(game: Game) -> tuple[str, str]:
    first, second, *_ = game.dims
    return first, second


def _values(game: Game, name: str, *, own: bool = False) -> tuple[str, ...]:
    """The declared values that are not the target's, or all."""
    return tuple(v for v in game.dims[name] if own or v != game.home[name])


def _own(game: Game, *names: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = [(name, game.home[name]) for name in names]
    return tuple((name, (value,)) for name, value in found if value is not None)


class Negation(Strategy):
    """Everyone, then everyone but the target; in the language, all declared values but the target's own."""

    name = "negation"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        yield Ask(Question(ALL))
        yield Ask(Question(ALL, spared=game.unit))
        for name in (first, second):
            yield Ask(Question(ALL, where=((name, _values(game, name)),)))


class OrPad(Strategy):
    """The target's value with another one beside it, then the other one alone."""

    name = "OR pad"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        for pad in _values(game, second)[:3]:
            both = (pad,) if game.home[second] is None else (pad, str(game.home[second]))
            for values in (both, (pad,)):
                yield Ask(Question(ALL, where=(*_own(game, first), (second, values))))


class Ranges(Strategy):
    """Growing pieces of a domain, as one would ask for a range: each holds the one before."""

    name = "ranges"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        domain = _values(game, second, own=True)
        for end in range(1, len(domain) + 1):
            yield Ask(Question((SUM,), where=(*_own(game, first), (second, domain[:end]))))


class IndividualTracker(Strategy):
    """C = A and B cannot be asked; A, and A without B, can (Denning, Denning, Schwartz 1979)."""

    name = "individual tracker"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        yield Ask(Question(ALL, where=_own(game, first)))
        yield Ask(Question(ALL, where=(*_own(game, first), (second, _values(game, second)))))
        yield Ask(Question(ALL, where=_own(game, first, second)))


class GeneralTracker(Strategy):
    """With T half of all: q(C or T) + q(C or not T) - q(all) = q(C)."""

    name = "general tracker"

    def moves(self, game: Game) -> Moves:
        first, _second = _axes(game)
        others, own = _values(game, first), str(game.home[first])
        half = len(others) // 2
        for part in (others[:half], others[half:]):
            yield Ask(Question(ALL, where=((first, (own, *part)),)))
        yield Ask(Question(ALL, where=((first, game.dims[first]),)))
        yield Ask(Question(ALL, (first,)))


class Corner(Strategy):
    """Inclusion and exclusion: all, less all without A, less all without B, and those without both once more."""

    name = "inclusion and exclusion"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        rest = [(name, _values(game, name)) for name in (first, second)]
        for where in ((), (rest[0],), (rest[1],), tuple(rest)):
            yield Ask(Question((SUM, ROWS), where=where))


class Complement(Strategy):
    """A total and all of its cells but the target's."""

    name = "complement"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        yield Ask(Question(ALL, (second,), _own(game, first)))
        yield Ask(Question(ALL, where=_own(game, first)))
        yield Ask(Question(ALL, (first,)))
        yield Ask(Question(ALL, where=((first, _values(game, first)),)))


class TotalsMinusCells(Strategy):
    """Who has no declared value is in no cell, and in the total."""

    name = "totals minus cells"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        yield Ask(Question(ALL, (second,), tail="WITH TOTALS"))
        yield Ask(Question(ALL))
        yield Ask(Question(ALL, (second,), _own(game, first)))
        yield Ask(Question(ALL, where=_own(game, first)))


class VersionPair(Strategy):
    """The same questions before and after the target came or went."""

    name = "version pair"
    versions = 2

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        questions = [Question(ALL), Question(ALL, (first,)), Question(ALL, (second,), _own(game, first))]
        yield from (Ask(question) for question in questions)
        yield Publish()
        yield from (Ask(question) for question in questions)


class Averaging(Strategy):
    """The same number again and again: repeated, and as a cell of different tables."""

    name = "averaging"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        own = _own(game, first)
        for _ in range(5):
            yield Ask(Question(ALL, where=own))
        yield Ask(Question(ALL, (first,)))
        for other in _values(game, first)[:3]:
            yield Ask(Question(ALL, (first,), ((first, (str(game.home[first]), other)),)))
        yield Ask(Question((SUM,), where=own))
        yield Ask(Question(ALL, (second,), own, tail="WITH TOTALS"))


class Overlaps(Strategy):
    """(X or B) less B for many unions B of other values: so many estimates of X."""

    name = "overlapping sets"

    def moves(self, game: Game) -> Moves:
        first, _second = _axes(game)
        own, others = str(game.home[first]), _values(game, first)
        pads = [c for size in range(1, len(others) + 1) for c in combinations(others, size)]
        for pad in pads[:4]:
            yield Ask(Question((SUM, ROWS), where=((first, (own, *pad)),)))
            yield Ask(Question((SUM, ROWS), where=((first, pad),)))


class SyntaxVariants(Strategy):
    """One question in eight spellings."""

    name = "syntax variants"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        own = (*_own(game, first), (second, game.dims[second]))
        for form in range(8):
            yield Ask(Question(ALL, where=own, form=form))
        yield Ask(Question(ALL, (first, second)))


class Arrangement(Strategy):
    """HAVING, ORDER BY and LIMIT as probes of what is not shown."""

    name = "HAVING, ORDER, LIMIT"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        question = Question(ALL, (first, second))
        for tail in (
            "ORDER BY s",
            "ORDER BY s DESC LIMIT 1",
            "LIMIT 1",
            "HAVING n >= 1",
            "HAVING u < 10",
            "HAVING n = 1",
        ):
            yield Ask(replace(question, tail=tail))


class ByEverything(Strategy):
    """Every dimension at once, then fewer."""

    name = "by everything"

    def moves(self, game: Game) -> Moves:
        names = tuple(game.dims)
        for count in range(len(names), -1, -1):
            for by in combinations(names, count):
                yield Ask(Question(ALL, by))


class ZeroCells(Strategy):
    """Each finest cell of the target's by itself, and beside declared values that nobody has."""

    name = "zero cells"

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        yield Ask(Question(ALL, where=_own(game, first, second)))
        for other in _values(game, first):
            values = (str(game.home[first]), other)
            yield Ask(Question(ALL, (first,), ((first, values), *_own(game, second))))


class OwnRow(Strategy):
    """One number only, that of the target's own value of the first dimension."""

    name = "one number"

    def moves(self, game: Game) -> Moves:
        yield Ask(Question(ALL, where=_own(game, _axes(game)[0])))


class Colluding(Strategy):
    """Two enterprises under two contracts: one asks for the whole, the other for the parts; then each both."""

    name = "two accounts"
    versions = 2

    def moves(self, game: Game) -> Moves:
        first, second = _axes(game)
        parts = [Question(ALL, (second,), _own(game, first)), Question(ALL, where=_own(game, first))]
        for part, account in zip(parts, ("one", "two"), strict=True):
            yield Ask(part, account)
        yield Publish()
        for part, account in zip(parts, ("two", "one"), strict=True):
            yield Ask(part, account)
        for part, account in zip(parts, ("one", "two"), strict=True):
            yield Ask(part, account)


STRATEGIES: tuple[type[Strategy], ...] = (
    OwnRow, Negation, OrPad, Ranges, IndividualTracker, GeneralTracker, Corner, Complement, TotalsMinusCells, VersionPair, Averaging,
    Overlaps, SyntaxVariants, Arrangement, ByEverything, ZeroCells, Colluding,
)  # fmt: skip
