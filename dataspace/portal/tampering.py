"""Ways to falsify a copy of the log, to show what the verifier finds. Pure; the log itself is never touched.

A copy is the lines of an export (`audit.export.chain_lines`); the last states the head.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from audit import chain
from audit.chain import leaf


class Forgery(StrEnum):
    CHANGE = "change"  # another account is said to have done it
    REMOVE = "remove"
    REPEAT = "repeat"  # the entry stands twice
    SWAP = "swap"  # with the one after
    CUT = "cut"  # this entry and all after it are gone, the head line states the shorter log
    REWRITE = "rewrite"  # changed, and every hash after it worked out anew: a whole and consistent false log


FORGED_ACTOR = "00000000-0000-4000-8000-000000000000"


@dataclass(slots=True)
class Forged:
    """The lines of a falsified copy, and what the entry was and became (None where it is gone)."""

    forgery: Forgery
    seq: int
    before: bytes = b""
    after: bytes | None = None

    def lines(self, copy: Iterable[bytes]) -> Iterator[bytes]:
        """Requires: entry `seq` exists in `copy`. Memory stays bounded: line by line."""
        make = {
            Forgery.CHANGE: self._change,
            Forgery.REMOVE: self._remove,
            Forgery.REPEAT: self._repeat,
            Forgery.SWAP: self._swap,
            Forgery.CUT: self._cut,
            Forgery.REWRITE: self._rewrite,
        }[self.forgery]
        return make(iter(copy))

    def _change(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, line in enumerate(copy):
            yield self._falsified(line) if seq == self.seq else line

    def _remove(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, line in enumerate(copy):
            if seq == self.seq:
                self.before = line
            else:
                yield line

    def _repeat(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, line in enumerate(copy):
            yield line
            if seq == self.seq:
                self.before = self.after = line
                yield line

    def _swap(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        for seq, line in enumerate(copy):
            if seq == self.seq:
                self.before, self.after = line, next(copy)
                yield self.after
            yield line

    def _cut(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        last, kept = "", 0
        for seq, line in enumerate(copy):
            if seq == self.seq:
                self.before = line
                break
            last, kept = leaf(line.rstrip(b"\n")).hex(), seq + 1
            yield line
        yield _head(kept, last)

    def _rewrite(self, copy: Iterator[bytes]) -> Iterator[bytes]:
        prev, seq = chain.GENESIS, 0
        for line in copy:
            if line.startswith(b'{"head":'):
                break
            told = self._falsified(line) if seq == self.seq else line
            entry = chain.seal(prev, seq, _body(told)) if seq > self.seq else told.rstrip(b"\n")
            prev, seq = leaf(entry), seq + 1
            yield entry + b"\n"
        yield _head(seq, prev.hex())

    def _falsified(self, line: bytes) -> bytes:
        """The same entry with another account in it, in canonical form."""
        fields = json.loads(line)
        fields["actor"] = FORGED_ACTOR
        prev, seq = bytes.fromhex(fields["_prev"]), fields["_seq"]
        entry = chain.seal(prev, seq, _bare(fields)) + b"\n"
        self.before, self.after = line, entry
        return entry


def _body(line: bytes) -> bytes:
    return _bare(json.loads(line))


def _bare(fields: dict[str, object]) -> bytes:
    """The entry before it was sealed."""
    return chain.body({key: value for key, value in fields.items() if not key.startswith("_")})


def _head(entries: int, last: str) -> bytes:
    return json.dumps({"head": {"entries": entries, "leaf": last}}, separators=(",", ":")).encode() + b"\n"
