"""The export for an auditor of one organization: its entries, each with a proof."""

from __future__ import annotations

from collections import Counter
from typing import BinaryIO

from audit.verifier import lines, part
from audit.verifier.form import Fields
from audit.verifier.known import Known
from audit.verifier.note import Checkpoint, Malformed
from audit.verifier.part import Fault
from audit.verifier.proof import Proof, hashes
from audit.verifier.result import Report
from audit.verifier.wording import finding, notice

_LONGEST_LINE = 512 << 10  # an entry as text, with its proof


def check_scoped(file: BinaryIO, known: Known, report: Report) -> None:
    """Fills in the report, whatever stands in the file."""
    report.kind = "scoped"
    report.warnings += (notice("scoped"),)
    try:
        start, end = _borders(file, report)
        checkpoint, handovers = _ending(file, end)
        signed = part.signed(report, checkpoint, known, handovers)
        _entries(file, start, end, checkpoint, report)
    except Fault as fault:
        report.finding = fault.found
    else:
        report.finding = signed.lack or part.compared(report, checkpoint, known)


def _borders(file: BinaryIO, report: Report) -> tuple[int, int]:
    """Offsets between which the entries stand."""
    file.seek(0)
    first = file.readline(_LONGEST_LINE)
    scope = (lines.object_of(first) or {}).get("scope")
    if not isinstance(scope, str) or not scope:
        raise Fault(finding("ending", detail='the first line is not {"scope":"<organization id>"}'))
    report.scope = scope
    return len(first), max(lines.end_of_entries(file, lines.SCOPED_ENTRY), len(first))


def _ending(file: BinaryIO, end: int) -> tuple[Checkpoint, list[Proof]]:
    try:
        ending = lines.ending(file, end, with_head=False)
        handovers = part.handovers_in(ending.key_changes)
    except (lines.BadEnding, Malformed) as error:
        raise Fault(finding("ending", detail=error)) from None
    if ending.checkpoint is None:
        raise Fault(finding("ending", detail="there is no checkpoint"))
    return ending.checkpoint, handovers


def _entries(file: BinaryIO, start: int, end: int, checkpoint: Checkpoint, report: Report) -> None:
    acts, last = Counter[str](), -1
    for block in lines.blocks(file, start, end, _LONGEST_LINE):
        for line in block:
            fields = _entry(line, last, checkpoint, report.scope)
            last = fields["_seq"]
            part.count(report, fields)
            acts[fields["act"]] += 1
    report.acts = dict(sorted(acts.items()))


def _entry(line: bytes, last: int, checkpoint: Checkpoint, scope: str) -> Fields:
    said = lines.object_of(line) or {}
    proof = said.get("proof")
    if said.keys() != {"entry", "proof"} or not isinstance(said["entry"], str) or not part.are_texts(proof):
        raise Fault(finding("not_entry", last + 1))
    entry = part.octets(said["entry"])
    fields = part.fields(entry, last + 1)
    seq: int = fields["_seq"]
    if seq <= last:
        raise Fault(finding("order", seq))
    if fields["org"] != scope and scope not in fields.get("cp", ()):
        raise Fault(finding("scope", seq, scope=scope))
    try:
        part.include(entry, seq, hashes(map(part.octets, said["proof"])), checkpoint)
    except Malformed as error:
        raise Fault(finding("inclusion", seq, detail=error)) from None
    return fields
