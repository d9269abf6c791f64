"""Datasets, their versions, and where versions come from."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from audit.events import Event
from audit.recorded import Recorded
from audit.transitions import Stateful
from catalog.schema import Grade, Schema
from catalog.sizes import told
from catalog.states import (
    DATASET_MOVES,
    VERSION_MOVES,
    WORKED_ON,
    BadRows,
    DatasetState,
    SourceKind,
    VersionState,
    Visibility,
)
from parties.models import Organization

GRADE_NAMES = {
    Grade.GENERAL_1: _("general, level 1"),
    Grade.GENERAL_2: _("general, level 2"),
    Grade.GENERAL_3: _("general, level 3"),
    Grade.GENERAL_4: _("general, level 4"),
    Grade.IMPORTANT: _("important"),
    Grade.CORE: _("core"),
}


class Dataset(Stateful):
    """What a provider offers. `name` is its table name in SQL; its data are in `versions`."""

    KIND = "dataset"
    MOVES = DATASET_MOVES
    FIRST = (DatasetState.DRAFT, Event.DATASET_CREATED)
    CHANGES = frozenset({Event.DATASET_CHANGED})

    provider = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="datasets", verbose_name=_("provider")
    )
    name = models.CharField(
        _("identifier"), max_length=48, unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]{0,47}$", _("Lower-case letters, digits and _; a letter first."))],
        help_text=_("The table name in SQL, for example electricity_monthly."),
    )  # fmt: skip
    title = models.CharField(_("title"), max_length=120)
    title_en = models.CharField(_("English title"), max_length=120, blank=True)
    description = models.TextField(
        _("description"), help_text=_("What it holds, how it was gathered, what it is good for.")
    )
    theme = models.CharField(_("theme"), max_length=40, blank=True)
    cadence = models.CharField(_("update cadence"), max_length=40, blank=True)
    legal_basis = models.CharField(_("lawful source"), max_length=200, blank=True)
    visibility = models.CharField(
        _("visible to"), max_length=8, choices=Visibility, default=Visibility.PUBLIC
    )
    synthetic = models.BooleanField(_("synthetic data"), default=False)
    created = models.DateTimeField(auto_now_add=True)
    # Bigrams of title, description, theme and columns: finds parts of Chinese words (catalog/search.py).
    words = SearchVectorField(null=True, editable=False)

    class Meta:
        ordering = ["title"]
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        permissions = []
        indexes = [GinIndex(fields=["words"], name="dataset_words")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=DatasetState.values), name="dataset_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.provider.audit_parties

    @property
    def state_name(self) -> StrOrPromise:
        return DatasetState(self.state).label

    @property
    def current(self) -> Version | None:
        """The newest published version: what new computations run on.

        Lists fetch it beforehand (`catalog.selectors.with_current`); otherwise one query.
        """
        fetched: list[Version] | None = getattr(self, "fetched_current", None)
        if fetched is not None:
            return fetched[0] if fetched else None
        return self.versions.filter(state=VersionState.PUBLISHED).order_by("-number").first()

    @property
    def grade(self) -> Grade | None:
        """The grade of the current version, which is its highest column's. None before the first is published."""
        current = self.current
        return Grade(current.grade) if current and current.grade else None

    @property
    def grade_name(self) -> StrOrPromise:
        grade = self.grade
        return GRADE_NAMES[grade] if grade else ""


class DatasetUserPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(Dataset, on_delete=models.CASCADE)


class DatasetGroupPermission(GroupObjectPermissionBase):
    """Who may see a dataset that is visible to named organizations only (direct key: no orphans)."""

    content_object = models.ForeignKey(Dataset, on_delete=models.CASCADE)


class Source(Recorded):
    """A PostgreSQL database that a provider's tables can be read from. Its address is encrypted at rest."""

    KIND = "source"
    EVENTS = {"": frozenset({Event.SOURCE_REGISTERED})}

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="sources")
    name = models.CharField(_("name"), max_length=80)
    sealed_url = models.BinaryField(editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="source_name_once")]
        verbose_name = _("data source")
        verbose_name_plural = _("data sources")

    def __str__(self) -> str:
        return self.name

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.provider.audit_parties


class Version(Stateful):
    """One edition of a dataset: from the file handed in to an immutable Parquet extract."""

    KIND = "version"
    MOVES = VERSION_MOVES
    FIRST = (VersionState.UPLOADED, Event.VERSION_UPLOADED)

    dataset = models.ForeignKey(
        Dataset, on_delete=models.PROTECT, related_name="versions", verbose_name=_("dataset")
    )
    number = models.PositiveIntegerField(_("version"))
    source_kind = models.CharField(max_length=5, choices=SourceKind, default=SourceKind.FILE)
    upload = models.CharField(max_length=200, blank=True, editable=False)  # file name below UPLOADS_DIR
    upload_size = models.BigIntegerField(null=True, blank=True)  # bytes
    upload_sha256 = models.CharField(max_length=64, blank=True)  # kept when the upload itself is gone
    file_name = models.CharField(_("file"), max_length=200, blank=True)  # as the provider named it
    sheet = models.CharField(_("sheet"), max_length=120, blank=True)
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("data source")
    )
    table = models.CharField(_("schema and table"), max_length=130, blank=True)
    handed_in_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created = models.DateTimeField(auto_now_add=True)

    schema_json = models.JSONField(null=True, blank=True)  # catalog.schema.Schema
    grade = models.PositiveSmallIntegerField(  # of schema_json: its highest column's
        _("grade"), null=True, blank=True, choices=[(int(grade), name) for grade, name in GRADE_NAMES.items()]
    )
    findings = models.JSONField(
        null=True, blank=True
    )  # catalog.findings: what does not fit, by row and column
    on_bad_rows = models.CharField(max_length=10, blank=True, choices=BadRows)

    # The job: `progress` 0..100 within `step`; `lease` tells a stuck job from a long one (P4); `claim` is the
    # worker that holds it: one that lost its claim can no longer write.
    step = models.CharField(max_length=20, blank=True)
    progress = models.PositiveSmallIntegerField(default=0)
    lease = models.DateTimeField(null=True, blank=True)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=60, blank=True)
    failure_text = models.CharField(max_length=500, blank=True)

    rows = models.BigIntegerField(null=True, blank=True)
    dropped_rows = models.BigIntegerField(null=True, blank=True)
    units = models.BigIntegerField(null=True, blank=True)
    size = models.BigIntegerField(null=True, blank=True)  # bytes
    sha256 = models.CharField(max_length=64, blank=True)
    sm3 = models.CharField(max_length=64, blank=True)
    profile = models.JSONField(null=True, blank=True)
    published = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="version_number_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=VersionState.values), name="version_state_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=VersionState.PUBLISHED)
                | (~models.Q(sha256="") & models.Q(rows__isnull=False, published__isnull=False)),
                name="published_has_extract",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.dataset.audit_parties

    @property
    def schema(self) -> Schema:
        return Schema.from_json(self.schema_json or {"columns": []})

    @property
    def state_name(self) -> StrOrPromise:
        return VersionState(self.state).label

    @property
    def bad_rows(self) -> int:
        """Rows that do not fit the schema, by the last check."""
        return int((self.findings or {}).get("bad_rows", 0))

    @property
    def is_about_someone(self) -> bool:
        """Whether its records are of persons or enterprises; taken for so where it is not known."""
        return self.units != 0

    @property
    def told_rows(self) -> int | None:
        """How many records others than the provider are told it has: exact only where they are nobody's."""
        return told(self.rows) if self.rows is not None and self.is_about_someone else self.rows

    @property
    def told_dropped(self) -> int | None:
        """The same of those that were left out."""
        left_out = self.dropped_rows
        return told(left_out) if left_out is not None and self.is_about_someone else left_out

    @property
    def told_size(self) -> int | None:
        """The same of the bytes: each record's key takes as many, however well the rest is packed."""
        return told(self.size) if self.size is not None and self.is_about_someone else self.size

    @property
    def constant_columns(self) -> frozenset[str]:
        """Dimensions of which each unit has one value in this version; older profiles know of none."""
        columns = (self.profile or {}).get("columns", [])
        return frozenset(column["name"] for column in columns if column.get("constant"))

    @property
    def worked_on(self) -> bool:
        """Whether background work is under way or about to begin."""
        return self.state in WORKED_ON

    @property
    def upload_path(self) -> Path | None:
        return Path(settings.UPLOADS_DIR) / self.upload if self.upload else None

    @property
    def extract_path(self) -> Path:
        return Path(settings.EXTRACTS_DIR) / f"{self.sha256}.parquet"
