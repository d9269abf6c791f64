"""The program inside the jail: warm up, lock, say ready, take one job, answer, end.

Everything up to the job's own code is ours and runs on nothing but the worker's word; from `before_job` on the
process is taken to be hostile.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sandbox.isolation.runner import lockdown, script
from sandbox.isolation.runner.engine import Engine
from sandbox.isolation.runner.output import Output, TooMuchOutput
from sandbox.isolation.runner.protocol import READY, Code, frame, receive_job, write_all

SAMPLE = Path("/tmp/sample.parquet")  # noqa: S108 - the jail's own folder, empty and tiny


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the socket's descriptor, the threads to start with, "1" to keep standard error."""
    inherited, threads, keep_errors = (int(argument) for argument in arguments)
    lockdown.keep_only_channel(inherited)
    lockdown.silence(keep_errors=bool(keep_errors))
    engine = Engine(threads=threads)
    engine.warm_up(SAMPLE)
    channel = socket.socket(fileno=lockdown.CHANNEL)
    lockdown.before_ready()
    channel.sendall(READY)
    try:
        job, descriptors = receive_job(channel)
    except EOFError:
        os._exit(0)
    _answer(*_work(engine, job, descriptors))
    os._exit(0)  # nothing to tear down: the process is used once


def _work(engine: Engine, job: Mapping[str, Any], descriptors: Sequence[int]) -> tuple[Code, float, bytes]:
    limits = job["limits"]
    output = Output(max_bytes=limits["output_bytes"], max_rows=job["max_rows"])
    is_script = job["kind"] == "script"
    try:
        if is_script:
            script.prepare(SAMPLE)
        engine.take_limits(limits)
        lockdown.before_job(limits)
        seconds = (script.run if is_script else engine.run)(job, descriptors, output)
        return Code.OK, seconds, output.content()
    except BaseException as error:  # noqa: BLE001 - SystemExit of a script is an end like any other
        return _code(error), 0.0, b""


def _code(error: BaseException) -> Code:
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, TooMuchOutput):
        return Code.TOO_MUCH_OUTPUT
    no_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if no_memory or isinstance(error, MemoryError | duckdb.OutOfMemoryException | pa.ArrowMemoryError):
        return Code.OUT_OF_MEMORY
    return Code.ENGINE_ERROR


def _answer(code: Code, seconds: float, table: bytes) -> None:
    head = {"code": code, "engine_seconds": seconds, "bytes": len(table)}
    write_all(lockdown.CHANNEL, frame(head))
    write_all(lockdown.CHANNEL, table)
