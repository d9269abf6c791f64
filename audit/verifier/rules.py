"""What entries must say together: the opening, reconciliations, erasures, keys. One entry at a time, in order. Pure.

Whether an erased entry exists is looked up elsewhere (records.py), since it takes all event ids.
"""

from __future__ import annotations

import base64
import datetime as dt
import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from audit.verifier.form import Fields, is_count, is_uuid
from audit.verifier.note import (
    COSIGNATURE,
    BadSignature,
    Key,
    Malformed,
    Note,
    parse_key,
    parse_signature_lines,
)
from audit.verifier.result import Finding, Notice
from audit.verifier.wording import finding, notice

_DAY, _BEIJING = 86_400_000_000, 28_800_000_000  # microseconds: a day, and how far Beijing is ahead of UTC
_EPOCH = dt.date(1970, 1, 1).toordinal()
KEY_ACTS = ("log.key_added", "log.key_retired")
_RECONCILED = {"first", "next", "counts", "rows", "findings", "whole", "lag_ms"}


def day_of(time: int) -> str:
    """The day in Beijing, ISO 8601, of a time in microseconds since the epoch."""
    return dt.date.fromordinal(_EPOCH + (time + _BEIJING) // _DAY).isoformat()


class _Wrong(ValueError):
    """The entry breaks a rule; the text says which."""


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """The log says of itself that a key was added, or else retired. `signed`: signature lines below that.

    Whoever can write an entry can write this one: it counts by who signed it (trust.py).
    """

    seq: int
    added: bool
    vkey: str
    signed: str = ""

    def signers(self, origin: str, keys: Iterable[Key]) -> set[Key]:
        """Those of `keys` that signed it; nobody where a line by one of them does not fit."""
        text = key_statement(origin, KEY_ACTS[not self.added], self.vkey)
        try:
            lines = parse_signature_lines(self.signed.encode(errors="surrogatepass"))
            return set(Note(text, lines).signers(keys))
        except (Malformed, BadSignature):
            return set()


def key_statement(origin: str, act: str, vkey: str) -> bytes:
    """What is signed where a key comes or goes: never the text of a checkpoint, whose second line is a number."""
    return f"{origin}\n{act}\n{vkey}\n".encode()


class Rules:
    """What the entries so far have said. `entry` takes them one by one."""

    def __init__(self) -> None:
        self.origin = ""
        self.keys: list[KeyEvent] = []
        self.notices: list[Notice] = []
        self.first_time: int | None = None
        self.last_time: int | None = None
        self._days = Counter[int]()  # number of the day in Beijing -> entries
        self._names: dict[str, int] = {}  # act -> its number below
        self._totals: list[int] = []
        self._reconciled = 0  # entries below are counted by a reconciliation
        self._since = array("I")  # the acts, as numbers, of those from there on
        self._special: dict[str, Callable[[int, Fields], None]] = {
            "log.key_added": self._key_entry,
            "log.key_retired": self._key_entry,
            "log.reconciled": self._reconciliation,
            "log.erased": self._erasure,
        }

    @property
    def acts(self) -> dict[str, int]:
        """How many entries of each kind there were."""
        return {name: self._totals[number] for name, number in sorted(self._names.items())}

    @property
    def days(self) -> dict[str, int]:
        """How many entries there were on each day (ISO 8601, time of Beijing) that has any, in order."""
        return {day_of(day * _DAY - _BEIJING): number for day, number in sorted(self._days.items())}

    def entry(self, seq: int, fields: Fields) -> Finding | None:
        """Requires: `fields` have their form, and `seq` follows the one given before."""
        act, time = fields["act"], fields["t"]
        found = self.alone(seq, fields)
        number = self._names.setdefault(act, len(self._totals))
        if number == len(self._totals):
            self._totals.append(0)
        self._totals[number] += 1
        self._since.append(number)
        self._days[(time + _BEIJING) // _DAY] += 1
        self.first_time = time if self.first_time is None else min(self.first_time, time)
        self.last_time = time if self.last_time is None else max(self.last_time, time)
        return found

    def alone(self, seq: int, fields: Fields) -> Finding | None:
        """The rules without the counts: for whoever looks only at entries about keys, and at entry 0."""
        act = fields["act"]
        if (act == "log.init") != (seq == 0):
            return finding("init", seq)
        if seq == 0:
            origin = fields.get("x", {}).get("origin")
            if not isinstance(origin, str) or not origin:
                return finding("init", seq)
            self.origin = origin
        rule = self._special.get(act)
        if rule is None:
            return None
        try:
            rule(seq, fields)
        except _Wrong as wrong:
            code = {"log.reconciled": "reconciled", "log.erased": "erasure"}[act]
            return finding(code, seq, detail=wrong)
        return None

    def to_json(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "keys": [asdict(event) for event in self.keys],
            "notices": [asdict(one) for one in self.notices],
            "times": [self.first_time, self.last_time],
            "acts": list(self._names),
            "totals": self._totals,
            "days": list(self._days.items()),
            "reconciled": self._reconciled,
            "since": base64.b64encode(zlib.compress(self._since.tobytes())).decode(),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Rules:
        rules = cls()
        rules.origin, rules._reconciled = state["origin"], state["reconciled"]
        rules.keys = [KeyEvent(**event) for event in state["keys"]]
        rules.notices = [Notice(**one) for one in state["notices"]]
        rules.first_time, rules.last_time = state["times"]
        rules._names = {name: number for number, name in enumerate(state["acts"])}
        rules._totals = list(state["totals"])
        rules._days = Counter(dict(state["days"]))
        rules._since.frombytes(zlib.decompress(base64.b64decode(state["since"])))
        return rules

    def _key_entry(self, seq: int, fields: Fields) -> None:
        """One that is no statement about a key of this log changes nothing, and spoils nothing: it is mentioned."""
        said = fields.get("x", {})
        vkey, signed = said.get("vkey"), said.get("signed", "")
        if isinstance(signed, str) and isinstance(vkey, str) and self._is_ours(vkey):
            self.keys.append(KeyEvent(seq, added=fields["act"] == KEY_ACTS[0], vkey=vkey, signed=signed))
        else:
            self.notices.append(notice("no_key", seq=seq, name=self.origin))

    def _is_ours(self, vkey: str) -> bool:
        try:
            key = parse_key(vkey)
        except Malformed:
            return False
        return key.kind != COSIGNATURE and key.name == self.origin and key.vkey == vkey

    def _reconciliation(self, seq: int, fields: Fields) -> None:
        said = fields.get("x", {})
        if said.keys() != _RECONCILED:
            raise _Wrong(f"x must have {', '.join(sorted(_RECONCILED))}")
        first, after = said["first"], said["next"]
        if first != self._reconciled or not is_count(first):
            raise _Wrong(f"first is {first!r}, the one before ended at {self._reconciled}")
        if not is_count(after) or not first <= after <= seq:
            raise _Wrong(f"next is {after!r}, which is not from {first} to {seq}")
        counted = Counter(self._since[: after - first])
        counts = sorted([name, counted[number]] for name, number in self._names.items() if counted[number])
        if repr(said["counts"]) != repr(counts):  # in Python true equals 1, in JSON it does not
            raise _Wrong("counts are not those of the entries")
        self._check_rest(said)
        self._reconciled = after
        del self._since[: after - first]
        if said["findings"]:
            self.notices.append(notice("log_findings", seq=seq, number=said["findings"]))
        if not said["whole"]:
            self.notices.append(notice("log_broken", seq=seq))

    @staticmethod
    def _check_rest(said: dict[str, Any]) -> None:
        rows = said["rows"]
        if not isinstance(rows, list) or not all(
            isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) and is_count(row[1])
            for row in rows
        ):
            raise _Wrong("rows are not [kind, number]")
        if not is_count(said["findings"]) or not is_count(said["lag_ms"]) or type(said["whole"]) is not bool:
            raise _Wrong("findings and lag_ms are numbers, whole is true or false")

    @staticmethod
    def _erasure(_seq: int, fields: Fields) -> None:
        said = fields.get("x", {})
        ids, names = said.get("ids"), said.get("fields")
        if not isinstance(ids, list) or not ids or not all(is_uuid(one) for one in ids):
            raise _Wrong("ids are not event ids")
        if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
            raise _Wrong("fields are not names of fields")
        if not isinstance(said.get("basis"), str) or not said["basis"]:
            raise _Wrong("there is no basis")
