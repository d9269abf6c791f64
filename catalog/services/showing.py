"""Name the organizations that may see a dataset which is not public."""

from __future__ import annotations

from audit.events import Event
from audit.recorder import record
from audit.use_case import use_case
from catalog.locks import locked_dataset
from catalog.models import Dataset
from catalog.permissions import check_can_edit
from catalog.selectors import VIEW, shown_to
from parties.actors import Actor
from parties.grants import grant, revoke
from parties.models import Organization


@use_case("dataset.show_to", about="dataset")
def show_to(*, actor: Actor, dataset: Dataset, organization: Organization) -> Dataset:
    """Let an organization see the dataset. Once more changes nothing and records nothing."""
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    if not shown_to(dataset).filter(pk=organization.pk).exists():
        grant(VIEW, organization, dataset)
        record(
            Event.DATASET_SHOWN_TO, actor=actor, about=dataset, organization=str(organization.uid),
            concerns=organization.audit_parties,
        )  # fmt: skip
    return dataset


@use_case("dataset.hide_from", about="dataset")
def hide_from(*, actor: Actor, dataset: Dataset, organization: Organization) -> Dataset:
    """Take that back. Contracts already signed are ended by their own terms, not by this."""
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    if shown_to(dataset).filter(pk=organization.pk).exists():
        revoke(VIEW, organization, dataset)
        record(
            Event.DATASET_HIDDEN_FROM, actor=actor, about=dataset, organization=str(organization.uid),
            concerns=organization.audit_parties,
        )  # fmt: skip
    return dataset
