"""Build a kept table from an open extract: one generated SELECT, `first_level`, one COPY; memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from catalog.ingest.engine import identifier, run, session
from catalog.ingest.engine import literal as quoted
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnTerm
from sandbox.engines.choice import place
from sandbox.engines.layout import Facts, Layout
from sandbox.engines.literals import literal, text_of
from sandbox.guard.domains import declared
from sandbox.kept.first_level import FirstLevel, whole_contributors

BATCH_ROWS = 122_880
ROW_GROUP = 122_880
DICTIONARY = 1000  # values at most; sums have more, and a dictionary of them is work for nothing


class Stopped(Exception):
    """`keep_going` said no."""


def build(
    layout: Layout, extract: int, target: Path, *, threads: int, keep_going: Callable[[], bool]
) -> Facts:
    """Write the kept table to `target`, a file of its own folder, from the extract open as descriptor `extract`.

    Spills to the folder's `tmp`. Raises NotKept, Stopped, OSError, and IngestError for what the engine raises.
    """
    path = Path(f"/proc/self/fd/{extract}")
    full = _without_null(path, layout)
    level = FirstLevel(layout, full)
    failed: list[Exception] = []

    def tell(_step: str, _share: float) -> None:
        if not keep_going():
            raise Stopped

    with session(folder=target.parent, reads=path, threads=threads) as engine:
        engine.execute("SET arrow_output_version = '1.5'")  # a DECIMAL(18) comes in 64 bits, as it is
        values = [_texts(engine, column) for column in layout.dimensions]
        given = engine.cursor().sql(select(layout, values, full, path)).to_arrow_reader(BATCH_ROWS)
        made = _noting(
            map(level.rows, whole_contributors(batch for batch in given if batch.num_rows)), failed
        )
        engine.register("made", pa.RecordBatchReader.from_batches(level.schema, made))
        copy = (
            f"COPY (SELECT * FROM made) TO {quoted(str(target))} (FORMAT parquet, COMPRESSION snappy, "  # noqa: S608
            f"ROW_GROUP_SIZE {ROW_GROUP}, DICTIONARY_SIZE_LIMIT {DICTIONARY})"
        )
        try:
            run(engine, copy, step="keep", progress=tell)
        except duckdb.Error:
            if failed:
                raise failed[0] from None
            raise
    return Facts(frozenset(level.constant), full)


def select(layout: Layout, values: list[list[str]], full: frozenset[str], path: Path) -> str:
    """The rows that count, in their order, with what `FirstLevel.rows` reads. Names and values are the contract's.

    Values are numbered by a cast to an enumeration of their texts: a join with their list would not keep the order.
    No column of an extract that a contract names begins with "_", so the numbers cannot be taken for one.
    """
    who = "_unit" if layout.unit else "_row"
    stable = identifier(layout.unit or "_record_key")
    chosen = [f"{who}::{'INTEGER' if layout.unit else 'BIGINT'} AS u", f"{_cell(layout.sizes)} AS cell"]
    for i, column in enumerate(layout.measured):
        name = identifier(column.name)
        if column.name not in full:
            chosen.append(f"({name} IS NOT NULL)::UTINYINT AS v{i}")
        if i in layout.scales:
            kind = f"DECIMAL(18, {column.scale})" if column.type is ColumnType.DECIMAL else "BIGINT"
            chosen.append(f"coalesce({name}, 0)::{kind} AS m{i}")
    if "g" in layout.extras:
        codes = [exp.column(f"_x{i}") for i in range(layout.first_ranked, len(layout.dimensions))]
        order = place(exp.column(layout.unit or "_record_key", quoted=True), codes)
        chosen.append(f"{order.sql(dialect='duckdb')} AS h")
    if "p" in layout.extras:
        chosen.append(f"{stable}::UBIGINT AS p")
    if "r" in layout.extras:
        chosen.append("(_record_key % 256)::UTINYINT AS r")
    numbers = [
        f"{_number(c, v)} AS _x{i}" for i, (c, v) in enumerate(zip(layout.dimensions, values, strict=True))
    ]
    known = " AND ".join(f"{name} IS NOT NULL" for name in (who, *(f"_x{i}" for i in range(len(numbers)))))
    return (
        f"SELECT {', '.join(chosen)} FROM "  # noqa: S608
        f"(SELECT {', '.join(['*', *numbers])} FROM read_parquet({quoted(str(path))})) WHERE {known}"
    )


def _cell(sizes: tuple[int, ...]) -> str:
    text = "_x0" if sizes else "0"
    for i, size in enumerate(sizes[1:], start=1):
        text = f"({text} * {size} + _x{i})"
    return f"{text}::UBIGINT"


def _number(column: ColumnTerm, texts: list[str]) -> str:
    """The place of the column's value among `texts`; null where it is not one of them."""
    value = text_of(exp.column(column.name, quoted=True), column).sql(dialect="duckdb")
    enumeration = f"ENUM ({', '.join(quoted(text) for text in texts)})"
    return f"enum_code(try_cast({value} AS {enumeration}))::BIGINT"


def _texts(engine: duckdb.DuckDBPyConnection, column: ColumnTerm) -> list[str]:
    """The declared values, as the engine writes them."""
    values = [
        text_of(literal(column, text), column).sql(dialect="duckdb") for text in declared(column).values()
    ]
    return [text for (text,) in engine.execute(f"SELECT unnest([{', '.join(values)}])").fetchall()]


def _without_null(path: Path, layout: Layout) -> frozenset[str]:
    """Measured columns that hold no null by the statistics of every row group."""
    footer = pq.read_metadata(path)
    places = {footer.schema.column(i).path: i for i in range(footer.num_columns)}
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]

    def nulls(name: str) -> bool:
        known = [group.column(places[name]).statistics for group in groups]
        return any(s is None or not s.has_null_count or s.null_count for s in known)

    return frozenset(column.name for column in layout.measured if not nulls(column.name))


def _noting(batches: Iterator[pa.RecordBatch], failed: list[Exception]) -> Iterator[pa.RecordBatch]:
    """The same batches; what goes wrong is put into `failed`, as the engine that asks for them words it anew."""
    try:
        yield from batches
    except Exception as error:
        failed.append(error)
        raise
