"""What encoding and line ends a text file has, and its copy as plain UTF-8."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from audit.wording import say
from catalog.ingest.engine import Progress, silent
from catalog.ingest.errors import IngestError

CHUNK = 1 << 20
SAMPLE = 1 << 18
SIGNS = ",;\t|\n"
FAMILIAR = 0.6  # share of frequent ideographs above which a Chinese encoding is believed
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """`plain`: UTF-8 without mark and with one kind of line end, so that the file can be read in place."""

    name: str
    plain: bool = False
    newline: str = "\n"
    warning: str = ""


@dataclass(slots=True)
class _Bytes:
    """What one pass over the bytes found."""

    utf8: bool = True
    zero: bool = False
    returns: int = 0
    feeds: int = 0
    pairs: int = 0

    @property
    def newline(self) -> str | None:
        if not self.returns:
            return "\n"
        return "\r\n" if self.returns == self.feeds == self.pairs else None


def detect(path: Path) -> Encoding:
    """Read the whole file once. Raises IngestError source.empty or source.nul_bytes."""
    head = path.open("rb").read(4) if path.stat().st_size else b""
    if not head:
        raise IngestError(
            "source.empty", say("The file is empty. Upload a file with a header line and rows.")
        )
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name)
    seen = _scan(path)
    if seen.zero:
        return Encoding(_wide(path))
    if seen.utf8:
        return Encoding("utf-8", plain=seen.newline is not None, newline=seen.newline or "\n")
    return _legacy(path)


def _scan(path: Path) -> _Bytes:
    seen, decoder, last = _Bytes(), codecs.getincrementaldecoder("utf-8")("strict"), b""
    for chunk in _chunks(path):
        seen.zero = seen.zero or b"\0" in chunk
        if b"\r" in chunk or last == b"\r":
            seen.returns += chunk.count(b"\r")
            seen.pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
        last = chunk[-1:]
        seen.utf8 = seen.utf8 and _decodes(decoder, chunk)
    seen.utf8 = seen.utf8 and _decodes(decoder, b"")
    if seen.returns:
        seen.feeds = sum(chunk.count(b"\n") for chunk in _chunks(path))
    return seen


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    """Whether the stream is still valid; the empty chunk ends it."""
    if chunk.isascii() and chunk and decoder.getstate() == (b"", 0):
        return True
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _sample(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(SAMPLE)


def _wide(path: Path) -> str:
    """UTF-16 without a mark: the reading that keeps the separators and line ends which the bytes seem to hold.

    Ideographs hold a few such bytes by chance (上 is 4E0A), hence a third is enough.
    """
    sample = _sample(path)
    signs = {
        name: sum(sample[: len(sample) & ~1].decode(name, "replace").count(sign) for sign in SIGNS)
        for name in ("utf-16-le", "utf-16-be")
    }
    name = max(signs, key=lambda key: signs[key])
    if signs[name] * 3 <= sum(sample.count(sign.encode()) for sign in SIGNS):
        raise IngestError("source.nul_bytes", say("The file holds zero bytes. Export it again as CSV."))
    return name


def _legacy(path: Path) -> Encoding:
    sample = _sample(path)
    scores = {name: _familiar(sample, name) for name in ("gb18030", "big5hkscs")}
    name = max(scores, key=lambda key: scores[key])
    if scores[name] >= FAMILIAR:
        return Encoding(name)
    return Encoding(
        "latin-1",
        warning=say(
            "The encoding could not be recognised and was read as Latin-1. Check the text, or name the encoding."
        ),
    )


def _familiar(sample: bytes, name: str) -> float:
    """Share of the non-ASCII letters of `sample`, read as `name`, that are frequent in that script; -1 if unreadable.

    Level 1 of GB 2312 (lead bytes B0..D7) and of Big5 (A4..C6) hold the frequent characters. Reading one
    encoding as the other gives mostly rare ones.
    """
    table, low, high = ("gb2312", 0xB0, 0xD7) if name == "gb18030" else ("big5", 0xA4, 0xC6)
    cut = sample.rfind(b"\n") + 1 if len(sample) == SAMPLE else len(sample)
    try:
        text = sample[:cut].decode(name)
    except UnicodeDecodeError:
        return -1.0
    letters = [c for c in text if c > "\x7f" and unicodedata.category(c)[0] in "LC"]
    if not letters:
        return FAMILIAR if name == "gb18030" else 0.0
    frequent = sum(low <= c.encode(table, "replace")[0] <= high for c in letters)
    return frequent / len(letters)


def rewrite(path: Path, encoding: str, target: Path, *, progress: Progress = silent) -> None:
    """Stream `path` into `target` as UTF-8 without mark and with LF line ends."""
    total = path.stat().st_size
    try:
        with path.open("rb") as raw, target.open("w", encoding="utf-8", newline="\n") as out:
            text = TextIOWrapper(raw, encoding=encoding, errors="strict", newline=None)
            while chunk := text.read(CHUNK):
                if "\0" in chunk:
                    raise IngestError(
                        "source.nul_bytes", say("The file holds zero bytes. Export it again as CSV.")
                    )
                out.write(chunk)
                progress("decode", min(1.0, raw.tell() / total))
    except LookupError:
        raise IngestError("source.encoding", say("This encoding is not known. Name another one.")) from None
    except UnicodeError:
        raise IngestError(
            "source.encoding",
            say(
                "The file is not valid %(encoding)s. Name its encoding or export it as UTF-8.",
                encoding=encoding,
            ),
        ) from None
