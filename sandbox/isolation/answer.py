"""Reads what a sandbox handed back, believing nothing: the bytes may come from hostile code.

An answer is refused whole unless it is an uncompressed Arrow IPC stream of plain columns whose buffers are
consistent. Compressed batches, dictionaries, views, run-ends and columns of nulls are refused because there a
small message can stand for a table that fills the worker's memory; so are very many columns or batches, each of which
takes many times the bytes that describe it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

import pyarrow as pa

from sandbox.isolation.runner.protocol import Code

RECORD_BATCH = 3  # MessageHeader of Arrow's Message.fbs
HEADER_TYPE, HEADER = 1, 2  # fields of its Message
COMPRESSION = 3  # field of its RecordBatch
MAX_METADATA_BYTES = 4 * 1024**2  # of all messages together: what describes columns and batches
MAX_DEPTH = 2  # lists of lists at most

_PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_date,
    pa.types.is_time,
    pa.types.is_timestamp,
    pa.types.is_interval,
)


class BadAnswer(Exception):
    """What came back is not an answer."""


@dataclass(frozen=True, slots=True)
class Head:
    code: Code
    engine_seconds: float
    size: int  # bytes of the table that follows


def read_head(data: bytes) -> Head:
    """Raise BadAnswer unless `data` is exactly {"code", "engine_seconds", "bytes"} with sane values."""
    try:
        message = json.loads(data)
        code, seconds, size = Code(message["code"]), message["engine_seconds"], message["bytes"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadAnswer from error
    if type(size) is not int or size < 0 or type(seconds) not in (int, float) or not 0 <= seconds < 1e6:
        raise BadAnswer
    return Head(code, float(seconds), size)


def read_table(data: bytes | bytearray, *, max_rows: int) -> pa.Table:
    """The table in an IPC stream, without its metadata. Raise BadAnswer where the module's rules are broken."""
    try:
        _check_messages(data)
        reader = pa.ipc.open_stream(pa.py_buffer(data))
        if not all(_plain(field.type, MAX_DEPTH) for field in reader.schema):
            raise BadAnswer
        table = reader.read_all()
        if table.num_rows > max_rows:
            raise BadAnswer
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, IndexError, struct.error) as error:
        raise BadAnswer from error
    schema = pa.schema([pa.field(f.name, f.type, f.nullable) for f in table.schema])
    return pa.Table.from_arrays(table.columns, schema=schema)


def _plain(kind: pa.DataType, depth: int) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return depth > 0 and _plain(kind.value_type, depth - 1)
    return any(check(kind) for check in _PLAIN)


def _check_messages(data: bytes | bytearray) -> None:
    described = 0
    for message in pa.ipc.MessageReader.open_stream(pa.py_buffer(data)):
        metadata = message.metadata.to_pybytes()
        described += len(metadata)
        if described > MAX_METADATA_BYTES:
            raise BadAnswer
        root = struct.unpack_from("<I", metadata)[0]
        kind = _field(metadata, root, HEADER_TYPE)
        batch = _field(metadata, root, HEADER)
        if kind is None or batch is None:
            raise BadAnswer
        if metadata[kind] != RECORD_BATCH:
            continue
        table = batch + struct.unpack_from("<I", metadata, batch)[0]
        if _field(metadata, table, COMPRESSION) is not None:
            raise BadAnswer


def _field(data: bytes, table: int, index: int) -> int | None:
    """Where field `index` of the flatbuffer table at `table` lies, None where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    place = 4 + 2 * index
    if vtable < 0 or place >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = int(struct.unpack_from("<H", data, vtable + place)[0])
    return table + offset if offset else None
