"""`Refused`: the one exception by which any room says no, with a code a machine can read and words a person can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request was understood and is not permitted.

    `code` is stable (`contract.expired`); `reason` is shown to the person and must leak nothing about data or
    about objects the person cannot see; `details` are plain values (term, place in the text).
    """

    def __init__(self, code: str, reason: object, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self._reason = reason  # text, or a lazy translation
        self.details: Mapping[str, Any] = details

    @property
    def reason(self) -> str:
        return str(self._reason)

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
