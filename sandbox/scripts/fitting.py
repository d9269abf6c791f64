"""From what a script handed over to an extract like any other: nothing of it is believed.

Every row must name a unit of the extract that was read; every value must be of its column's type, and of its domain
where it has one; a dimension that the contract calls the unit's own must be so. Then the rows get the units'
pseudonyms back and are written as `catalog.ingest.extract` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from catalog.ingest.digest import Digests, digest
from catalog.ingest.engine import identifier, literal, run, session
from catalog.ingest.extract import ROW_GROUP, name_durably
from catalog.ingest.profile import several_sql
from catalog.schema import ColumnType
from contracts.policy.terms import ColumnRole, ColumnTerm, DatasetTerm, Level
from sandbox.engines.literals import literal as value_of
from sandbox.guard.domains import declared
from sandbox.kept.build import Stopped
from sandbox.scripts.view import name_parameters, name_sql, unit_of

_TYPES = {
    ColumnType.TEXT: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.BOOLEAN: "BOOLEAN",
}


class Unfit(Exception):
    """What was handed over does not fit the dataset. The text is for the operator, and tells of no value."""


def fit(
    emitted: pa.Table, extract: int, term: DatasetTerm, *, contract: str, space_key: bytes, out_dir: Path,
    keep_going: Callable[[], bool],
) -> Digests:  # fmt: skip
    """Check and write `<sha256>.parquet` in `out_dir`. Raises Unfit, Stopped, IngestError, OSError.

    `extract`: a descriptor of the extract that the script's view was made of.
    """
    names = [column.name for column in term.columns]
    if sorted(emitted.column_names) != sorted(names):
        raise Unfit("columns")
    if not emitted.num_rows:
        raise Unfit("no rows")
    if any(pa.types.is_nested(field.type) for field in emitted.schema):
        raise Unfit("type")
    path = Path(f"/proc/self/fd/{extract}")
    temporary = out_dir.resolve() / f".extract-{uuid4().hex}.tmp"

    def tell(_step: str, _share: float) -> None:
        if not keep_going():
            raise Stopped

    try:
        with session(folder=out_dir, reads=path) as engine:
            engine.register("emitted", emitted)
            unit = identifier(unit_of(term).name)
            run(engine, _units(unit, path), name_parameters(space_key, contract), step="units", progress=tell)
            try:
                run(engine, _rows(term), step="rows", progress=tell)
            except (duckdb.ConversionException, duckdb.BinderException):
                raise Unfit("type") from None
            _check(engine, term)
            copy = (
                f"COPY ({_extract(term)}) TO {literal(str(temporary))} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            )
            run(engine, copy, step="build", progress=tell)
        digests = digest(temporary)
        name_durably(temporary, digests, out_dir)
    finally:
        temporary.unlink(missing_ok=True)
    return digests


def _units(unit: str, path: Path) -> str:
    return (
        f"CREATE TEMP TABLE units AS SELECT {unit} AS pseudonym, {name_sql(unit)} AS named "  # noqa: S608
        f"FROM (SELECT DISTINCT {unit} FROM read_parquet({literal(str(path))}) WHERE {unit} IS NOT NULL)"
    )


def _rows(term: DatasetTerm) -> str:
    """Each row handed over, typed, with its unit's pseudonym; `_unfit` where a value lost its meaning by that."""
    unit = unit_of(term)
    others = [column for column in term.columns if column is not unit]
    typed = [f"TRY_CAST(e.{identifier(c.name)} AS {_type(c)}) AS {identifier(c.name)}" for c in others]
    lost = [
        f"(e.{identifier(c.name)} IS NOT NULL AND TRY_CAST(e.{identifier(c.name)} AS {_type(c)}) IS NULL)"
        for c in others
    ]
    chosen = [
        f"u.pseudonym AS {identifier(unit.name)}",
        *typed,
        f"({' OR '.join(lost) or 'false'}) AS _unfit",
    ]
    return (
        f"CREATE TEMP TABLE rows AS SELECT {', '.join(chosen)} FROM emitted e "  # noqa: S608
        f"LEFT JOIN units u ON u.named = TRY_CAST(e.{identifier(unit.name)} AS BIGINT)"
    )


def _check(engine: duckdb.DuckDBPyConnection, term: DatasetTerm) -> None:
    unit = identifier(unit_of(term).name)
    dimensions = [column for column in term.columns if column.role is ColumnRole.DIMENSION]
    questions = {
        "unit": f"SELECT 1 FROM rows WHERE {unit} IS NULL LIMIT 1",  # noqa: S608
        "value": "SELECT 1 FROM rows WHERE _unfit LIMIT 1",
        **{f"domain {i}": _outside(column) for i, column in enumerate(dimensions)},
        **{
            f"level {i}": several_sql("rows", unit, identifier(column.name))
            for i, column in enumerate(dimensions)
            if column.level is Level.UNIT
        },
    }
    for name, question in questions.items():
        if engine.execute(question).fetchall():
            raise Unfit(name)


def _outside(column: ColumnTerm) -> str:
    name = identifier(column.name)
    values = [value_of(column, text).sql(dialect="duckdb") for text in declared(column).values()]
    inside = f"{name} IN ({', '.join(values)})" if values else "false"
    return f"SELECT 1 FROM rows WHERE {name} IS NOT NULL AND NOT ({inside}) LIMIT 1"  # noqa: S608


def _extract(term: DatasetTerm) -> str:
    """The rows in the form of an extract: units numbered in the order of their pseudonyms, a key for each record."""
    unit = identifier(unit_of(term).name)
    columns = _names(term.columns)
    return (
        f"SELECT {columns}, _unit, CAST(row_number() OVER (ORDER BY _unit, {columns}) AS UBIGINT) AS _record_key "  # noqa: S608
        f"FROM (SELECT {columns}, CAST(dense_rank() OVER (ORDER BY {unit}) - 1 AS INTEGER) AS _unit FROM rows) "
        "ORDER BY _unit, _record_key"
    )


def _names(columns: Sequence[ColumnTerm]) -> str:
    return ", ".join(identifier(column.name) for column in columns)


def _type(column: ColumnTerm) -> str:
    if column.type is ColumnType.DECIMAL:
        return f"DECIMAL(18, {column.scale:d})"
    return _TYPES[column.type]
