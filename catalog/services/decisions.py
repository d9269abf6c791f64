"""The provider decides about a checked version: publish, publish without the rows that do not fit, or reject."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from catalog import uploads
from catalog.locks import locked_version
from catalog.models import Version
from catalog.permissions import check_can_edit
from catalog.queue import enqueue_ingest
from catalog.schema import Grade
from catalog.services.listing import core_grade
from catalog.states import BadRows, DatasetState, VersionState
from parties.actors import Actor


@use_case("version.decide", about="version")
def decide_bad_rows(*, actor: Actor, version: Version, on_bad_rows: str) -> Version:
    """`on_bad_rows` is a BadRows. PUBLISH and DROP start the building of the extract; REJECT ends the version.

    Raises Refused: version.has_bad_rows (PUBLISH although rows do not fit), dataset.core_grade (core data under a
    listed dataset), version.decision_unknown, state.not_allowed.
    """
    version = locked_version(version)
    check_can_edit(actor, version.dataset)
    if on_bad_rows not in BadRows:
        raise Refused("version.decision_unknown", _("Choose one of the decisions offered."))
    if on_bad_rows == BadRows.REJECT:
        return _reject(version, actor)
    if version.state == VersionState.CHECKED:
        _check_can_build(version, on_bad_rows)
    move(
        version, VersionState.BUILDING, actor=actor, on_bad_rows=str(on_bad_rows),
        set_fields={"on_bad_rows": on_bad_rows, "progress": 0, "attempts": 0, "lease": None, "claim": None},
    )  # fmt: skip
    enqueue_ingest(version.uid)
    return version


@use_case("version.reject", about="version")
def reject_version(*, actor: Actor, version: Version) -> Version:
    """End the version without publishing anything; the file that was handed in is removed."""
    version = locked_version(version)
    check_can_edit(actor, version.dataset)
    return _reject(version, actor)


def _reject(version: Version, actor: Actor) -> Version:
    upload = version.upload
    move(version, VersionState.REJECTED, actor=actor, set_fields={"on_bad_rows": BadRows.REJECT})
    transaction.on_commit(lambda: uploads.discard(upload), robust=True)
    return version


def _check_can_build(version: Version, on_bad_rows: str) -> None:
    if on_bad_rows == BadRows.PUBLISH and version.bad_rows:
        raise Refused(
            "version.has_bad_rows",
            _("Some rows do not fit the schema. Correct the schema, publish without them, or reject all."),
            bad_rows=version.bad_rows,
        )
    if version.dataset.state == DatasetState.LISTED and version.schema.grade is Grade.CORE:
        raise core_grade()
