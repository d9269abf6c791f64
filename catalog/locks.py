"""Row locks. The order is always dataset, then version, so that two services cannot wait for each other."""

from __future__ import annotations

from catalog.models import Dataset, Version


def locked_dataset(dataset: Dataset) -> Dataset:
    """A fresh copy of the row, locked until the transaction ends."""
    return Dataset.objects.select_related("provider").select_for_update(of=("self",)).get(pk=dataset.pk)


def locked_version(version: Version) -> Version:
    """A fresh copy of the version, its dataset locked before it."""
    dataset = locked_dataset(version.dataset)
    fresh = Version.objects.select_related("source").select_for_update(of=("self",)).get(pk=version.pk)
    fresh.dataset = dataset
    return fresh
