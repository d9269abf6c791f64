"""The receipt of a release: that it stands in the log, and that the log it was made under is the same log."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.verifier import lines, part, tree
from audit.verifier.form import Fields, is_count
from audit.verifier.known import Known
from audit.verifier.note import Malformed
from audit.verifier.part import Fault
from audit.verifier.proof import Proof, hashes, parse_proof
from audit.verifier.result import Report, Unreadable
from audit.verifier.wording import finding

TYPE = "dataspace.receipt-proof"
_LONGEST = 16 << 20  # bytes
_PINNED = ("release", "run", "contract", "result")  # what a receipt must say, as text
_FIELDS = {"type", "version", "receipt", "entry", "proof", "consistency", "key_changes"}


@dataclass(frozen=True, slots=True)
class _Receipt:
    """Read, and not checked."""

    raw: bytes  # the receipt itself
    said: dict[str, Any]  # what it says
    entry: bytes
    proof: Proof
    consistency: tuple[bytes, ...]
    handovers: list[Proof]


def receipt_in(path: Path) -> dict[str, Any] | None:
    """What the file says if it is a receipt by its `type`; None if it is something else. Raises Unreadable, OSError."""
    with path.open("rb") as file:
        raw = file.read(_LONGEST + 1)
    said = lines.object_of(raw) if len(raw) <= _LONGEST else None
    if said is None or "type" not in said:
        return None
    if said["type"] != TYPE:
        raise Unreadable(f"{path} is a {str(said['type'])[:80]!r}: give the receipt with its proof ({TYPE})")
    return said


def check_receipt(said: dict[str, Any], known: Known, report: Report) -> None:
    """Fills in the report, whatever the receipt says."""
    report.kind = "receipt"
    try:
        receipt = _parsed(said)
        signed = part.signed(report, receipt.proof.checkpoint, known, receipt.handovers)
        fields = part.fields(receipt.entry, receipt.proof.index)
        _check_place(fields, receipt)
        _check_entry(fields, receipt, report)
        _check_history(receipt)
    except Fault as fault:
        report.finding = fault.found
        return
    part.count(report, fields)
    report.acts = {fields["act"]: 1}
    report.finding = signed.lack or part.compared(report, receipt.proof.checkpoint, known)


def _parsed(said: dict[str, Any]) -> _Receipt:
    if said.keys() != _FIELDS:
        raise Fault(finding("receipt", detail=f"it must have {', '.join(sorted(_FIELDS))}"))
    texts = all(isinstance(said[name], str) for name in ("receipt", "entry", "proof"))
    if not texts or not part.are_texts(said["consistency"]) or not part.are_texts(said["key_changes"]):
        raise Fault(finding("receipt", detail="a field is not text"))
    if type(said["version"]) is not int or said["version"] != 1:
        raise Fault(finding("receipt", detail="only version 1 is known"))
    raw = part.octets(said["receipt"])
    receipt = lines.object_of(raw)
    if receipt is None:
        raise Fault(finding("receipt", detail="the receipt itself is not a JSON object"))
    for name in _PINNED:
        if not isinstance(receipt.get(name), str) or not receipt[name]:
            raise Fault(finding("receipt", detail=f"the receipt itself says no {name}"))
    try:
        proof = parse_proof(part.octets(said["proof"]))
        consistency = hashes(map(part.octets, said["consistency"]))
        handovers = part.handovers_in(map(part.octets, said["key_changes"]))
    except Malformed as error:
        raise Fault(finding("receipt", detail=error)) from None
    return _Receipt(raw, receipt, part.octets(said["entry"]), proof, consistency, handovers)


def _check_place(fields: Fields, receipt: _Receipt) -> None:
    proof = receipt.proof
    if fields["_seq"] != proof.index:
        raise Fault(finding("inclusion", proof.index, detail=f"what stands there is entry {fields['_seq']}"))
    part.include(receipt.entry, proof.index, proof.hashes, proof.checkpoint)


def _check_entry(fields: Fields, receipt: _Receipt, report: Report) -> None:
    """The entry releases what the receipt describes."""
    seq, said = fields["_seq"], {**fields.get("x", {}), "run": fields["obj"]}
    expected = {
        "receipt": f"sha256:{hashlib.sha256(receipt.raw).hexdigest()}",
        "release": f"release:{receipt.said['release']}",
        "run": f"run:{receipt.said['run']}",
        "result": receipt.said["result"],
        "contract": receipt.said["contract"],
    }
    if fields["act"] != "run.released" or fields["out"] != "ok":
        raise Fault(finding("receipt_entry", seq, detail=f"it is {fields['act']} {fields['out']}"))
    for name, value in expected.items():
        if said.get(name) != value:
            raise Fault(finding("receipt_entry", seq, detail=f"{name} is {said.get(name)!r}, not {value!r}"))
    report.facts = {name: receipt.said[name] for name in _PINNED}
    report.facts["entry"] = str(seq)


def _check_history(receipt: _Receipt) -> None:
    """The checkpoint the receipt was made under is an earlier state of the log, and older than the entry."""
    stated, proof = receipt.said.get("checkpoint"), receipt.proof
    if not isinstance(stated, dict) or stated.keys() != {"root", "size"} or not is_count(stated["size"]):
        raise Fault(finding("receipt", detail="it names no checkpoint"))
    size: int = stated["size"]
    if proof.index < size:
        raise Fault(finding("consistency", size=size, detail="the entry is older than the receipt"))
    try:
        root = base64.b64decode(str(stated["root"]), validate=True)
        if size == 0:
            tree.check_subtree_consistency(
                0, 0, proof.checkpoint.size, root, proof.checkpoint.root, receipt.consistency
            )
        else:
            tree.check_consistency(
                size, proof.checkpoint.size, root, proof.checkpoint.root, receipt.consistency
            )
    except (tree.InvalidProof, binascii.Error, ValueError) as error:
        raise Fault(finding("consistency", size=size, detail=error)) from None
