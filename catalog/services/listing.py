"""Put a dataset into the catalog, and take it out again."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused
from audit.transitions import move
from audit.use_case import use_case
from catalog.locks import locked_dataset
from catalog.models import Dataset
from catalog.permissions import check_can_edit
from catalog.schema import Grade
from catalog.states import DatasetState, VersionState
from parties.actors import Actor


@use_case("dataset.list", about="dataset")
def list_dataset(*, actor: Actor, dataset: Dataset) -> Dataset:
    """Draft or withdrawn to listed.

    Raises Refused: dataset.nothing_published; dataset.core_grade if any published version holds core data, which
    never enter authorized operation (GB/T 43697-2024).
    """
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    grades = list(dataset.versions.filter(state=VersionState.PUBLISHED).values_list("grade", flat=True))
    if not grades:
        raise Refused(
            "dataset.nothing_published", _("Publish a version first; then the dataset can be listed.")
        )
    if any(grade is None or grade >= Grade.CORE for grade in grades):
        raise core_grade()
    move(dataset, DatasetState.LISTED, actor=actor)
    return dataset


@use_case("dataset.withdraw", about="dataset")
def withdraw_dataset(*, actor: Actor, dataset: Dataset) -> Dataset:
    """No new requests from now on; extracts stay for the contracts that were signed over them."""
    dataset = locked_dataset(dataset)
    check_can_edit(actor, dataset)
    move(dataset, DatasetState.WITHDRAWN, actor=actor)
    return dataset


def core_grade() -> Refused:
    return Refused(
        "dataset.core_grade", _("Core data are never listed. Describe a dataset without those columns.")
    )
