"""Ways to falsify a copy of the log, to show what the verifier finds. Pure; the log itself is never touched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from audit import chain


class Forgery(StrEnum):
    CHANGE = "change"  # another account is said to have done it
    REMOVE = "remove"
    REPEAT = "repeat"  # the entry stands twice
    SWAP = "swap"  # with the one after
    CUT = "cut"  # this entry and all after it are gone, the head line states the shorter log
    REWRITE = "rewrite"  # changed, and every hash after it worked out anew: a whole and consistent false log
    RESIGN = "resign"  # the same, and signed with the log's own key: what only its operator can do


# Who takes this trouble also states the new head.
CONSISTENT = frozenset({Forgery.CUT, Forgery.REWRITE, Forgery.RESIGN})
FORGED_ACTOR = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Forged:
    """A falsified copy, and what the entry was and became (None where it is gone)."""

    forgery: Forgery
    seq: int
    before: bytes = b""
    after: bytes | None = None

    def entries(self, copy: Iterable[bytes]) -> Iterator[bytes]:
        """`copy` are the log's entries, each without newline; entry `seq` is among them. Memory stays bounded."""
        make = {
            Forgery.CHANGE: self._change,
            Forgery.REMOVE: self._remove,
            Forgery.REPEAT: self._repeat,
            Forgery.SWAP: self._swap,
            Forgery.CUT: self._cut,
            Forgery.REWRITE: self._rewrite,
            Forgery.RESIGN: self._rewrite,
        }[self.forgery]
        return make(iter(copy))

    def _change(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, entry in enumerate(copy):
            yield self._falsified(entry) if seq == self.seq else entry

    def _remove(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, entry in enumerate(copy):
            if seq == self.seq:
                self.before = entry
            else:
                yield entry

    def _repeat(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, entry in enumerate(copy):
            yield entry
            if seq == self.seq:
                self.before = self.after = entry
                yield entry

    def _swap(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, entry in enumerate(copy):
            if seq == self.seq:
                self.before, self.after = entry, next(copy, None)
                if self.after is not None:
                    yield self.after
            yield entry

    def _cut(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, entry in enumerate(copy):
            if seq == self.seq:
                self.before = entry
                return
            yield entry

    def _rewrite(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        prev = chain.GENESIS
        for seq, entry in enumerate(copy):
            told = self._falsified(entry) if seq == self.seq else entry
            told = chain.seal(prev, seq, _bare(told)) if seq > self.seq else told
            prev = chain.leaf(told)
            yield told

    def _falsified(self, entry: bytes) -> bytes:
        """The same entry with another account in it, in canonical form."""
        fields = json.loads(entry)
        prev, seq = bytes.fromhex(fields["_prev"]), fields["_seq"]
        body = chain.body({**_without_place(fields), "actor": FORGED_ACTOR})
        self.before, self.after = entry, chain.seal(prev, seq, body)
        return self.after


def _bare(entry: bytes) -> bytes:
    """The entry before it was sealed."""
    return chain.body(_without_place(json.loads(entry)))


def _without_place(fields: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if not key.startswith("_")}
