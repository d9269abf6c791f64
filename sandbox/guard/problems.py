"""Why a query is refused: every problem found, each with its code, its term and its place in the text."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.refusals import Refused

MAX_SHOWN = 20  # problems listed in one refusal


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the text, counted from 1; line 0 means "not from text" (a query built by form or API)."""

    line: int = 0
    column: int = 0
    term: str = ""


NOWHERE = Place()


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    place: Place
    code: str
    reason: str

    def to_json(self) -> dict[str, str | int]:
        return {
            "code": self.code,
            "reason": self.reason,
            "line": self.place.line,
            "column": self.place.column,
            "term": self.place.term,
        }


@dataclass(slots=True)
class Problems:
    """Collects problems so that a person can mend all of them at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, code: str, reason: str, place: Place = NOWHERE) -> None:
        problem = Problem(place, code, reason)
        if problem not in self.found:
            self.found.append(problem)

    def stop_if_any(self) -> None:
        """Raise the first problem in reading order as Refused, with all of them in details["problems"]."""
        if not self.found:
            return
        ordered = sorted(self.found)
        first = ordered[0]
        raise Refused(
            first.code,
            first.reason,
            line=first.place.line,
            column=first.place.column,
            term=first.place.term,
            problems=[problem.to_json() for problem in ordered[:MAX_SHOWN]],
        )


def refuse(code: str, reason: str, place: Place = NOWHERE) -> Refused:
    """One problem that makes looking for others pointless, as the exception to raise."""
    problems = Problems()
    problems.add(code, reason, place)
    try:
        problems.stop_if_any()
    except Refused as refused:
        return refused
    raise AssertionError("unreachable: one problem was added")
