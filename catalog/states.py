"""The states of a dataset and of its versions: the room's words, and every move there is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from audit.events import Event
from audit.transitions import Moves


class DatasetState(models.TextChoices):
    DRAFT = "draft", _("draft")  # seen by its provider only
    LISTED = "listed", _("in the catalog")
    WITHDRAWN = (
        "withdrawn",
        pgettext_lazy("dataset", "withdrawn"),
    )  # no new requests; extracts stay for what was signed


DATASET_MOVES: Moves = {
    DatasetState.DRAFT: {DatasetState.LISTED: Event.DATASET_LISTED},
    DatasetState.LISTED: {DatasetState.WITHDRAWN: Event.DATASET_WITHDRAWN},
    DatasetState.WITHDRAWN: {DatasetState.LISTED: Event.DATASET_LISTED},
}


class VersionState(models.TextChoices):
    UPLOADED = "uploaded", _("handed in")  # a file waits to be read
    CHECKING = (
        "checking",
        _("being checked"),
    )  # background: infer a schema (first time) and validate every row
    CHECKED = (
        "checked",
        _("waiting for the provider"),
    )  # schema and findings are shown; provider corrects or decides
    BUILDING = "building", _("extract being built")  # background
    PUBLISHED = "published", _("published")
    REJECTED = "rejected", _("rejected by the provider")
    FAILED = "failed", _("failed")  # could not be read at all; the code says why


VERSION_MOVES: Moves = {
    VersionState.UPLOADED: {
        VersionState.CHECKING: Event.VERSION_CHECKING,
        VersionState.REJECTED: Event.VERSION_REJECTED,
    },
    VersionState.CHECKING: {
        VersionState.CHECKED: Event.VERSION_CHECKED,
        VersionState.FAILED: Event.VERSION_FAILED,
    },
    VersionState.CHECKED: {
        VersionState.UPLOADED: Event.VERSION_SCHEMA_SET,  # schema corrected: check again
        VersionState.BUILDING: Event.VERSION_BUILDING,
        VersionState.REJECTED: Event.VERSION_REJECTED,
    },
    VersionState.BUILDING: {
        VersionState.PUBLISHED: Event.VERSION_PUBLISHED,
        VersionState.FAILED: Event.VERSION_FAILED,
    },
}


# A background job holds, or will soon hold, a version in one of these.
WORKED_ON = frozenset({VersionState.UPLOADED, VersionState.CHECKING, VersionState.BUILDING})


class BadRows(models.TextChoices):
    """The provider's decision about a checked version."""

    PUBLISH = "publish", _("publish: every row fits")
    DROP = "drop_rows", _("publish without the rows that do not fit")
    REJECT = "reject", _("reject all")


class Visibility(models.TextChoices):
    PUBLIC = "public", _("everyone")
    NAMED = "named", _("named organizations only")


class SourceKind(models.TextChoices):
    FILE = "file", _("file")
    TABLE = "table", _("table of a PostgreSQL database")
