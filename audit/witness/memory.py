"""What a witness must never forget: its key, and the newest checkpoint it cosigned of each log.

All in one folder that one process holds at a time. The checkpoints stand with the witness's own cosignature, so that a
damaged memory is noticed; a witness whose memory is gone does not start, because a witness that begins again from
nothing would cosign a rewritten log.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint
from audit.witness.key import WitnessKey, parse_witness_key

_KEY, _CHECKPOINTS, _LOCK, _EVIDENCE = "key", "checkpoints.json", "lock", "evidence"
_VERSION = 1
MOST_EVIDENCE = 1000  # of each kind: anybody can send a true checkpoint with a false proof


class CannotStart(RuntimeError):
    """The folder cannot be used; the text, Chinese and English, says what to do."""


class Memory:
    """Holds the folder until it is closed or the process ends. One thread at a time may call `remember`."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes folder and key at the first start; later `name` must be the one of then, or "". Raises CannotStart."""
        self._folder = folder
        self._latest: dict[str, Checkpoint] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        try:
            self.key = self._made(name) if self._is_new() else read_key(folder, name)
            self._latest = self._read()
        except (CannotStart, OSError):
            self.close()
            raise

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def latest(self, origin: str) -> Checkpoint | None:
        """The newest checkpoint of this log that was cosigned, with the cosignature; None if there is none."""
        return self._latest.get(origin)

    def origins(self) -> list[str]:
        return sorted(self._latest)

    def cosigned_at(self, checkpoint: Checkpoint) -> int:
        """POSIX seconds."""
        time = checkpoint.note.signers([self.key.public]).get(self.key.public)
        if time is None:
            raise Malformed("there is no cosignature of this witness on it")
        return time

    def remember(self, note: bytes) -> None:
        """The newest checkpoint of its log, with the log's signatures and our cosignature. On the disk on return.

        Raises OSError; then nothing was remembered.
        """
        checkpoint = parse_checkpoint(note)
        latest = {**self._latest, checkpoint.origin: checkpoint}
        _put(self._folder / _CHECKPOINTS, _written(latest.values()))
        self._latest = latest

    def keep_evidence(self, refused: Checkpoint, body: bytes, kind: str) -> Path | None:
        """Keep a refused request in a file of that kind, and beside it the checkpoint it was held against.

        None if this pair was kept before, whatever proof came with it, or if there are too many of the kind.
        """
        held = self._latest.get(refused.origin)
        folder = self._folder / _EVIDENCE
        folder.mkdir(exist_ok=True)
        both = refused.note.text + (held.note.text if held else b"")
        path = folder / f"{hashlib.sha256(both).hexdigest()[:32]}.{kind}"
        if path.exists() or sum(1 for _ in folder.glob(f"*.{kind}")) >= MOST_EVIDENCE:
            return None
        if held is not None:
            _put(path.with_suffix(".cosigned"), held.raw)
        _put(path, body)
        return path

    def _is_new(self) -> bool:
        """No key, and nothing that one was made for."""
        path = self._folder / _CHECKPOINTS
        return not (self._folder / _KEY).exists() and (not path.exists() or path.read_bytes() == _written(()))

    def _made(self, name: str) -> WitnessKey:
        if not name:
            raise CannotStart("首次启动须用 --name 给出见证人名称 · at the first start, say --name")
        try:
            key = WitnessKey.new(name)
        except Malformed as error:
            raise CannotStart(f"名称不可用 · the name cannot be used: {error}") from None
        # The key last: a folder with a key has been made whole.
        _put(self._folder / _CHECKPOINTS, _written(()))
        _put(self._folder / _KEY, key.written())
        return key

    def _read(self) -> dict[str, Checkpoint]:
        path = self._folder / _CHECKPOINTS
        try:
            latest = {one.origin: one for one in _checkpoints(path.read_bytes())}
            for checkpoint in latest.values():
                self.cosigned_at(checkpoint)
        except (OSError, ValueError) as error:
            raise CannotStart(_damaged(path, error)) from None
        return latest


def _locked(folder: Path) -> IO[bytes]:
    lock = (folder / _LOCK).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CannotStart(
            f"{folder} 正被另一个见证进程使用 · another witness is running in {folder}"
        ) from None
    return lock


def read_key(folder: Path, name: str) -> WitnessKey:
    """Of a folder that has one. `name` is that of the key, or "". Raises CannotStart."""
    path = folder / _KEY
    try:
        key = parse_witness_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotStart(_damaged(path, error)) from None
    if name not in ("", key.name):
        raise CannotStart(
            f"{folder} 属于见证人 {key.name}；另一个名称须用另一个目录 · "
            f"{folder} is that of the witness {key.name}; another name takes another folder"
        )
    return key


def has_key(folder: Path) -> bool:
    return (folder / _KEY).exists()


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path} 缺失或已损坏（{error!r}）。为免为被改写的日志背书，见证人不启动。请停用此密钥：保留该目录备查，"
        "用新目录启动（会生成新密钥），并把新的 policy 行交给日志运营方。不要用旧备份恢复。\n"
        f"{path} is missing or damaged ({error!r}). So as not to vouch for a rewritten log the witness does not start. "
        "Give this key up: keep the folder for the record, start with a new folder (which makes a new key), and hand "
        "the new policy line to the log's operator. Do not restore an older backup."
    )


def _checkpoints(raw: bytes) -> list[Checkpoint]:
    """What `_written` wrote. Raises ValueError."""
    try:
        told = json.loads(raw)
        version, notes = told["version"], [note.encode() for note in told["checkpoints"]]
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the memory of a witness: {error!r}") from None
    if version != _VERSION:
        raise ValueError(f"written by another version: {version!r}")
    return [parse_checkpoint(note) for note in notes]


def _written(checkpoints: Iterable[Checkpoint]) -> bytes:
    notes = [checkpoint.raw.decode() for checkpoint in checkpoints]
    return (
        json.dumps({"version": _VERSION, "checkpoints": notes}, ensure_ascii=False, indent=1).encode() + b"\n"
    )


def _put(path: Path, data: bytes) -> None:
    """Whole or not at all, on the disk when this returns, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
