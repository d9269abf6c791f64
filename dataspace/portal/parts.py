"""What the parts of a page take: plain values that a view builds and one include prints.

`templates/parts/README.md` shows each in use. Text fields take lazy translations as well as plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django_stubs_ext import StrOrPromise

from audit.refusals import Refused

Tone = Literal["", "primary", "danger"]
StepState = Literal["done", "now", "next", "stopped"]
ValueKind = Literal["text", "number", "moment", "day", "digest", "mono", "grade", "kind", "state"]


@dataclass(frozen=True, slots=True)
class Crumb:
    """One place above this page."""

    label: StrOrPromise
    url: str


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done next: a link, or with `post` a button in a form of its own.

    `refused` greys it out and says why: the text of the same check that the service would make.
    `fields` are hidden values sent along with a POST.
    """

    label: StrOrPromise
    url: str
    tone: Tone = ""
    icon: str = ""
    post: bool = False
    refused: StrOrPromise = ""
    fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Tab:
    label: StrOrPromise
    url: str
    current: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One stage on the way. `holder` is who has it in hand (or did it), `since` when it came to them."""

    label: StrOrPromise
    state: StepState
    holder: StrOrPromise = ""
    since: datetime | None = None
    note: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One thing that waits for the reader. `what` is the step asked of them."""

    title: StrOrPromise
    url: str
    what: StrOrPromise
    holder: StrOrPromise = ""
    since: datetime | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    label: StrOrPromise
    value: object
    kind: ValueKind = "text"
    url: str = ""
    help: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class Stat:
    """One figure. A figure without a way to what it counts is decoration: give `url` where there is one."""

    label: StrOrPromise
    value: object
    unit: StrOrPromise = ""
    note: StrOrPromise = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Col:
    """A table's column. `sort` is the name the page sorts by; "" for a column that does not sort."""

    label: StrOrPromise
    numeric: bool = False
    sort: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    value: object
    url: str = ""
    kind: ValueKind = "text"
    note: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What an empty list says: what will be here, and how to begin."""

    title: StrOrPromise
    text: StrOrPromise = ""
    action: Action | None = None
    icon: str = "inbox"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of `Cell` or plain values, as many as `columns`. `None` prints as withheld.

    `withheld` adds the legend of the mark. On a narrow screen the rows scroll in a box or become cards.
    """

    caption: StrOrPromise
    columns: Sequence[Col]
    rows: Sequence[Sequence[object]]
    empty: Empty | None = None
    withheld: bool = False
    narrow: Literal["scroll", "cards"] = "scroll"

    @property
    def filled(self) -> list[list[tuple[Col, Cell]]]:
        """Each row as (column, cell) pairs, which is what the template walks."""
        return [
            [
                (column, value if isinstance(value, Cell) else Cell(value))
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Download:
    label: StrOrPromise
    url: str
    note: StrOrPromise = ""
    refused: StrOrPromise = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A place in a text, from 1, and what is wrong there. Length 0 marks the word at the place."""

    line: int
    column: int
    text: StrOrPromise
    length: int = 0

    @classmethod
    def of(cls, refused: Refused) -> Problem | None:
        """The place a refusal names; None where it names none (its `line` is absent or 0)."""
        line, column = refused.details.get("line", 0), refused.details.get("column", 0)
        return cls(line, column, refused.reason) if line and column else None
