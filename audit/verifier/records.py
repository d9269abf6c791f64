"""What takes all event ids at once: that none stands twice, that erasures name entries there are, personal fields.

Memory stays bounded: what is noted of an event goes to one of 256 parts by the first byte of its id, and waits in
temporary files once there is much of it. At the end one part after the other is looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from audit.verifier.form import Fields, is_count, is_hash, is_uuid
from audit.verifier.lines import object_of
from audit.verifier.result import Finding, Notice, Personal, Unreadable
from audit.verifier.wording import finding, notice

_PARTS = 256
_BUFFERED = 8 << 20  # bytes in memory, before they go to files
_LONGEST_LINE = 1 << 20
_ID, _SEQ = 16, 8  # bytes


class Settled(NamedTuple):
    findings: list[Finding]  # the first that each part shows
    personal: Personal
    notices: list[Notice]


class Records:
    """Of each event: where it stands, its commitments, its erasures and openings. Use as a context manager."""

    def __init__(self) -> None:
        self._places = [bytearray() for _ in range(_PARTS)]  # id, seq; id, seq; …
        self._words = [bytearray() for _ in range(_PARTS)]  # JSON lines: [what, id, seq, …]
        self._buffered = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.with_openings = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def entry(self, seq: int, fields: Fields) -> None:
        """Requires: `fields` have their form, and those of an erasure what the rules demand."""
        event = bytes.fromhex(fields["id"].replace("-", ""))
        self._places[event[0]] += event + seq.to_bytes(_SEQ, "big")
        self._buffered += _ID + _SEQ
        if "pc" in fields:
            self._say("pc", fields["id"], seq, fields["pc"])
        if fields["act"] == "log.erased":
            for erased in fields["x"]["ids"]:
                self._say("erased", erased, seq, fields["x"]["fields"])
        if self._buffered > _BUFFERED:
            self._spill()

    def openings(self, file: BinaryIO) -> None:
        """Take in an openings file. Raises Unreadable."""
        self.with_openings = True
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), b""), 1):
            opened = _opening(line)
            if opened is None:
                raise Unreadable(f"line {number} of the openings is not as docs/audit-log.md says")
            self._say("opened", opened["id"], opened["seq"], opened)
            if self._buffered > _BUFFERED:
                self._spill()

    def settle(self) -> Settled:
        """Once, when everything was taken in."""
        findings, notices, states = [], [], Counter[str]()
        for part in range(_PARTS):
            settling = _Settling(self._read("places", part), with_openings=self.with_openings)
            for line in self._read("words", part).splitlines():
                settling.say(*json.loads(line))
            settling.settle()
            findings += settling.findings
            notices += settling.notices
            states += settling.states
        return Settled(findings, Personal(**states), notices)

    def _say(self, what: str, event: str, seq: int, more: Any) -> None:
        line = json.dumps([what, event, seq, more]).encode() + b"\n"
        self._words[int(event[:2], 16)] += line
        self._buffered += len(line)

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="audit-verifier-")
        for kind, parts in (("places", self._places), ("words", self._words)):
            for part, buffer in enumerate(parts):
                if buffer:
                    with self._path(kind, part).open("ab") as file:
                        file.write(buffer)
                    buffer.clear()
        self._buffered = 0

    def _read(self, kind: str, part: int) -> bytes:
        buffer = bytes({"places": self._places, "words": self._words}[kind][part])
        if self._folder is None or not self._path(kind, part).exists():
            return buffer
        return self._path(kind, part).read_bytes() + buffer

    def _path(self, kind: str, part: int) -> Path:
        assert self._folder is not None
        return Path(self._folder.name, f"{kind}-{part}")


class _Settling:
    """One part, put together."""

    def __init__(self, places: bytes, *, with_openings: bool) -> None:
        self.findings: list[Finding] = []
        self.notices: list[Notice] = []
        self.states: Counter[str] = Counter()
        self._with_openings = with_openings
        self._seqs: dict[str, int] = {}
        self._commitments: dict[tuple[str, str], str] = {}
        self._erased: set[tuple[str, str]] = set()
        self._opened: dict[tuple[str, str], dict[str, Any]] = {}
        for event, seq in _places(places):
            if event in self._seqs:
                self.findings.append(finding("repeated", seq))
            self._seqs.setdefault(event, seq)

    def say(self, what: str, event: str, seq: int, more: Any) -> None:
        event = event.replace("-", "")
        match what:
            case "pc":
                self._commitments |= {(event, name): one for name, one in more.items()}
            case "erased":
                if self._seqs.get(event, seq) >= seq:
                    self.findings.append(
                        finding("erasure", seq, detail=f"no entry before it has the id {event}")
                    )
                self._erased |= {(event, name) for name in more}
            case _:
                if (event, more["field"]) in self._opened:
                    self.findings.append(finding("opening_repeated", more["seq"], name=more["field"]))
                self._opened[event, more["field"]] = more

    def settle(self) -> None:
        for place, opened in self._opened.items():
            known = self._seqs.get(place[0]) == opened["seq"] and place in self._commitments
            if not known:
                self.findings.append(finding("opening_unknown", opened["seq"], name=place[1]))
        for place, commitment in self._commitments.items():
            self.states[self._state(place, commitment)] += 1

    def _state(self, place: tuple[str, str], commitment: str) -> str:
        opened, seq, name = self._opened.get(place), self._seqs[place[0]], place[1]
        told = opened is not None and "withheld" not in opened
        if opened is not None and told and not _fits(opened, commitment):
            self.findings.append(finding("opening", seq, name=name))
        if place in self._erased:
            if told:
                self.notices.append(notice("still_opened", seq=seq, name=name))
            return "erased"
        if told:
            return "opened"
        if opened is not None or not self._with_openings:
            return "withheld"
        self.findings.append(finding("missing", seq, name=name))
        return "missing"


def _places(raw: bytes) -> Iterator[tuple[str, int]]:
    for at in range(0, len(raw), _ID + _SEQ):
        yield raw[at : at + _ID].hex(), int.from_bytes(raw[at + _ID : at + _ID + _SEQ], "big")


def _fits(opened: dict[str, Any], commitment: str) -> bool:
    said = opened["field"].encode() + b"\x00" + opened["value"].encode()
    computed = hmac.new(bytes.fromhex(opened["salt"]), said, hashlib.sha256)
    return hmac.compare_digest(computed.hexdigest(), commitment)


def _opening(line: bytes) -> dict[str, Any] | None:
    """None where the line is no opening."""
    if len(line) > _LONGEST_LINE:
        return None
    try:
        said = object_of(line)
        if said is None or not isinstance(said.get("field"), str):
            return None
        place = is_uuid(said.get("id")) and is_count(said.get("seq"))
        opened = is_hash(said.get("salt")) and isinstance(said.get("value"), str)
        said["field"].encode()
        str(said.get("value")).encode()
    except ValueError:
        return None
    if place and said.keys() == {"field", "id", "salt", "seq", "value"} and opened:
        return said
    if place and said.keys() == {"field", "id", "seq", "withheld"} and said["withheld"] is True:
        return said
    return None
