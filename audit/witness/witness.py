"""What a witness answers: it cosigns a checkpoint only if this continues the one it cosigned before (C2SP tlog-witness,
edition of 2026).

A log is known by the keys its witness's operator named, and by no others: the log itself cannot introduce a new key.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

from audit.verifier.note import BadSignature, Checkpoint, Key, Malformed
from audit.verifier.tree import InvalidProof, check_consistency
from audit.witness.key import signature_line
from audit.witness.memory import Memory
from audit.witness.request import Request, parse_request

TEXT, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
_EMPTY_ROOT = hashlib.sha256(b"").digest()
_logger = logging.getLogger("audit.witness")


@dataclass(frozen=True, slots=True)
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


class Witness:
    """Safe to be asked by many threads at once: looking at the newest checkpoint and replacing it are one step."""

    def __init__(self, memory: Memory, logs: Iterable[Key], clock: Callable[[], float] = time.time) -> None:
        """`logs`: keys of logs, each named after its log's origin; a log may have several."""
        self._memory, self._clock = memory, clock
        self._one_at_a_time = threading.Lock()
        self.logs: dict[str, list[Key]] = {}
        for key in logs:
            self.logs.setdefault(key.name, []).append(key)

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to one request, whatever its body. Raises OSError where the folder cannot be written."""
        try:
            request = parse_request(body)
        except Malformed as error:
            return _refusal(HTTPStatus.BAD_REQUEST, "请求不合格式", f"malformed: {error}")
        refusal = self._unknown(request)
        if refusal is not None:
            return refusal
        if request.old > request.checkpoint.size:
            return _refusal(
                HTTPStatus.BAD_REQUEST, "旧大小超过检查点", "the old size is larger than the checkpoint"
            )
        with self._one_at_a_time:
            return self._judge(request, body)

    def page(self) -> str:
        """For people: who this is, and how far it has come with each log. Plain text."""
        key = self._memory.key
        lines = ["见证人 · witness " + key.name, "公钥 · vkey " + key.vkey, ""]
        for origin in sorted({*self.logs, *self._memory.origins()}):
            lines.append("日志 · log " + origin)
            lines += ["  " + one.vkey for one in self.logs.get(origin, ())]
            if origin not in self.logs:
                lines.append("  已不再见证 · no longer witnessed")
            latest = self._memory.latest(origin)
            if latest is None:
                lines.append("  尚无检查点 · no checkpoint yet")
            else:
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._memory.cosigned_at(latest)))
                lines.append(f"  最近见证 · last cosigned {at}, 大小 · size {latest.size}")
                lines += ["  " + line for line in latest.note.text.decode().splitlines()[2:3]]
        return "\n".join(lines) + "\n"

    def _unknown(self, request: Request) -> Answer | None:
        keys = self.logs.get(request.checkpoint.origin)
        if keys is None:
            return _refusal(HTTPStatus.NOT_FOUND, "不见证此日志", "this log is not witnessed here")
        try:
            signed = request.checkpoint.note.signers(keys)
        except BadSignature:
            signed = {}
        if not signed:
            return _refusal(
                HTTPStatus.FORBIDDEN,
                "没有受信密钥的有效签名",
                "no valid signature by a key that is trusted here",
            )
        return None

    def _judge(self, request: Request, body: bytes) -> Answer:
        """Requires: the log signed the checkpoint; no other thread is here."""
        checkpoint = request.checkpoint
        latest = self._memory.latest(checkpoint.origin)
        size, root = (latest.size, latest.root) if latest else (0, _EMPTY_ROOT)
        if checkpoint.size == size and checkpoint.root != root:
            self._alarm(
                checkpoint, body, "forked",
                "同一大小签出了两个不同的树根，日志已分叉", "the log signed two roots for one size: it has forked",
            )  # fmt: skip
            return Answer(HTTPStatus.CONFLICT, b"%d\n" % size, SIZE)
        if request.old != size:
            return Answer(HTTPStatus.CONFLICT, b"%d\n" % size, SIZE)
        try:
            _check(request, root)
        except InvalidProof as error:
            if checkpoint.size != size:  # else it is the very tree that was cosigned
                self._alarm(
                    checkpoint, body, "refused",
                    f"未能证明新检查点延续了已见证的（{size} 条）：日志可能被改写，也可能是有人误发",
                    f"nothing proves that it continues what was cosigned at size {size} ({error}): the log may have "
                    "been rewritten, or somebody else sent a wrong proof",
                )  # fmt: skip
            return _refusal(
                HTTPStatus.UNPROCESSABLE_ENTITY, "一致性证明不成立", f"the consistency proof fails: {error}"
            )
        line = self._memory.key.cosign(checkpoint.note.text, int(self._clock()))
        self._memory.remember(checkpoint.note.text + b"\n" + self._by_the_log(checkpoint) + line)
        _logger.info("已见证 · cosigned %s, %d", checkpoint.origin, checkpoint.size)
        return Answer(HTTPStatus.OK, line)

    def _by_the_log(self, checkpoint: Checkpoint) -> bytes:
        """Signature lines of keys that are trusted here: without them nothing could be proven to others later."""
        known = {(key.name, key.id) for key in self.logs[checkpoint.origin]}
        lines = (line for line in checkpoint.note.lines if (line.name, line.key_id) in known)
        return b"".join(signature_line(line.name, line.key_id + line.signature) for line in lines)

    def _alarm(self, checkpoint: Checkpoint, body: bytes, kind: str, zh: str, en: str) -> None:
        """Say it loudly and keep what was sent. A folder that is full changes no answer."""
        try:
            kept = self._memory.keep_evidence(checkpoint, body, kind)
        except OSError as error:
            kept = None
            _logger.error("证据未能保存 · the evidence could not be kept: %s", error)
        _logger.error(
            "!!! 拒绝见证 %s（%d 条）：%s。!!! REFUSED %s at size %d: %s.%s",
            checkpoint.origin, checkpoint.size, zh, checkpoint.origin, checkpoint.size, en,
            f" 证据 · evidence: {kept}" if kept else "",
        )  # fmt: skip


def _check(request: Request, root: bytes) -> None:
    """Raises InvalidProof. Every tree continues the empty one, and that is proven by an empty proof."""
    if request.old:
        new = request.checkpoint
        check_consistency(request.old, new.size, root, new.root, request.proof)
    elif request.proof:
        raise InvalidProof("the proof from the empty tree is empty")


def _refusal(status: HTTPStatus, zh: str, en: str) -> Answer:
    return Answer(status, f"{zh} · {en}\n".encode())
