"""What a sandbox hands back is believed only when it is a plain, uncompressed, consistent table."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from sandbox.isolation.answer import BadAnswer, read_head, read_table
from sandbox.isolation.runner.output import Output, TooMuchOutput
from sandbox.isolation.runner.protocol import Code


def stream(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


PLAIN = pa.table(
    {
        "place": ["市中区", None],
        "n": [1, 2],
        "sum": pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)),
        "top": [[3, 2], [1]],
        "mean": [0.5, 1.5],
    }
)


def test_a_plain_table_comes_through_without_metadata() -> None:
    table = read_table(stream(PLAIN.replace_schema_metadata({"pandas": "{}"})), max_rows=2)
    assert table.to_pydict() == PLAIN.to_pydict()
    assert table.schema.metadata is None


def test_an_empty_table_comes_through() -> None:
    assert read_table(stream(PLAIN.slice(0, 0)), max_rows=1).schema == PLAIN.schema


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_a_compressed_answer_is_refused(codec: str) -> None:
    bomb = pa.table({"x": pa.array([0] * 1_000_000, pa.int64())})
    with pytest.raises(BadAnswer):
        read_table(stream(bomb, compression=codec), max_rows=10**9)


@pytest.mark.parametrize(
    "column",
    [
        pa.nulls(10),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array([{"a": 1}]),
        pa.array(["a"], pa.string_view()),
        pa.RunEndEncodedArray.from_arrays(pa.array([10**9], pa.int32()), pa.array([1])),
        pa.array([[[[1]]]]),
        pa.array([[[(1, 2)]]], pa.list_(pa.map_(pa.int8(), pa.int8()))),
    ],
    ids=["nulls", "dictionary", "struct", "view", "run-ends", "deep", "map"],
)
def test_columns_that_can_stand_for_more_than_they_weigh_are_refused(column: pa.Array) -> None:
    with pytest.raises(BadAnswer):
        read_table(stream(pa.table({"x": column})), max_rows=10**12)


def test_more_rows_than_asked_for_are_refused() -> None:
    with pytest.raises(BadAnswer):
        read_table(stream(PLAIN), max_rows=1)


def test_every_cut_and_many_flips_are_refused_or_harmless() -> None:
    data = stream(PLAIN)
    for place in range(0, len(data), 7):
        for damaged in (data[:place], data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]):
            try:
                table = read_table(damaged, max_rows=2)
            except BadAnswer:
                continue
            assert table.num_rows <= 2
            table.to_pydict()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"code":"anything","engine_seconds":0,"bytes":0}',
        b'{"code":"ok","engine_seconds":"0","bytes":0}',
        b'{"code":"ok","engine_seconds":NaN,"bytes":0}',
        b'{"code":"ok","engine_seconds":0,"bytes":-1}',
        b'{"code":"ok","engine_seconds":0,"bytes":1.5}',
        b'{"code":"ok","engine_seconds":0,"bytes":true}',
        b"[" * 4000,
    ],
)
def test_a_head_out_of_form_is_refused(head: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_head(head)


def test_a_head_in_form_is_read() -> None:
    head = read_head(b'{"code":"ok","engine_seconds":0.25,"bytes":12}')
    assert (head.code, head.engine_seconds, head.size) == (Code.OK, 0.25, 12)


def test_output_is_cut_by_rows_and_by_bytes() -> None:
    table = pa.table({"x": list(range(1000))})
    whole = Output(max_bytes=100_000, max_rows=1000)
    whole.fill(table.to_reader())
    assert read_table(whole.content(), max_rows=1000).equals(table)
    for bounds in ({"max_bytes": 100_000, "max_rows": 999}, {"max_bytes": 1000, "max_rows": 1000}):
        with pytest.raises(TooMuchOutput):
            Output(**bounds).fill(table.to_reader())
