"""What an actor may read. Every page and API fetches here: what is hidden is answered like what is absent (P6)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    Func,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    TextField,
    When,
)
from django.db.models.functions import Cast, Least, Length
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from catalog.models import Dataset, Source, Version
from catalog.search import matching
from catalog.states import DatasetState, VersionState, Visibility
from parties.actors import Actor
from parties.grants import granted_to, visible_to
from parties.models import Organization
from parties.roles import OrganizationKind, Role

VIEW = "catalog.view_dataset"

# Whose office it is to decide on, check or audit any dataset that is offered.
OVERSEERS = (
    (Role.APPROVER, OrganizationKind.BUREAU),
    (Role.SIGNATORY, OrganizationKind.BUREAU),
    (Role.REVIEWER, OrganizationKind.BUREAU),
    (Role.AUDITOR, OrganizationKind.AUDITOR),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Facets of the catalog; an empty value does not filter. `grade` is the highest accepted (catalog.schema.Grade)."""

    theme: str = ""
    provider: UUID | None = None
    cadence: str = ""
    grade: int | None = None
    synthetic: bool | None = None


def not_found() -> Refused:
    """The one answer for hidden and absent."""
    return Refused("not_found", _("There is nothing here under this address."))


def visible_datasets(actor: Actor) -> QuerySet[Dataset]:
    """Own organization's: all. Listed: public ones for everyone, named ones for whom they were granted.

    Withdrawn ones stay visible to those who hold a grant (contracts keep naming what they were signed over).
    The bureau's deciding roles and auditors see whatever is or was listed.
    """
    offered = Q(state__in=[DatasetState.LISTED, DatasetState.WITHDRAWN])
    if any(actor.holds(role, kind) for role, kind in OVERSEERS):
        seen = offered
    else:
        # By primary key: a grant's query joins its own tables.
        granted = visible_to(actor, Dataset.objects.order_by(), VIEW).values("pk")
        seen = Q(state=DatasetState.LISTED, visibility=Visibility.PUBLIC) | (offered & Q(pk__in=granted))
    if actor.organization is not None:
        seen |= Q(provider=actor.organization)
    return Dataset.objects.filter(seen)


def with_current(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Fetch provider and current version along: lists need three queries, however long they are."""
    newer = Version.objects.filter(
        dataset=OuterRef("dataset"), state=VersionState.PUBLISHED, number__gt=OuterRef("number")
    )
    newest = Version.objects.filter(~Exists(newer), state=VersionState.PUBLISHED).defer("findings", "profile")
    return datasets.select_related("provider").prefetch_related(
        Prefetch("versions", queryset=newest, to_attr="fetched_current")
    )


# `Version.told_rows` in SQL: no order tells more than the numbers that are shown.
_ROUNDED = Func("rows", Least(2 - Length(Cast("rows", TextField())), -1), function="ROUND")
TOLD_ROWS = Case(When(units=0, then=F("rows")), default=_ROUNDED, output_field=BigIntegerField())

# What a list can be sorted by: title, or rows and time of publication of the current version.
ORDERS = ("title", "-title", "rows", "-rows", "updated", "-updated")


def in_order(datasets: QuerySet[Dataset], order: str) -> QuerySet[Dataset]:
    """Sorted by one of ORDERS; those without a published version last. Any other text leaves the order as it is."""
    if order not in ORDERS:
        return datasets
    column = order.removeprefix("-")
    if column != "title":
        current = Version.objects.filter(dataset=OuterRef("pk"), state=VersionState.PUBLISHED).order_by(
            "-number"
        )
        current = current.annotate(wanted=TOLD_ROWS if column == "rows" else F("published"))
        datasets = datasets.annotate(sorted_by=Subquery(current.values("wanted")[:1]))
        column = "sorted_by"
    by = F(column)
    towards = by.desc(nulls_last=True) if order.startswith("-") else by.asc(nulls_last=True)
    return datasets.order_by(towards, "title", "pk")


def get_dataset(actor: Actor, key: UUID | str) -> Dataset:
    """By uid, or by name if `key` is no UUID. Raises Refused("not_found") alike for hidden and absent."""
    try:
        by = Q(uid=key if isinstance(key, UUID) else UUID(key))
    except ValueError:
        by = Q(name=key)
    dataset = visible_datasets(actor).select_related("provider").filter(by).first()
    if dataset is None:
        raise not_found()
    return dataset


def versions_of(actor: Actor, dataset: Dataset) -> QuerySet[Version]:
    """The provider's own people see every version; everyone else the published ones. Newest first."""
    if not visible_datasets(actor).filter(pk=dataset.pk).exists():
        return Version.objects.none()
    versions = Version.objects.filter(dataset=dataset).select_related("dataset__provider").order_by("-number")
    return versions if actor.acts_for(dataset.provider) else versions.filter(state=VersionState.PUBLISHED)


def get_version(actor: Actor, uid: UUID) -> Version:
    version = Version.objects.select_related("dataset__provider", "source").filter(uid=uid).first()
    if version is None or not versions_of(actor, version.dataset).filter(pk=version.pk).exists():
        raise not_found()
    return version


def own_versions(actor: Actor) -> QuerySet[Version]:
    """Every version of the actor's own organization's datasets."""
    if actor.organization is None:
        return Version.objects.none()
    return Version.objects.filter(dataset__provider=actor.organization).select_related(
        "dataset__provider", "source"
    )


def own_sources(actor: Actor) -> QuerySet[Source]:
    if actor.organization is None:
        return Source.objects.none()
    return Source.objects.filter(provider=actor.organization).select_related("provider")


def shown_to(dataset: Dataset) -> QuerySet[Organization]:
    """The organizations to which a dataset for named organizations is shown."""
    return granted_to(VIEW, dataset)


def search(actor: Actor, text: str = "", filters: Filters | None = None) -> QuerySet[Dataset]:
    """Visible datasets in which every part of `text` occurs, best first (by title for a blank text)."""
    chosen = filters or Filters()
    found = matching(visible_datasets(actor), text)
    for field in ("theme", "cadence"):
        if value := getattr(chosen, field):
            found = found.filter(**{field: value})
    if chosen.provider is not None:
        found = found.filter(provider__uid=chosen.provider)
    if chosen.synthetic is not None:
        found = found.filter(synthetic=chosen.synthetic)
    if chosen.grade is not None:
        newer = Version.objects.filter(
            dataset=OuterRef("dataset"), state=VersionState.PUBLISHED, number__gt=OuterRef("number")
        )
        within = Version.objects.filter(
            ~Exists(newer), dataset=OuterRef("pk"), state=VersionState.PUBLISHED, grade__lte=chosen.grade
        )
        found = found.filter(Exists(within))
    return with_current(found)
