"""Frames on the socket between worker and sandbox. Shared by both sides; standard library only.

    frame  = length (4 bytes, big-endian) + that many bytes of JSON (an object)
    job    = one frame, the descriptors attached to its length by SCM_RIGHTS
    ready  = READY, with the SCM_CREDENTIALS by which the kernel names the sender
    answer = one frame {"code": Code, "engine_seconds": float, "bytes": int} + that many bytes of an Arrow IPC stream

The worker believes nothing an answer says: after a hostile script, the sandbox writes what it likes.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from enum import StrEnum
from typing import Any

LENGTH = struct.Struct(">I")
MAX_JOB_BYTES = 4 * 1024**2
MAX_ANSWER_BYTES = 4096  # of the frame before the table
MAX_DESCRIPTORS = 64


class Code(StrEnum):
    """How a job ended, in the runner's words. A closed set: no text of an engine ever travels."""

    OK = "ok"
    ENGINE_ERROR = "engine_error"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MUCH_OUTPUT = "too_much_output"


def frame(message: dict[str, Any]) -> bytes:
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return LENGTH.pack(len(body)) + body


READY = frame({"ready": True})


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """write(2) until all of `data` is gone; the locked process may make no call of the socket family."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive_job(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for the one job: its specification and its descriptors, in the order they were attached.

    Raise EOFError when the worker has gone.
    """
    head, descriptors, _flags, _address = socket.recv_fds(channel, LENGTH.size, MAX_DESCRIPTORS)
    if len(head) < LENGTH.size:
        head += _exactly(channel, LENGTH.size - len(head))
    body = _exactly(channel, LENGTH.unpack(head)[0])
    return json.loads(body), descriptors


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = channel.recv(count - len(parts))
        if not part:
            raise EOFError("the worker has gone")
        parts += part
    return bytes(parts)
