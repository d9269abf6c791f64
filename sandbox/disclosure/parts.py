"""The audit of more unknowns than one linear program may have: in parts, against an attacker who knows more. Pure.

Where there are too many unknowns, some targets at a time are audited as if everything else were known to the last
digit, but for the unknowns under the targets and some helpers: the largest under each equation, which have most room
to make up for what targets gain or lose. Whatever solves the equations of so few unknowns solves them all. Intervals
found so are as wide as the true ones or narrower: what passes is safe, and nothing passes without an audit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from sandbox.disclosure.intervals import Interval, Sum, Target, Unknown, audit, without_told

MOST = 4000  # unknowns in one part
SHARES = (
    2,
    16,
)  # one in so many of them lies under the targets; the rest help. More help where it was not enough

Pulse = Callable[[], None]


def audit_in_parts(
    unknowns: Sequence[Unknown],
    equations: Iterable[Sum],
    targets: Sequence[Target],
    pulse: Pulse = lambda: None,
) -> list[Interval]:
    """As `intervals.audit`, for any number of unknowns. `pulse` is called before each part.

    Guarantees: no interval is wider than the true one; where the unknowns that are not told are MOST or fewer, they
        are audited together.
    """
    told, rows = without_told(equations)
    free = [place for place in range(len(unknowns)) if place not in told]
    found: dict[int, Interval] = {}
    for fewer in SHARES if len(free) > MOST else SHARES[:1]:
        pending = [i for i in range(len(targets)) if i not in found or not found[i].enough]
        for chosen, places in _parts(unknowns, free, rows, targets, pending, MOST // fewer):
            pulse()
            found |= _audited(unknowns, rows, targets, chosen, places)
    return [found[i] for i in range(len(targets))]


def _audited(
    unknowns: Sequence[Unknown],
    rows: Iterable[Sum],
    targets: Sequence[Target],
    chosen: Sequence[int],
    places: Sequence[int],
) -> dict[int, Interval]:
    """The intervals of some targets where all but the unknowns at `places` are known."""
    column = {place: i for i, place in enumerate(places)}
    lines = {tuple(column[p] for p in row if p in column) for row in rows}
    moved = [
        Target(tuple(column[p] for p in targets[i].parts if p in column), targets[i].demand) for i in chosen
    ]
    found: dict[int, Interval] = {}
    own = audit([unknowns[place] for place in places], lines - {()}, moved)
    for i, target, interval in zip(chosen, moved, own, strict=True):
        fixed = _value(unknowns, targets[i].parts) - _value(unknowns, (places[p] for p in target.parts))
        found[i] = _moved(interval, fixed)
    return found


def _value(unknowns: Sequence[Unknown], places: Iterable[int]) -> int:
    return sum(unknowns[place].value for place in places)


def _moved(interval: Interval, by: int) -> Interval:
    low, high = (None if end is None else end + by for end in (interval.low, interval.high))
    return Interval(low, high, interval.enough)


def _parts(
    unknowns: Sequence[Unknown],
    free: Sequence[int],
    rows: Sequence[Sum],
    targets: Sequence[Target],
    pending: Sequence[int],
    most: int,
) -> Iterator[tuple[list[int], list[int]]]:
    """Some targets over at most so many unknowns, each target once, and the unknowns to audit them with."""
    if len(free) <= MOST:
        yield list(pending), list(free)
        return
    left = set(free)
    largest = [sorted(row, key=lambda place: (-unknowns[place].value, place)) for row in rows]
    chosen: list[int] = []
    places: set[int] = set()
    for i in sorted(pending, key=lambda i: targets[i].parts):
        under = [p for p in targets[i].parts if p in left][:most]
        if chosen and len(places.union(under)) > most:
            yield chosen, _with_helpers(places, largest)
            chosen, places = [], set()
        chosen.append(i)
        places.update(under)
    if chosen:
        yield chosen, _with_helpers(places, largest)


def _with_helpers(places: Collection[int], largest: Sequence[Sequence[int]]) -> list[int]:
    """The largest other unknown of each equation, then the second largest of each, until there are enough."""
    chosen = set(places)
    others = [[place for place in row if place not in chosen] for row in largest]
    for rank in range(max(map(len, others), default=0)):
        for row in others:
            if len(chosen) >= MOST:
                return sorted(chosen)
            if rank < len(row):
                chosen.add(row[rank])
    return sorted(chosen)
