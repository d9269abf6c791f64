"""The log as a strip of blocks: one for each of the newest checkpoints, then what is not signed yet."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from audit.models import Checkpoint
from dataspace.portal.doors import address

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Block:
    """Entries `first` to `last`, which the checkpoint signed and none before it."""

    first: int
    last: int
    root: str  # base64
    made: datetime
    witnesses: tuple[str, ...]
    stamped: bool

    @property
    def entries(self) -> int:
        return self.last - self.first + 1

    @property
    def url(self) -> str:
        """The page of the log that begins with the newest entry of the block."""
        return f"{address('portal:audit')}?before={self.last + 1}#entries"


@dataclass(frozen=True, slots=True)
class Strip:
    """`blocks` oldest first; `unsigned` entries follow the last of them."""

    blocks: list[Block]
    unsigned: int

    @property
    def newest(self) -> Block | None:
        return self.blocks[-1] if self.blocks else None


def strip(entries: int) -> Strip:
    """Of a log of so many sealed entries. One query."""
    newest = list(Checkpoint.objects.defer("note", "note_sm3")[: SHOWN + 1])[::-1]
    # The one before the oldest says where that block begins; of a log with fewer, the first begins at 0.
    starts = [0, *(checkpoint.size for checkpoint in newest)]
    blocks = [
        Block(
            start, c.size - 1, b64encode(bytes(c.root)).decode(), c.made,
            tuple(cosigner["name"] for cosigner in c.cosigners), c.stamp is not None,
        )
        for start, c in zip(starts, newest, strict=False)
    ]  # fmt: skip
    signed = newest[-1].size if newest else 0
    return Strip(blocks[-SHOWN:], max(entries - signed, 0))
