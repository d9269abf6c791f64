"""Hand in a new version: a file, or a table of a registered source. The background then checks it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from catalog import uploads
from catalog.locks import locked_dataset
from catalog.models import Dataset, Source, Version
from catalog.permissions import can_edit, check_can_edit, check_can_use_source
from catalog.queue import enqueue_ingest
from catalog.states import SourceKind, VersionState
from catalog.uploads import Upload
from parties.actors import Actor

TABLE = re.compile(r"[^.\x00]{1,63}\.[^.\x00]{1,63}\Z")


def hand_in_file(
    *, actor: Actor, dataset: Dataset, chunks: Iterable[bytes], file_name: str, sheet: str = ""
) -> Version:
    """Take in a stream of bytes as the next version. `sheet` names one of an XLSX file ("" for the first).

    The bytes are stored before the transaction begins, and removed again if it is refused. Bytes of someone who
    may not hand in are not read. Raises Refused: not_found, dataset.not_yours, role.missing, upload.*.
    """
    upload = uploads.receive(chunks, file_name) if can_edit(actor, dataset) else None
    try:
        return _take_in(actor=actor, dataset=dataset, upload=upload, file_name=file_name, sheet=sheet)
    except BaseException:
        if upload is not None:
            uploads.discard(upload.name)
        raise


@use_case("version.hand_in", about="dataset")
def _take_in(*, actor: Actor, dataset: Dataset, upload: Upload | None, file_name: str, sheet: str) -> Version:
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    if upload is None:  # the right was given between the two checks
        raise Refused("upload.empty", _("The file is empty."))
    version = Version(
        source_kind=SourceKind.FILE, upload=upload.name, upload_size=upload.size, upload_sha256=upload.sha256,
        file_name=file_name[-200:], sheet=sheet,
    )  # fmt: skip
    return _add(version, dataset, actor)


@use_case("version.hand_in", about="dataset")
def hand_in_table(*, actor: Actor, dataset: Dataset, source: Source, table: str) -> Version:
    """Take `table` ("schema.table") of a registered database as the next version.

    Raises Refused: not_found, dataset.not_yours, role.missing, source.table_name.
    """
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    check_can_use_source(actor, source)
    if not TABLE.match(table):
        raise Refused("source.table_name", _("Name the table with its schema, for example public.readings."))
    return _add(Version(source_kind=SourceKind.TABLE, source=source, table=table), dataset, actor)


def _add(version: Version, dataset: Dataset, actor: Actor) -> Version:
    last = dataset.versions.aggregate(last=Max("number"))["last"] or 0
    version.dataset, version.number, version.state = dataset, last + 1, VersionState.UPLOADED
    assert actor.user is not None  # a steward is an account
    version.handed_in_by = actor.user
    version.save()
    record(
        Event.VERSION_UPLOADED, actor=actor, about=version, dataset=str(dataset.uid),
        number=version.number, source=str(version.source_kind), sha256=version.upload_sha256,
    )  # fmt: skip
    enqueue_ingest(version.uid)
    return version
