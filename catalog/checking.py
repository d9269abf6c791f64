"""The check: infer a schema (the first time), read every row under it, keep what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from audit.transitions import move
from catalog import ingest
from catalog.leases import Claim, holding
from catalog.models import Version
from catalog.opening import open_version
from catalog.preview import keep_head
from catalog.schema import Column, DeriveRule, Schema, problems
from catalog.states import VersionState
from parties.actors import SYSTEM


def check_rows(held: Claim, folder: Path) -> None:
    """CHECKING to CHECKED, with schema and findings. Doing it again gives the same. Raises Refused, LostClaimError."""
    source = open_version(held, folder)
    schema = held.version.schema if held.version.schema_json else _first_schema(held, source, folder)
    findings = ingest.validate(source, schema, folder=folder, progress=held)
    keep_head(held.version, source, folder)
    with holding(held) as version:
        move(
            version, VersionState.CHECKED, actor=SYSTEM, rows=findings.rows, bad_rows=findings.bad_rows,
            set_fields={
                "schema_json": schema.to_json(), "grade": int(schema.grade), "findings": findings.to_json(),
                "progress": 100, "claim": None, "lease": None,
            },
        )  # fmt: skip


def _first_schema(held: Claim, source: ingest.Source, folder: Path) -> Schema:
    inferred = ingest.infer_schema(source, folder=folder, progress=held)
    former = (
        Version.objects.filter(dataset=held.version.dataset, state=VersionState.PUBLISHED)
        .order_by("-number")
        .first()
    )
    return continued(inferred, former.schema) if former else inferred


def continued(inferred: Schema, former: Schema) -> Schema:
    """The schema of a further edition: columns known by their header keep what the provider said about them.

    Derived columns come along when their source column does; years and months that are new join their domain. Any
    other new value is reported by the check. Falls back to `inferred` if the two do not go together.
    """
    known = {column.header: column for column in former.columns if column.derived is None}
    columns = [known.get(column.header, column) for column in inferred.columns if column.derived is None]
    names = {column.name for column in columns}
    derived = [
        _longer(c, former, inferred) for c in former.columns if c.derived and c.derived.source in names
    ]
    schema = Schema((*columns, *derived))
    return inferred if problems(schema) else schema


def _longer(column: Column, former: Schema, inferred: Schema) -> Column:
    """A derived year or month with the values the new edition brings."""
    if column.derived is None or column.derived.rule not in {DeriveRule.YEAR, DeriveRule.YEAR_MONTH}:
        return column
    more = {
        value
        for other in inferred.columns
        if other.derived is not None
        and other.derived.rule is column.derived.rule
        and _header(inferred, other.derived.source) == _header(former, column.derived.source)
        for value in other.domain or ()
    }
    return replace(column, domain=tuple(sorted({*(column.domain or ()), *more})) or None)


def _header(schema: Schema, name: str) -> str:
    column = schema.column(name)
    return column.header if column else ""
