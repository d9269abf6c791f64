"""Files of lines: where the entries end, the entries in blocks, and what the lines after them say.

A file is read from its end first, since the checkpoint there says which roots are wanted of the entries before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from audit.verifier.form import LONGEST, is_count, is_hash
from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint

ENTRY, SCOPED_ENTRY = b'{"_prev":"', b'{"entry":"'
_CHUNK = 1 << 20
_LONGEST_ENDING = 64 << 20


class BadEnding(ValueError):
    """The lines after the entries are not as the format says; the text says what is wrong."""


@dataclass(slots=True)
class Ending:
    """`head` is what the head line states, as (entries, leaf hash in hexadecimal), None if there is no such line."""

    head: tuple[int, str] | None = None
    key_changes: list[bytes] = field(default_factory=list)  # notes, or proofs in files without all entries
    checkpoint: Checkpoint | None = None
    stray: bool = False  # between the entries and the head line stands something that is neither


def end_of_entries(file: BinaryIO, marker: bytes) -> int:
    """Offset behind the last line that starts with `marker`; 0 if none does."""
    at = file.seek(0, 2)
    later = b""  # what was read of the part behind
    while at > 0:
        start = max(0, at - _CHUNK)
        file.seek(start)
        part = file.read(at - start) + later
        found = part.rfind(b"\n" + marker) + 1
        if found or (start == 0 and part.startswith(marker)):
            return _line_end(file, start + found)
        at, later = start, part[: len(marker)]
    return 0


def blocks(file: BinaryIO, start: int, end: int, longest: int = LONGEST) -> Iterator[list[bytes]]:
    """Lines between two offsets, without newline, in lists of about 1 MiB. A line much too long ends the reading."""
    file.seek(start)
    rest, left = b"", end - start
    while chunk := file.read(min(_CHUNK, left)):
        left -= len(chunk)
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if lines:
            yield lines
        if len(rest) > longest:
            yield [rest]
            return
    if rest:
        yield [rest]


def ending(file: BinaryIO, start: int, *, with_head: bool) -> Ending:
    """What the lines from offset `start` on say. Raises BadEnding."""
    file.seek(start)
    raw = file.read(_LONGEST_ENDING + 1)
    if len(raw) > _LONGEST_ENDING:
        raise BadEnding("more than 64 MiB after the last entry")
    rest = raw.removesuffix(b"\n").split(b"\n") if raw else []
    said = Ending()
    if with_head and rest and rest[0].startswith(b'{"head":'):
        said.head = _head(rest.pop(0))
    while rest and rest[0].startswith(b'{"key_change":'):
        said.key_changes.append(_note(rest.pop(0), "key_change"))
    if rest and rest[0].startswith(b'{"checkpoint":'):
        try:
            said.checkpoint = parse_checkpoint(_note(rest.pop(0), "checkpoint"))
        except Malformed as error:
            raise BadEnding(str(error)) from None
    if rest and with_head and any(line.startswith(b'{"head":') for line in rest):
        said.stray = True
    elif rest:
        raise BadEnding(f"a line that does not belong there: {rest[0][:80].decode(errors='replace')}")
    return said


def object_of(line: bytes) -> dict[str, Any] | None:
    """A JSON object in which no key stands twice; None where the line is none."""
    try:
        said = json.loads(line.decode(), object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _line_end(file: BinaryIO, start: int) -> int:
    file.seek(start)
    at = start
    while chunk := file.read(_CHUNK):
        newline = chunk.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        at += len(chunk)
    return at


def _head(line: bytes) -> tuple[int, str]:
    said = (object_of(line) or {}).get("head")
    if (
        isinstance(said, dict)
        and said.keys() == {"entries", "leaf"}
        and is_count(said["entries"])
        and (is_hash(said["leaf"]) or (said["leaf"] == "" and said["entries"] == 0))
    ):
        again = json.dumps(
            {"head": {"entries": said["entries"], "leaf": said["leaf"]}}, separators=(",", ":")
        )
        if again.encode() == line:
            return said["entries"], said["leaf"]
    raise BadEnding('the head line is not {"head":{"entries":N,"leaf":"<64 hex>"}}')


def _note(line: bytes, name: str) -> bytes:
    said = object_of(line)
    if said is None or said.keys() != {name} or not isinstance(said[name], str):
        raise BadEnding(f'a line is not {{"{name}":"<note>"}}')
    return str(said[name]).encode(errors="surrogatepass")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result
