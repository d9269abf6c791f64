"""`Cursor`: a place in a JSON document, read strictly. What is not asked for is refused, with its path."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from audit.refusals import Refused


def unknown(path: str, what: str) -> Refused:
    return Refused(
        "policy.unknown_term",
        f"The policy says what this data space cannot enforce, at {path}: {what}. Remove or reword it.",
        path=path,
    )


def missing(path: str, what: str) -> Refused:
    return Refused(
        "policy.missing_term", f"The policy lacks a term at {path}: {what}. Add it and try again.", path=path
    )


def bad_value(path: str, what: str) -> Refused:
    return Refused("policy.bad_value", f"The policy has a wrong value at {path}: {what}.", path=path)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value and where it stands (`$.permission[0].action`). Every method raises `Refused` on a surprise."""

    value: Any
    path: str = "$"

    def fields(self, required: Collection[str]) -> dict[str, Cursor]:
        """The members of an object that must have exactly these keys."""
        if not isinstance(self.value, dict):
            raise bad_value(self.path, "an object is expected")
        for key in self.value:
            if key not in required:
                raise unknown(f"{self.path}.{str(key)[:80]}", "this key is not part of the profile")
        for key in required:
            if key not in self.value:
                raise missing(self.path, f"the key {key}")
        return {key: Cursor(value, f"{self.path}.{key}") for key, value in self.value.items()}

    def items(self, length: int | None = None) -> list[Cursor]:
        """The members of an array, of this length where one is given."""
        if not isinstance(self.value, list):
            raise bad_value(self.path, "an array is expected")
        found = [Cursor(value, f"{self.path}[{n}]") for n, value in enumerate(self.value)]
        if length is not None and len(found) > length:
            raise unknown(found[length].path, f"only {length} expected")
        if length is not None and len(found) < length:
            raise missing(self.path, f"{length} expected")
        return found

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise bad_value(self.path, "text is expected")
        return str(self.value)

    def texts(self) -> tuple[str, ...]:
        return tuple(item.text() for item in self.items())

    def integer(self) -> int:
        if type(self.value) is not int:  # a bool is an int in Python, not in a contract
            raise bad_value(self.path, "a whole number is expected")
        return self.value

    def exactly(self, expected: str) -> None:
        if self.text() != expected:
            raise unknown(self.path, f"only {expected} is allowed here")
