"""Asking witnesses for cosignatures (C2SP tlog-witness, `add-checkpoint`). Pure.

Witnesses the quorum can use are waited for, until it is met. All others are asked at the same time and may answer
shortly after; none of them holds up anything. What a witness saw last is remembered, and asked of it where it is not.
"""

from __future__ import annotations

import base64
import queue
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.transparency import files, merkle
from audit.transparency.posting import Unreachable, post
from audit.transparency.tiles import Damaged, Reader
from audit.verifier import tree
from audit.verifier.note import (
    BadSignature,
    Checkpoint,
    Key,
    Malformed,
    parse_checkpoint,
    parse_signature_lines,
)
from audit.verifier.policy import Policy, Witness

NO_PROOF = "no_proof"  # the one failure that is ours: the tiles are damaged
REQUIRED_SECONDS = 10.0  # for witnesses the quorum can use
GRACE_SECONDS = 1.0  # for the others, counted from when the quorum is met
_FUTURE_SECONDS = 300  # a witness's clock may be ahead by this much
_OK, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 200, 403, 404, 409, 422


class _Failed(Exception):
    """A witness gave no cosignature: the code and facts of a trouble."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a witness gave no cosignature; `code` and `facts` as in troubles.py."""

    witness: str
    code: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """`lines`: the cosignatures as signature lines; `cosigners`: name and POSIX time of each."""

    quorum: bool
    lines: bytes
    cosigners: list[dict[str, Any]]
    failures: list[Failure]


@dataclass(frozen=True, slots=True)
class _Cosignature:
    key: Key
    line: bytes
    time: int


class Witnesses:
    """Those of one policy. `sizes` maps verifier keys to the size each saw last."""

    def __init__(self, policy: Policy, sizes: dict[str, int]) -> None:
        self.sizes = dict(sizes)
        self._policy = policy
        self._askable = [one for one in policy.witnesses if one.url]
        self._required = _members(policy, policy.quorum)
        self._text = b""
        self._have: dict[Key, _Cosignature] = {}  # on the checkpoint asked for last
        self._busy: dict[Key, threading.Thread] = {}

    def collect(self, note: bytes, reader: Reader, evidence: Path) -> Collected:
        """Cosignatures on `note`, whose tree `reader` reads. What shows another history is kept in `evidence`.

        Asked again about the same checkpoint, it asks only those that have not cosigned it.
        """
        checkpoint = parse_checkpoint(note)
        if checkpoint.note.text != self._text:
            self._text, self._have = checkpoint.note.text, {}
        answers: queue.SimpleQueue[tuple[Witness, _Cosignature | _Failed]] = queue.SimpleQueue()
        failed: dict[str, _Failed] = {}
        waiting: dict[str, Witness] = {}
        for witness in self._askable:
            if self._is_busy(witness):
                failed[witness.name] = _Failed("witness.slow")
            elif witness.key not in self._have:
                waiting[witness.name] = witness
                self._start(witness, _Question(witness, checkpoint, reader, evidence), answers)
        self._await(waiting, answers, failed)
        failed |= {name: _Failed("witness.slow") for name in waiting}
        cosigned = list(self._have.values())
        return Collected(
            quorum=self._met(),
            lines=b"".join(one.line for one in cosigned),
            cosigners=[{"name": one.key.name, "time": one.time} for one in cosigned],
            failures=[Failure(name, why.code, why.facts) for name, why in failed.items()],
        )

    def _await(
        self,
        waiting: dict[str, Witness],
        answers: queue.SimpleQueue[tuple[Witness, _Cosignature | _Failed]],
        failed: dict[str, _Failed],
    ) -> None:
        """Take answers until all are there, or the quorum is met and the grace is over, or it cannot be waited for."""
        end, in_grace = time.monotonic() + REQUIRED_SECONDS, False
        while waiting:
            if not in_grace and (self._met() or not self._required & waiting.keys()):
                end, in_grace = min(end, time.monotonic() + GRACE_SECONDS), True
            try:
                witness, answer = answers.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            waiting.pop(witness.name, None)
            if isinstance(answer, _Failed):
                failed[witness.name] = answer
            else:
                self._have[witness.key] = answer

    def _met(self) -> bool:
        return self._policy.satisfied_by(self._have)

    def _is_busy(self, witness: Witness) -> bool:
        """It still holds an earlier question: one at a time."""
        thread = self._busy.get(witness.key)
        return thread is not None and thread.is_alive()

    def _start(
        self,
        witness: Witness,
        question: _Question,
        answers: queue.SimpleQueue[tuple[Witness, _Cosignature | _Failed]],
    ) -> None:
        def ask() -> None:
            try:
                cosignature = question.ask(self.sizes.get(witness.key.vkey, 0))
            except _Failed as failure:
                answers.put((witness, failure))
            else:
                self.sizes[witness.key.vkey] = question.checkpoint.size
                answers.put((witness, cosignature))

        thread = threading.Thread(target=ask, name=f"witness {witness.name}", daemon=True)
        self._busy[witness.key] = thread
        thread.start()


@dataclass(frozen=True, slots=True)
class _Question:
    """One checkpoint, for one witness."""

    witness: Witness
    checkpoint: Checkpoint
    reader: Reader
    evidence: Path

    def ask(self, seen: int) -> _Cosignature:
        """`seen`: the size the witness saw last, as far as we know. Raises _Failed."""
        old = seen if seen <= self.checkpoint.size else 0
        status, answer = self._post(old)
        if status == _CONFLICT:
            told = self._size_told(answer)
            if told == old:
                raise self._other_history(old, status, answer)
            old = told
            status, answer = self._post(old)
        if status == _UNPROCESSABLE:
            raise self._other_history(old, status, answer)
        known = {_NOT_FOUND: "witness.unknown_log", _FORBIDDEN: "witness.unknown_key"}
        if status in known:
            raise _Failed(known[status])
        if status != _OK:
            raise _Failed("witness.answer", reason=f"HTTP {status}")
        return self._cosignature(answer)

    def _post(self, old: int) -> tuple[int, bytes]:
        try:
            return post(
                f"{self.witness.url.rstrip('/')}/add-checkpoint", self._body(old), seconds=REQUIRED_SECONDS
            )
        except Unreachable as error:
            raise _Failed("witness.unreachable", reason=str(error)) from None

    def _body(self, old: int) -> bytes:
        lines = [f"old {old}"] + [base64.b64encode(one).decode() for one in self._proof(old)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint.raw

    def _proof(self, old: int) -> list[bytes]:
        """Checked before it is sent: a damaged tile must not look like another history."""
        size, root = self.checkpoint.size, self.checkpoint.root
        if old in (0, size):
            return []
        try:
            proof = merkle.consistency(old, size, self.reader.hashes)
            tree.check_consistency(old, size, merkle.root(old, self.reader.hashes), root, proof)
        except (Damaged, tree.InvalidProof) as error:
            raise _Failed(NO_PROOF, reason=f"no proof from {old} entries: {error}") from None
        return proof

    def _size_told(self, answer: bytes) -> int:
        text = answer.strip()
        if not text.isdigit() or len(text) > 19:
            raise _Failed("witness.answer", reason="HTTP 409 without a size")
        told = int(text)
        if told > self.checkpoint.size:
            raise _Failed("witness.ahead", seen=told, size=self.checkpoint.size)
        return told

    def _other_history(self, old: int, status: int, answer: bytes) -> _Failed:
        """What was sent and what came back, for whoever has to find out."""
        path = self.evidence / f"{self.witness.key.id.hex()}-{old}"  # once, however long it goes on
        if not path.exists():
            head = f"witness {self.witness.key.vkey}\nHTTP {status}\n".encode()
            files.put(path, head + answer + b"\n\n" + self._body(old), files.PRIVATE)
        return _Failed("witness.other_history", evidence=str(path))

    def _cosignature(self, answer: bytes) -> _Cosignature:
        """The line by the witness's own key; others mean nothing to us."""
        key = self.witness.key
        try:
            for line in parse_signature_lines(answer):
                if (line.name, line.key_id) != (key.name, key.id):
                    continue
                stated = key.check(self.checkpoint.note.text, line.signature) or 0
                if stated > time.time() + _FUTURE_SECONDS:
                    raise _Failed("witness.bad_cosignature", reason="its time is in the future")
                raw = base64.b64encode(line.key_id + line.signature).decode()
                return _Cosignature(key, f"— {line.name} {raw}\n".encode(), stated)
        except BadSignature:
            raise _Failed("witness.bad_cosignature", reason="it does not fit the checkpoint") from None
        except Malformed as error:
            raise _Failed("witness.answer", reason=str(error)) from None
        raise _Failed("witness.bad_cosignature", reason="there is none by the witness's key")


def _members(policy: Policy, name: str) -> frozenset[str]:
    """The witnesses that can count towards the witness or group `name`."""
    for group in policy.groups:
        if group.name == name:
            return frozenset().union(*(_members(policy, member) for member in group.members))
    return frozenset({name})
