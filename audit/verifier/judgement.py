"""Holding a log that was read against what it states of itself, and against what is known of it from outside.

First whether it is broken in itself; of several faults the one at the first entry is named. A signature that does not
fit comes before a root that does not: then it is the checkpoint that was changed. Last, what contradicts the outside.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit.verifier.known import Known, Noted
from audit.verifier.memory import Memory
from audit.verifier.note import BadSignature, Checkpoint, Key
from audit.verifier.result import Cosigner, Finding, Notice, Report
from audit.verifier.rules import KeyEvent
from audit.verifier.trust import SM3_NAME, Trust, shown
from audit.verifier.whole import Whole
from audit.verifier.wording import finding, notice


def first_of(findings: Iterable[Finding]) -> Finding | None:
    """The one at the first entry; those that lie at no entry come last."""
    return min(findings, key=lambda one: (one.seq is None, one.seq or 0), default=None)


@dataclass(slots=True)
class Signatures:
    """Who signed a checkpoint. `fault` is a signature that does not fit, `lack` what is missing of trust."""

    trust: Trust
    signers: set[Key]
    fault: Finding | None = None
    lack: Finding | None = None


def signatures(
    report: Report,
    checkpoint: Checkpoint,
    known: Known,
    events: Iterable[KeyEvent],
    handovers: Iterable[Noted],
) -> Signatures:
    """Check them and put signers, cosigners and quorum into the report. Requires: the handovers' roots are right."""
    trust = Trust(checkpoint.origin, known.trusted, events)
    found = Signatures(trust, set())
    if known.trusted:
        for noted in handovers:
            try:
                trust.learn(noted.checkpoint)
            except BadSignature:
                found.fault = found.fault or finding("signature", path=noted.path)
        found.signers, wrong = trust.judge(checkpoint, "checkpoint")
        if wrong is not None and wrong.code == "signature":
            found.fault = found.fault or wrong
        found.lack = wrong
        if not trust.keys:
            names = ", ".join(sorted({key.name for key in known.trusted}))
            found.lack = finding("other_log", path="--key", own=checkpoint.origin, other=names)
    if known.policy is not None:
        cosigned = {}
        try:
            cosigned = checkpoint.note.signers(witness.key for witness in known.policy.witnesses)
        except BadSignature:
            found.fault = found.fault or finding("signature", path="checkpoint")
        report.cosigners = tuple(
            Cosigner(witness.name, witness.key.vkey, cosigned[witness.key] or 0)
            for witness in known.policy.witnesses
            if witness.key in cosigned
        )
        report.quorum = known.policy.satisfied_by(cosigned)
        if not report.quorum and found.lack is None:
            found.lack = finding("quorum")
    report.signers = shown(found.signers)
    report.warnings += tuple(_said_of_keys(known, trust))
    return found


def judge(report: Report, whole: Whole, known: Known) -> tuple[Finding | None, Memory | None]:
    """Of a whole log without a fault in its entries and files: what is wrong, or else what to remember of it.

    Puts what it sees into the report.
    """
    stated, reading = whole.stated, whole.reading
    if stated.checkpoint is None:
        report.warnings += (notice("no_checkpoint"),)
        lacks = finding("unsigned_log") if known.trusted or known.policy else None
        return lacks or next(_contradictions(whole, known), None), None
    checkpoint = stated.checkpoint
    if checkpoint.size > reading.entries:
        return finding("ahead", reading.entries, size=checkpoint.size), None
    if reading.rules.origin and reading.rules.origin != checkpoint.origin:
        return finding("origin", 0, own=reading.rules.origin, other=checkpoint.origin), None
    sound = [noted for noted in stated.handovers if _root_fits(noted, whole)]
    signed = signatures(report, checkpoint, known, reading.rules.keys, sound)
    if signed.signers:
        silent = signed.trust.silent(signed.signers, checkpoint.size)
        report.warnings += tuple(notice("silent_key", name=key.vkey) for key in silent)
        strays = signed.trust.strays()
        report.warnings += tuple(notice("stray_key", seq=one.seq, name=one.vkey) for one in strays)
    found = (
        signed.fault
        or next(_other_roots(whole), None)
        or signed.lack
        or (_parallel(whole, signed.trust) if known.trusted else None)
        or next(_contradictions(whole, known), None)
    )
    return found, None if found else remembered(checkpoint, signed.trust, known)


def remembered(checkpoint: Checkpoint, trust: Trust, known: Known) -> Memory:
    """The tree that is signed, or the larger one remembered already, since both agree.

    What the checkpoint does not cover yet is not remembered: a folder of the same day may lack it.
    """
    retired = trust.retired(checkpoint.size)
    size, root = checkpoint.size, checkpoint.root
    if known.memory is not None:
        retired |= {*known.memory.retired}
        if known.memory.size > size:
            size, root = known.memory.size, known.memory.root
    return Memory(checkpoint.origin, size, root, tuple(trust.live(checkpoint.size)), tuple(retired))


def _root_fits(noted: Noted, whole: Whole) -> bool:
    return (
        noted.checkpoint.origin == (whole.stated.checkpoint or noted.checkpoint).origin
        and whole.reading.roots.get(noted.checkpoint.size) == noted.checkpoint.root
    )


def _other_roots(whole: Whole) -> Iterator[Finding]:
    """What the log states of its own tree and is not so."""
    for noted in whole.stated.all:
        if not _root_fits(noted, whole):
            own = noted.checkpoint is whole.stated.checkpoint
            yield finding("root" if own else "other_root", path=noted.path, size=noted.checkpoint.size)


def _contradictions(whole: Whole, known: Known) -> Iterator[Finding]:
    """What others saw of this log and is not so."""
    reading = whole.reading
    origin = whole.stated.checkpoint.origin if whole.stated.checkpoint else reading.rules.origin
    for seen in known.seen:
        if origin and seen.origin != origin:
            yield finding("other_log", path=seen.path, own=origin, other=seen.origin)
        elif seen.size > reading.entries:
            yield finding("rollback", path=seen.path, size=seen.size, entries=reading.entries)
        elif reading.roots.get(seen.size) != seen.root:
            yield finding("fork", path=seen.path, size=seen.size)
    if reading.heads:
        yield finding("head_unknown")


def _parallel(whole: Whole, trust: Trust) -> Finding | None:
    """The signatures over the parallel tree; its root was held against the entries before."""
    sm3, checkpoint = whole.stated.sm3, whole.stated.checkpoint
    if sm3 is None or checkpoint is None:
        return None
    if sm3.origin != checkpoint.origin + SM3_NAME:
        return finding("other_log", path="checkpoint.sm3", own=checkpoint.origin, other=sm3.origin)
    return trust.of_the_sm3_tree(sm3.size).judge(sm3, "checkpoint.sm3")[1]


def _said_of_keys(known: Known, trust: Trust) -> Iterator[Notice]:
    if not known.trusted:
        yield notice("no_keys")
    elif known.policy is None:
        yield notice("no_policy")
    for noted in known.checkpoints:
        if known.trusted:
            judged = Trust(trust.origin, trust.keys).judge(noted.checkpoint, noted.path)
            if judged[1] is not None:
                yield notice("noted_unsigned", path=noted.path)


def root_text(root: bytes) -> str:
    return base64.b64encode(root).decode()
