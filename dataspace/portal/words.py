"""Names in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language

from catalog.models import Dataset
from parties.models import Organization


def reads_english() -> bool:
    return (get_language() or "").startswith("en")


def title_of(dataset: Dataset) -> str:
    return (dataset.title_en if reads_english() else "") or dataset.title


def name_of(organization: Organization) -> str:
    return (organization.name_en if reads_english() else "") or organization.name
