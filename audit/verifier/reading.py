"""Reading a log from its first entry on: chain and tree, then form and rules. Can stop anywhere and go on later.

The first pass looks at stored bytes alone: `_prev` and `_seq` stand at fixed places, one hash per entry serves chain
and tree. The second pass, left out with `fast`, looks into each entry. Both go block by block, so that memory stays
bounded and the first broken entry is the one that is named.
"""

from __future__ import annotations

import base64
import hashlib
from binascii import hexlify
from collections.abc import Iterable
from dataclasses import asdict
from itertools import count, islice
from typing import Any

from audit.verifier.form import LONGEST, NotForm, fields_of
from audit.verifier.records import Records
from audit.verifier.result import Finding, Verdict
from audit.verifier.rules import Rules
from audit.verifier.tree import Frontier, leaf_hash
from audit.verifier.wording import finding

BLOCK = 4096  # entries looked at together
_OPENING = b'{"_prev":"'
_PLACE = b'{"_prev":"%b","_seq":%d,'  # what every entry begins with
_AFTER_PREV = b'","_seq":'
_ABOUT_KEYS = b'"act":"log.key_'
_ZEROS = b"0" * 64


class Reading:
    """How far a log was read, and what was found: `finding` is the first fault, and the reading ends there.

    `sizes` are tree sizes of which the root is wanted: `roots` has those that were reached. `heads` are leaf hashes
    that the log should hold: those found are taken out. `records` takes note of every event; without it, repeated
    event ids, erasures of absent entries and personal fields are not looked for.
    """

    def __init__(
        self,
        *,
        sizes: Iterable[int] = (),
        heads: Iterable[bytes] = (),
        fast: bool = False,
        records: Records | None = None,
    ) -> None:
        self.fast = fast
        self.frontier = Frontier()
        self.roots: dict[int, bytes] = {}
        self.heads = set(heads)
        self.rules = Rules()
        self.finding: Finding | None = None
        self._records = records
        self._head = _ZEROS  # leaf hash of the last whole entry, hexadecimal
        self._suspect: bytes | None = (
            None  # holds another hash of the entry before; the next one tells who is wrong
        )
        self._wanted = sorted(set(sizes))
        self._reach([])

    @property
    def entries(self) -> int:
        """How many were read and found whole."""
        return self.frontier.size

    @property
    def head(self) -> str:
        """Leaf hash of the last of them, hexadecimal; 64 zeros before the first."""
        return self._head.decode()

    def feed(self, entries: Iterable[bytes]) -> None:
        """The entries that follow, each without newline. Once there is a finding, nothing more is read."""
        rest = iter(entries)
        while self.finding is None and (block := list(islice(rest, BLOCK))):
            self.block(block)

    def block(self, entries: list[bytes]) -> list[bytes]:
        """The same for a list short enough to be held twice. Returns the leaf hashes of those that are whole."""
        if self.finding is not None or not entries:
            return []
        if self._suspect is not None:
            self._resolve(self._suspect, entries[0][10:74])
            return []
        first, leaves = self.entries, self._chain(entries)
        whole = entries[: len(leaves)]
        self.finding = self._keys_only(first, whole) if self.fast else self._look_into(first, whole)
        self._reach(leaves)
        if self.finding is None and len(leaves) < len(entries):
            self._broken(entries[len(leaves)], entries[len(leaves) + 1 : len(leaves) + 2])
        return leaves

    def hashes(self, leaves: list[bytes]) -> None:
        """Leaf hashes that follow, where the entries themselves are not there: the tree grows, nothing is checked."""
        self._reach(leaves)

    def finish(self, stated_head: str = "") -> None:
        """There are no more entries. `stated_head` is the hash of the last one where something states it."""
        if self._suspect is not None and self.finding is None:
            self._resolve(self._suspect, stated_head.encode())

    def _chain(self, entries: list[bytes]) -> list[bytes]:
        """Leaf hashes of the entries up to the first that does not stand where it says."""
        sha256 = hashlib.sha256
        leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
        heads = [self._head, *map(hexlify, leaves)]
        places = zip(heads, count(self.entries), strict=False)
        stands = [
            entry.startswith(_PLACE % place) and len(entry) <= LONGEST
            for entry, place in zip(entries, places, strict=False)
        ]
        whole = stands.index(False) if False in stands else len(entries)
        self._head = heads[whole]
        return leaves[:whole]

    def _reach(self, leaves: list[bytes]) -> None:
        """Let the tree grow, stopping where a root is wanted."""
        done = 0
        while self._wanted and self._wanted[0] <= self.entries + len(leaves) - done:
            upto = done + self._wanted[0] - self.entries
            self.frontier.extend(leaves[done:upto])
            self.roots[self._wanted.pop(0)] = self.frontier.root()
            done = upto
        self.frontier.extend(leaves[done:] if done else leaves)
        if self.heads:
            self.heads.difference_update(leaves)

    def _look_into(self, seq: int, entries: list[bytes]) -> Finding | None:
        rules, records = self.rules.entry, self._records
        for place, entry in enumerate(entries, seq):
            try:
                fields = fields_of(entry)
            except NotForm as wrong:
                return finding(wrong.code, place, detail=wrong)
            found = rules(place, fields)
            if found is not None:
                return found
            if records is not None:
                records.entry(place, fields)
        return None

    def _keys_only(self, seq: int, entries: list[bytes]) -> Finding | None:
        """Which keys to trust the log says in its entries: those are looked into even in the fast pass."""
        for place, entry in enumerate(entries, seq):
            if place == 0 or entry.find(_ABOUT_KEYS, 80, 128) > 0:
                try:
                    found = self.rules.alone(place, fields_of(entry))
                except NotForm as wrong:
                    return finding(wrong.code, place, detail=wrong)
                if found is not None:
                    return found
        return None

    def _broken(self, entry: bytes, following: list[bytes]) -> None:
        """The entry at the next place does not stand there: say what is wrong with it."""
        seq = self.entries
        said = entry[74 : 74 + len(_AFTER_PREV) + 20].removeprefix(_AFTER_PREV).partition(b",")[0]
        if len(entry) > LONGEST:
            self.finding = finding("overlong", seq)
        elif entry.startswith(b'{"head":'):
            self.finding = finding("after_head", seq)
        elif not entry.startswith(_OPENING) or not said.isdigit():
            self.finding = finding("not_entry", seq)
        elif said != b"%d" % seq:
            self.finding = finding("sequence", seq, found=said.decode())
        elif seq == 0:
            self.finding = finding("first_link", 0)
        else:
            self._suspect = entry
            if following:
                self._resolve(entry, following[0][10:74])

    def _resolve(self, suspect: bytes, hash_of_suspect: bytes) -> None:
        """Either the entry before was changed, or the suspect, in the hash it holds of that entry.

        It was the suspect if with the right hash in it, it is what the next entry says it was.
        """
        seq = self.entries
        restored = suspect[:10] + self._head + suspect[74:]
        if hexlify(leaf_hash(restored)) == hash_of_suspect:
            self.finding = finding("backlink", seq, before=seq - 1)
        else:
            self.finding = finding("link", seq - 1)
        self._suspect = None

    def to_json(self) -> dict[str, Any]:
        """Everything but what `records` noted, as plain values."""
        return {
            "fast": self.fast,
            "size": self.entries,
            "frontier": [root.hex() for root in self.frontier.roots],
            "head": self.head,
            "suspect": None if self._suspect is None else base64.b64encode(self._suspect).decode(),
            "wanted": self._wanted,
            "roots": {str(size): root.hex() for size, root in self.roots.items()},
            "heads": sorted(head.hex() for head in self.heads),
            "rules": self.rules.to_json(),
            "finding": None if self.finding is None else asdict(self.finding),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any], records: Records | None = None) -> Reading:
        """What `to_json` gave, and nobody else could have written to: it is believed."""
        reading = cls(fast=state["fast"], heads=map(bytes.fromhex, state["heads"]), records=records)
        reading.frontier = Frontier(state["size"], [bytes.fromhex(root) for root in state["frontier"]])
        reading.roots = {int(size): bytes.fromhex(root) for size, root in state["roots"].items()}
        reading.rules = Rules.from_json(state["rules"])
        reading._head = state["head"].encode()
        reading._suspect = None if state["suspect"] is None else base64.b64decode(state["suspect"])
        reading._wanted = list(state["wanted"])
        if state["finding"] is not None:
            told = state["finding"]
            reading.finding = Finding(**{**told, "verdict": Verdict(told["verdict"])})
        return reading
