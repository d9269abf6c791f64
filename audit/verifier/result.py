"""What a verification found: the object that the command line, the HTML report and the web page show. Pure.

Three things are kept apart: a log that is broken in itself, input that cannot be read, and a log that is whole but
contradicts what is known from outside (keys, quorum, checkpoints noted before).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any


class Unreadable(ValueError):
    """What was given cannot be used; the text says what to give instead."""


class Verdict(IntEnum):
    """The exit code of the command line."""

    WHOLE = 0
    BROKEN = 1
    UNREADABLE = 2
    CONTRADICTED = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong. `seq` is the first entry at which it shows (from 0); None where it lies at no entry.

    `code` is stable: audit/verifier/wording.py lists them all.
    """

    seq: int | None
    code: str
    verdict: Verdict
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is not wrong, and yet the reader should know: something was not checked, or looks odd. `code` is stable."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A trusted key whose signature on the checkpoint was checked and fits."""

    name: str
    vkey: str
    algorithm: str  # "Ed25519" or "SM2/SM3"


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness of the policy whose cosignature on the checkpoint was checked and fits."""

    name: str  # as the policy calls it
    vkey: str
    time: int  # seconds since the epoch, as the witness states it


@dataclass(frozen=True, slots=True)
class Personal:
    """How many personal fields stand in each state (docs/audit-log.md)."""

    opened: int = 0
    withheld: int = 0
    erased: int = 0
    missing: int = 0


@dataclass(slots=True)
class Report:
    """All that one verification found. Times of entries are microseconds since the epoch, None where not read."""

    source: str = ""  # what was read: a path, or ""
    kind: str = "log"  # "log", "folder", "scoped" or "receipt"
    origin: str = ""  # of the checkpoint, or of entry 0 where there is none; "" if unknown
    entries: int = 0  # entries read and found whole, from the first
    head: str = "0" * 64  # leaf hash of the last of them, hexadecimal
    scope: str = ""  # organization id of a scoped export
    size: int | None = None  # of the checkpoint; None if there is none
    root: str = ""  # of the checkpoint, base64
    signers: tuple[Signer, ...] = ()
    cosigners: tuple[Cosigner, ...] = ()
    quorum: bool | None = None  # None: no policy was given
    sm3_size: int | None = None  # of the checkpoint over the parallel tree; None if there is none
    finding: Finding | None = None
    warnings: tuple[Notice, ...] = ()
    thorough: bool = True  # False: stored bytes only (`--fast`), no fields were looked at
    personal: Personal = field(default_factory=Personal)
    facts: dict[str, str] = field(default_factory=dict)  # of a receipt: release, contract, result, entry
    acts: dict[str, int] = field(default_factory=dict)  # entries of each kind, by their `act`
    days: dict[str, int] = field(
        default_factory=dict
    )  # entries of each day that has any, ISO 8601, time of Beijing
    first_time: int | None = None
    last_time: int | None = None
    seconds: float = 0.0  # the verification took
    when: int = 0  # it began: seconds since the epoch

    @property
    def ok(self) -> bool:
        return self.finding is None

    @property
    def verdict(self) -> Verdict:
        return Verdict.WHOLE if self.finding is None else self.finding.verdict

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json.dumps`."""
        return {"verdict": self.verdict.name.lower(), **asdict(self)}
