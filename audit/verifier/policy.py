"""Whom to trust: logs, witnesses and the quorum, as a C2SP tlog-policy file says it (edition of 2026). Pure.

The file is trusted, so it comes from the auditor, never from the log. Names in it are opaque octets: they are kept as
text in which octets that are no UTF-8 stand as lone surrogates, and mean nothing outside the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from audit.verifier.note import COSIGNATURE, Key, parse_key

NONE = "none"  # the quorum that every checkpoint meets
_THRESHOLD = re.compile(r"[1-9][0-9]{0,5}")


class BadPolicy(ValueError):
    """The file is not a policy; the text names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Log:
    key: Key
    url: str  # "" where the file gives none


@dataclass(frozen=True, slots=True)
class Witness:
    name: str
    key: Key
    url: str  # "" where the file gives none


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses a checkpoint where at least `threshold` of its members do."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """`quorum` is the name of a witness or a group, or NONE. Groups stand after their members."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def satisfied_by(self, keys: Iterable[Key]) -> bool:
        """Whether cosignatures by these keys make the quorum. Keys of no witness here count for nothing."""
        cosigned = set(keys)
        witnessed = {NONE} | {witness.name for witness in self.witnesses if witness.key in cosigned}
        for group in self.groups:
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed


def parse_policy(raw: bytes) -> Policy:
    """Raises BadPolicy."""
    reading = _Reading()
    for number, line in enumerate(raw.split(b"\n"), 1):
        if any((octet < 0x20 and octet != 0x09) or octet == 0x7F for octet in line):
            raise BadPolicy(
                f"line {number}: control characters are not allowed (lines end in a newline alone)"
            )
        words = [word for word in re.split(r"[ \t]+", line.decode(errors="surrogateescape")) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.line(words)
        except ValueError as error:
            raise BadPolicy(f"line {number}: {error}") from None
    if reading.quorum is None:
        raise BadPolicy("there is no quorum line (`quorum none` demands no witness)")
    return Policy(tuple(reading.logs), tuple(reading.witnesses), tuple(reading.groups), reading.quorum)


@dataclass(slots=True)
class _Reading:
    """What the lines so far have said. A line that does not fit raises ValueError."""

    logs: list[Log] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    free: set[str] = field(default_factory=set)  # defined, and so far in no group
    defined: set[str] = field(default_factory=lambda: {NONE})

    def line(self, words: list[str]) -> None:
        known: dict[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        say = known.get(words[0])
        if say is None:
            raise ValueError(f"{words[0]!r} is none of log, witness, group, quorum")
        say(words[1:])

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise ValueError("expected: log <vkey> [<url>]")
        key = parse_key(words[0])
        if key.kind == COSIGNATURE:
            raise ValueError("this is the key of a witness, not of a log")
        if any(log.key.public == key.public for log in self.logs):
            raise ValueError("this log's key stands twice")
        self.logs.append(Log(key, "".join(words[1:])))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise ValueError("expected: witness <name> <vkey> [<url>]")
        key = parse_key(words[1])
        if key.kind != COSIGNATURE:
            raise ValueError("this is the key of a log, not of a witness")
        if any(witness.key.public == key.public for witness in self.witnesses):
            raise ValueError("this witness's key stands twice")
        self._define(words[0])
        self.witnesses.append(Witness(words[0], key, "".join(words[2:])))

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise ValueError("expected: group <name> all|any|<k> <name>...")
        name, threshold, members = words[0], words[1], words[2:]
        for member in members:
            if member not in self.free:
                raise ValueError(f"{member!r} is not defined above, or is a member already")
            self.free.remove(member)
        needed = {"all": str(len(members)), "any": "1"}.get(threshold, threshold)
        if not _THRESHOLD.fullmatch(needed) or int(needed) > len(members):
            raise ValueError(f"{threshold!r} is not all, any, or a number from 1 to {len(members)}")
        self._define(name)
        self.groups.append(Group(name, int(needed), tuple(members)))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise ValueError("expected: quorum <name>")
        if self.quorum is not None:
            raise ValueError("a policy has one quorum line")
        if words[0] not in self.defined:
            raise ValueError(f"{words[0]!r} is not defined above")
        self.quorum = words[0]

    def _define(self, name: str) -> None:
        if name in self.defined:
            raise ValueError(f"the name {name!r} is taken")
        self.defined.add(name)
        self.free.add(name)
