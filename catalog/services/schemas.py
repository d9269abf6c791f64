"""The provider corrects what was inferred; the version is then checked again, row by row."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from catalog.locks import locked_version
from catalog.models import Version
from catalog.permissions import check_can_edit
from catalog.queue import enqueue_ingest
from catalog.schema import Schema, problems
from catalog.states import VersionState
from parties.actors import Actor


@use_case("version.set_schema", about="version")
def set_schema(*, actor: Actor, version: Version, schema: Schema) -> Version:
    """Checked to handed in, with `schema` in place of the former one; its source columns stay the same.

    Raises Refused: schema.faults (details list column, code and reason), schema.other_columns, state.not_allowed.
    """
    version = locked_version(version)
    check_can_edit(actor, version.dataset)
    found = problems(schema)
    if found:
        raise Refused(
            "schema.faults", _("The schema has faults. Correct what is marked."),
            faults=[asdict(problem) for problem in found],
        )  # fmt: skip
    if version.state == VersionState.CHECKED and _headers(schema) != _headers(version.schema):
        raise Refused("schema.other_columns", _("The columns are not those of the file. Reload the page."))
    move(
        version, VersionState.UPLOADED, actor=actor, schema=digest(schema),
        set_fields={
            "schema_json": schema.to_json(), "grade": int(schema.grade), "findings": None, "progress": 0,
            "attempts": 0, "lease": None, "claim": None,
        },
    )  # fmt: skip
    enqueue_ingest(version.uid)
    return version


def digest(schema: Schema) -> str:
    """SHA-256 of the schema's JSON with sorted keys: names a schema in the log."""
    text = json.dumps(schema.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _headers(schema: Schema) -> list[str]:
    return sorted(column.header for column in schema.columns if column.derived is None)
