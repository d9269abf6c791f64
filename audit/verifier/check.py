"""The verification as a whole: recognize what is given, read it, hold it against what is known.

What a whole log proves: nothing between its first entry and its last was changed, removed, inserted or reordered. That
others saw the same log is proven by what comes from outside: keys, a quorum of witnesses, checkpoints and heads noted
before, and the memory of the last run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

from audit.verifier import lines, memory
from audit.verifier.folder import read_folder
from audit.verifier.judgement import first_of, judge, root_text
from audit.verifier.known import Known
from audit.verifier.receipt import check_receipt, receipt_in
from audit.verifier.records import Records, Settled
from audit.verifier.result import Finding, Report, Unreadable
from audit.verifier.scoped import check_scoped
from audit.verifier.whole import Asked, Whole, read_lines
from audit.verifier.wording import notice

__all__ = ["Finding", "Known", "Report", "Unreadable", "check", "verify"]

_IN_MEMORY = 64 << 20  # bytes of an export that comes as a stream; more of it goes to a temporary file


def check(
    path: Path,
    known: Known | None = None,
    *,
    fast: bool = False,
    openings: Path | None = None,
    state: Path | None = None,
) -> Report:
    """Verify the folder, the one-file export, the scoped export or the receipt at `path`.

    `fast` looks at stored bytes alone. `openings` is the file that opens personal fields. `state` is what was
    remembered of the last run, and is written anew where nothing wrong was found.
    Raises Unreadable and OSError for what cannot be used; whatever is wrong with a log is in the report.
    """
    started, known = time.perf_counter(), known or Known()
    if state is not None:
        known = replace(known, memory=memory.load(state), memory_path=str(state))
    report = Report(source=str(path), thorough=not fast, when=int(time.time()))
    if path.is_dir():
        report.kind = "folder"
        _check_whole(path, report, known, openings, state)
    else:
        _check_file(path, report, known, openings, state)
    if openings is not None and (fast or report.kind not in ("log", "folder")):
        report.warnings += (notice("unused_openings"),)
    report.seconds = time.perf_counter() - started
    return report


def verify(export: Iterable[bytes], *, expected_heads: Iterable[str] = ()) -> Report:
    """Check a one-file export given as lines (with or without newline). No signature is looked at.

    `expected_heads` are leaf hashes (hexadecimal) noted earlier: each must be that of some entry.
    """
    started, report = time.perf_counter(), Report(when=int(time.time()))
    known = Known(heads=frozenset(_noted_head(head) for head in expected_heads))
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        for line in export:
            file.write(line.removesuffix(b"\n") + b"\n")
        _check_whole(cast("BinaryIO", file), report, known, None, None)
    report.seconds = time.perf_counter() - started
    return report


def _check_file(path: Path, report: Report, known: Known, openings: Path | None, state: Path | None) -> None:
    with path.open("rb") as file:
        if not file.seekable():
            raise Unreadable(f"{path} is no file that can be read twice; save the export first")
        beginning = file.read(len(lines.ENTRY))
        receipt = None if beginning == lines.ENTRY else receipt_in(path)
        if beginning.startswith(b'{"scope":'):
            check_scoped(file, known, report)
        elif receipt is not None:
            check_receipt(receipt, known, report)
        elif _holds_a_log(file, beginning):
            _check_whole(file, report, known, openings, state)
        else:
            raise Unreadable(f"{path} is neither an export of the audit log nor a receipt with its proof")


def _holds_a_log(file: BinaryIO, beginning: bytes) -> bool:
    """However its beginning was damaged. An empty file is an export that was cut to nothing."""
    return beginning in (b"", b'{"head":{"') or lines.end_of_entries(file, lines.ENTRY) > 0


def _check_whole(
    source: Path | BinaryIO, report: Report, known: Known, openings: Path | None, state: Path | None
) -> None:
    with Records() as records:
        asked = Asked(known, not report.thorough, records)
        whole = read_folder(source, asked) if isinstance(source, Path) else read_lines(source, asked)
        settled = None
        if report.thorough and not whole.hashes_only and whole.reading.finding is None:
            settled = _settled(records, openings)
    _fill(report, whole, settled)
    found = [*whole.findings, *(settled.findings if settled else ())]
    if whole.reading.finding is not None:
        found.insert(0, whole.reading.finding)
    report.finding, keep = first_of(found), None
    if report.finding is None:
        report.finding, keep = judge(report, whole, known)
    if report.finding is not None and report.finding.seq is not None:
        report.entries = min(report.entries, report.finding.seq)
    if state is not None and keep is not None:
        memory.save(state, keep)


def _settled(records: Records, openings: Path | None) -> Settled:
    if openings is not None:
        with openings.open("rb") as file:
            records.openings(file)
    return records.settle()


def _fill(report: Report, whole: Whole, settled: Settled | None) -> None:
    """What the report says of any log, whole or not."""
    reading, checkpoint = whole.reading, whole.stated.checkpoint
    rules = reading.rules
    report.entries = 0 if whole.hashes_only else reading.entries
    report.head = reading.head
    report.origin = rules.origin
    if checkpoint is not None:
        report.origin, report.size = checkpoint.origin, checkpoint.size
        report.root = root_text(checkpoint.root)
    if whole.stated.sm3 is not None:
        report.sm3_size = whole.stated.sm3.size
    if report.thorough:
        report.acts, report.days = rules.acts, rules.days
        report.first_time, report.last_time = rules.first_time, rules.last_time
    warnings = [*rules.notices]
    if not report.thorough:
        warnings.append(notice("fast"))
    if whole.hashes_only:
        warnings.append(notice("hashes_only"))
    if checkpoint is not None and reading.entries > checkpoint.size:
        warnings.append(notice("uncovered", number=reading.entries - checkpoint.size))
    if whole.stated.stamps:
        warnings.append(notice("stamps", number=len(whole.stated.stamps)))
    if settled is not None:
        report.personal = settled.personal
        warnings += settled.notices
    report.warnings = tuple(warnings)


def _noted_head(text: str) -> bytes:
    """What is no hash is in no log."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return text.encode(errors="surrogatepass")
