"""Open what a version was handed in as. A table is copied once, so that check and build see the same rows."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog import ingest
from catalog.leases import Claim, holding
from catalog.models import Version
from catalog.source_address import address_of
from catalog.states import SourceKind
from catalog.uploads import Upload, discard


def open_version(held: Claim, folder: Path) -> ingest.Source:
    """The version's rows as the ingest reads them. Copies go to `folder`, except a table's, which is kept.

    Raises Refused: source.*, upload.gone; LostClaimError.
    """
    version = held.version
    if version.source_kind == SourceKind.TABLE and not version.upload:
        _copy_table(held, version, folder)
    path = version.upload_path
    if path is None or not path.exists():
        raise Refused("upload.gone", _("The file is no longer there. Hand it in again."))
    delimiter = "," if version.source_kind == SourceKind.TABLE else None
    return ingest.open_source(
        path, folder=folder, sheet=version.sheet or None, delimiter=delimiter, progress=held
    )


def _copy_table(held: Claim, version: Version, folder: Path) -> None:
    """Copy the table beside the uploads and write it into the version's row. The copy goes if the claim is lost."""
    assert version.source is not None  # see services.hand_in
    schema, _dot, table = version.table.partition(".")
    copied = ingest.open_table(address_of(version.source), schema, table, folder=folder, progress=held)
    with copied.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    upload = Upload(f"{uuid.uuid4()}.csv", copied.path.stat().st_size, digest)
    copied.path.replace(upload.path)
    fields = {"upload": upload.name, "upload_size": upload.size, "upload_sha256": upload.sha256}
    try:
        with holding(held) as row:
            for thing in (row, version):
                for name, value in fields.items():
                    setattr(thing, name, value)
            row.save(update_fields=list(fields))
    except BaseException:
        discard(upload.name)
        raise
