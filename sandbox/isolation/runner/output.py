"""The one table a job hands back, as Arrow IPC stream bytes, cut while it is written."""

from __future__ import annotations

import io

import pyarrow as pa


class TooMuchOutput(Exception):
    """The table has more rows or bytes than the job may hand back."""


class Output(io.RawIOBase):
    """Takes one table's batches; raises TooMuchOutput at the first byte or row above the limit."""

    def __init__(self, *, max_bytes: int, max_rows: int) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._rows_left = max_rows
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # pyarrow hands over bytes
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooMuchOutput
        self._parts.append(bytes(data))
        return len(data)

    def fill(self, reader: pa.RecordBatchReader) -> None:
        """Write the whole stream, end marker included."""
        with pa.ipc.new_stream(self, reader.schema) as stream:
            for batch in reader:
                self._rows_left -= batch.num_rows
                if self._rows_left < 0:
                    raise TooMuchOutput
                stream.write_batch(batch)

    def content(self) -> bytes:
        return b"".join(self._parts)
