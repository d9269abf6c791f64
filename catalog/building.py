"""The build: the extract's file first, then its row. Nothing is published twice, whatever is killed when."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.transitions import move
from catalog import ingest, search, uploads
from catalog.leases import Claim, holding
from catalog.opening import open_version
from catalog.schema import Grade
from catalog.services.listing import core_grade
from catalog.services.schemas import digest
from catalog.states import BadRows, DatasetState, VersionState
from parties.actors import SYSTEM

ON_BAD_ROWS = {BadRows.PUBLISH: ingest.OnBadRows.REJECT_ALL, BadRows.DROP: ingest.OnBadRows.DROP_ROWS}


def build_extract(held: Claim, folder: Path) -> None:
    """BUILDING to PUBLISHED. Raises Refused (rows.*, extract.*, source.*, dataset.core_grade), LostClaimError.

    The same version gives the same bytes under the same name, so a second attempt finds its own file or replaces
    it by an equal one. An extract that no row names is removed by the sweep.
    """
    schema = held.version.schema
    extract = ingest.build(
        open_version(held, folder), schema, out_dir=Path(settings.EXTRACTS_DIR),
        space_key=bytes.fromhex(settings.SPACE_KEY), on_bad_rows=ON_BAD_ROWS[BadRows(held.version.on_bad_rows)],
        progress=held,
    )  # fmt: skip
    profile = ingest.profile(extract, schema, folder=folder, progress=held)
    with holding(held) as version:
        if version.dataset.state == DatasetState.LISTED and schema.grade is Grade.CORE:
            raise core_grade()
        upload = version.upload
        move(
            version, VersionState.PUBLISHED, actor=SYSTEM, dataset=str(version.dataset.uid), number=version.number,
            rows=extract.rows, dropped_rows=extract.dropped_rows, sha256=extract.sha256, sm3=extract.sm3,
            schema=digest(schema),
            set_fields={
                "rows": extract.rows, "dropped_rows": extract.dropped_rows, "units": extract.units,
                "size": extract.bytes, "sha256": extract.sha256, "sm3": extract.sm3, "profile": profile.to_json(),
                "published": timezone.now(), "progress": 100, "claim": None, "lease": None,
            },
        )  # fmt: skip
        search.index(version.dataset)
        transaction.on_commit(lambda: uploads.discard(upload), robust=True)
