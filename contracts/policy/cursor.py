"""`Cursor`: a place in a JSON document, read strictly. What is not asked for is refused, with its path."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from audit.refusals import Refused
from audit.wording import say


def unknown(path: str, what: str) -> Refused:
    """`what`, here and below: part of a sentence, said already."""
    reason = say(
        "The policy says what this data space cannot enforce, at %(path)s: %(what)s. Remove or reword it.",
        path=path,
        what=what,
    )
    return Refused("policy.unknown_term", reason, path=path)


def missing(path: str, what: str) -> Refused:
    reason = say("The policy lacks a term at %(path)s: %(what)s. Add it and try again.", path=path, what=what)
    return Refused("policy.missing_term", reason, path=path)


def bad_value(path: str, what: str) -> Refused:
    reason = say("The policy has a wrong value at %(path)s: %(what)s.", path=path, what=what)
    return Refused("policy.bad_value", reason, path=path)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value and where it stands (`$.permission[0].action`). Every method raises `Refused` on a surprise."""

    value: Any
    path: str = "$"

    def fields(self, required: Collection[str]) -> dict[str, Cursor]:
        """The members of an object that must have exactly these keys."""
        if not isinstance(self.value, dict):
            raise bad_value(self.path, say("an object is expected"))
        for key in self.value:
            if key not in required:
                raise unknown(f"{self.path}.{str(key)[:80]}", say("this key is not part of the profile"))
        for key in required:
            if key not in self.value:
                raise missing(self.path, say("the key %(key)s", key=key))
        return {key: Cursor(value, f"{self.path}.{key}") for key, value in self.value.items()}

    def items(self, length: int | None = None) -> list[Cursor]:
        """The members of an array, of this length where one is given."""
        if not isinstance(self.value, list):
            raise bad_value(self.path, say("an array is expected"))
        found = [Cursor(value, f"{self.path}[{n}]") for n, value in enumerate(self.value)]
        if length is not None and len(found) > length:
            raise unknown(found[length].path, say("only %(count)d expected", count=length))
        if length is not None and len(found) < length:
            raise missing(self.path, say("%(count)d expected", count=length))
        return found

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise bad_value(self.path, say("text is expected"))
        return str(self.value)

    def texts(self) -> tuple[str, ...]:
        return tuple(item.text() for item in self.items())

    def integer(self) -> int:
        if type(self.value) is not int:  # a bool is an int in Python, not in a contract
            raise bad_value(self.path, say("a whole number is expected"))
        return self.value

    def exactly(self, expected: str) -> None:
        if self.text() != expected:
            raise unknown(self.path, say("only %(value)s is allowed here", value=expected))
