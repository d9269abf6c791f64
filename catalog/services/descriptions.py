"""Describe a dataset: make it, change what is said about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from audit import lint
from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import use_case
from catalog import search
from catalog.locks import locked_dataset
from catalog.models import Dataset
from catalog.permissions import check_can_create, check_can_edit
from catalog.states import DatasetState, Visibility
from parties.actors import Actor


@dataclass(frozen=True, slots=True)
class Description:
    """What a provider says about a dataset; the fields of `Dataset` by the same names."""

    title: str
    description: str
    title_en: str = ""
    theme: str = ""
    cadence: str = ""
    legal_basis: str = ""
    visibility: str = Visibility.PUBLIC
    synthetic: bool = False


@use_case("dataset.create", about="-")
def create_dataset(*, actor: Actor, name: str, description: Description) -> Dataset:
    """A draft of the actor's organization. `name` becomes its table name in SQL and never changes.

    Raises Refused: role.missing, dataset.invalid (details name the fields).
    """
    provider = check_can_create(actor)
    dataset = Dataset(provider=provider, name=name, state=DatasetState.DRAFT, **asdict(description))
    _check(dataset)
    _check_name(name)
    dataset.save()
    search.index(dataset)
    record(Event.DATASET_CREATED, actor=actor, about=dataset)
    return dataset


@use_case("dataset.change", about="dataset")
def change_dataset(*, actor: Actor, dataset: Dataset, description: Description) -> Dataset:
    """Say it anew. Records the names of the fields that changed; nothing if none did."""
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    changed = sorted(
        field for field, value in asdict(description).items() if getattr(dataset, field) != value
    )
    if not changed:
        return dataset
    for field in changed:
        setattr(dataset, field, getattr(description, field))
    _check(dataset)
    dataset.new_event()
    dataset.save(update_fields=[*changed, "event_id"])
    search.index(dataset)
    record(Event.DATASET_CHANGED, actor=actor, about=dataset, fields=changed)
    return dataset


def _check_name(name: str) -> None:
    """Entries name datasets, so a name must be one that the log takes."""
    if lint.found(name):
        raise Refused(
            "dataset.invalid",
            _("Some of what was entered does not fit."),
            fields={"name": [_("This looks like a number of a person. Choose another identifier.")]},
        )


def _check(dataset: Dataset) -> None:
    try:
        dataset.full_clean(exclude=["words"])
    except ValidationError as error:
        raise Refused(
            "dataset.invalid", _("Some of what was entered does not fit."), fields=error.message_dict
        ) from error
