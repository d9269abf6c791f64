"""What a script reads: the contract's columns of one extract, the units under names of this contract alone.

A unit's name here is a keyed pseudonym of its pseudonym: two scripts under two contracts cannot tell that they
see the same unit, and a name seen in one is worth nothing elsewhere. Rows are sorted by it, so that their order tells
nothing either.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from catalog.ingest import keys
from catalog.ingest.engine import identifier, literal, run, session
from contracts.policy.terms import ColumnTerm, DatasetTerm
from sandbox.kept.build import Stopped

ROW_GROUP = 122_880


def write_view(
    extract: int, target: Path, term: DatasetTerm, *, contract: str, space_key: bytes, keep_going: Callable[[], bool]
) -> None:  # fmt: skip
    """Write the view of the extract open as descriptor `extract` to `target`. Raises Stopped, IngestError, OSError.

    Columns: those of `term`, in its order, of the extract's types; the unit's is BIGINT.
    """
    path = Path(f"/proc/self/fd/{extract}")
    unit = unit_of(term)

    def tell(_step: str, _share: float) -> None:
        if not keep_going():
            raise Stopped

    named = name_sql(identifier(unit.name))
    chosen = [
        f"{named} AS {identifier(unit.name)}" if column is unit else identifier(column.name)
        for column in term.columns
    ]
    copy = (
        f"COPY (SELECT {', '.join(chosen)} FROM read_parquet({literal(str(path))}) ORDER BY ALL) "  # noqa: S608
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
    )
    with session(folder=target.parent, reads=path) as engine:
        run(engine, copy, name_parameters(space_key, contract), step="view", progress=tell)


def unit_of(term: DatasetTerm) -> ColumnTerm:
    """Requires: a dataset with a privacy unit; no other takes a script."""
    assert term.unit is not None
    return term.unit


def name_sql(pseudonym: str) -> str:
    """The unit's name under a contract, of its pseudonym; needs `name_parameters`. Positive, 63 bits."""
    return f"({keys.pseudonym_sql(f'CAST({pseudonym} AS VARCHAR)')} >> 1)::BIGINT"


def name_parameters(space_key: bytes, contract: str) -> dict[str, bytes]:
    """No unit space is called so: "/" stands in no name of one."""
    return keys.pseudonym_parameters(space_key, f"script/{contract}")
