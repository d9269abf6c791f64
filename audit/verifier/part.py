"""What proves less than a whole log: each entry is shown to stand in the log that the checkpoint signs.

Keys are handed over here by a proof that the entry which announces the new key stands below the checkpoint that both
signed: the entries around it are not there to see. A bare note hands nothing over, since the key is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from audit.verifier import tree
from audit.verifier.form import Fields, NotForm, fields_of
from audit.verifier.judgement import Signatures, root_text, signatures
from audit.verifier.known import Known
from audit.verifier.note import BadSignature, Checkpoint, Key, Malformed, parse_checkpoint, parse_key
from audit.verifier.proof import HEADER, Proof, parse_proof
from audit.verifier.result import Finding, Personal, Report
from audit.verifier.rules import KeyEvent, day_of
from audit.verifier.trust import Trust
from audit.verifier.wording import finding, notice


class Fault(ValueError):
    """Carries what was found."""

    def __init__(self, found: Finding) -> None:
        super().__init__(found.en)
        self.found = found


def handovers_in(texts: Iterable[bytes]) -> list[Proof]:
    """Raises Malformed."""
    proofs = []
    for raw in texts:
        if raw.startswith(HEADER):
            proofs.append(parse_proof(raw))
        else:
            parse_checkpoint(raw)
    return sorted(proofs, key=lambda proof: proof.checkpoint.size)


def signed(report: Report, checkpoint: Checkpoint, known: Known, handovers: list[Proof]) -> Signatures:
    """Put the checkpoint and who signed it into the report. Raises Fault where a signature does not fit."""
    report.origin, report.size = checkpoint.origin, checkpoint.size
    report.root = root_text(checkpoint.root)
    keys = _handed_over(checkpoint.origin, known.trusted, handovers)
    found = signatures(report, checkpoint, replace(known, keys=(*known.keys, *keys)), (), ())
    if found.fault is not None:
        raise Fault(found.fault)
    return found


def _handed_over(origin: str, trusted: set[Key], handovers: list[Proof]) -> set[Key]:
    """All trusted keys. What one proof announces counts for its own checkpoint alone.

    Any checkpoint can be given one more signature line, so an announcement in a tree that nobody signed must not meet
    a checkpoint that somebody did.
    """
    keys = trusted
    for proof in handovers:
        trust = Trust(origin, keys, [_announcement(proof, origin)])
        try:
            trust.learn(proof.checkpoint)
        except BadSignature:
            raise Fault(finding("signature", path=f"keys/{proof.checkpoint.size}")) from None
        keys = keys | trust.keys
    return keys


def _announcement(proof: Proof, origin: str) -> KeyEvent:
    """The entry in `extra` announces a key, and stands in the log as its handover signs it."""
    said = fields(proof.extra, proof.index)
    vkey = said.get("x", {}).get("vkey")
    try:
        parse_key(vkey if isinstance(vkey, str) else "")
    except Malformed as error:
        raise Fault(finding("key_entry", proof.index, detail=error)) from None
    if said["act"] != "log.key_added" or said["_seq"] != proof.index or proof.checkpoint.origin != origin:
        raise Fault(finding("key_entry", proof.index, detail="it announces no key of this log"))
    include(proof.extra, proof.index, proof.hashes, proof.checkpoint)
    signed = said["x"].get("signed", "")
    return KeyEvent(proof.index, added=True, vkey=vkey, signed=signed if isinstance(signed, str) else "")


def compared(report: Report, checkpoint: Checkpoint, known: Known) -> Finding | None:
    """Only with what was seen of the very same size: anything else takes the whole log."""
    if known.heads:
        report.warnings += (notice("heads_unused"),)
    for seen in known.seen:
        if seen.origin != checkpoint.origin:
            return finding("other_log", path=seen.path, own=checkpoint.origin, other=seen.origin)
        if seen.size != checkpoint.size:
            report.warnings += (notice("not_compared", path=seen.path, size=seen.size),)
        elif seen.root != checkpoint.root:
            return finding("fork", path=seen.path, size=seen.size)
    return None


def include(entry: bytes, seq: int, proof: Iterable[bytes], checkpoint: Checkpoint) -> None:
    """The entry stands in the log that the checkpoint signs. Raises Fault."""
    try:
        tree.check_inclusion(seq, checkpoint.size, tree.leaf_hash(entry), tuple(proof), checkpoint.root)
    except tree.InvalidProof as error:
        raise Fault(finding("inclusion", seq, detail=error)) from None


def fields(entry: bytes, seq: int) -> Fields:
    """`seq` is where it should stand. Raises Fault."""
    try:
        return fields_of(entry)
    except NotForm as wrong:
        raise Fault(finding(wrong.code, seq, detail=wrong)) from None


def count(report: Report, said: Fields) -> None:
    """One more entry was found in its place."""
    time: int = said["t"]
    report.entries += 1
    report.first_time = time if report.first_time is None else min(report.first_time, time)
    report.last_time = time if report.last_time is None else max(report.last_time, time)
    day = day_of(time)
    report.days[day] = report.days.get(day, 0) + 1
    report.personal = Personal(withheld=report.personal.withheld + len(said.get("pc", ())))


def are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def octets(text: str) -> bytes:
    """Of text out of JSON, which may hold lone surrogates: nothing that is checked later accepts those."""
    return text.encode(errors="surrogatepass")
