"""What a dataset is called, and how often it is renewed, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from catalog.models import Dataset
from parties.names import reads_english

# The usual words of providers (DCAT: dct:accrualPeriodicity); any other text is shown as it was written.
CADENCES: dict[str, StrOrPromise] = {
    "hourly": _("hourly"), "daily": _("daily"), "weekly": _("weekly"), "monthly": _("monthly"),
    "quarterly": _("quarterly"), "annual": _("annual"), "irregular": _("irregular"),
}  # fmt: skip


def title_of(dataset: Dataset) -> str:
    """The English title for a reader of English, where there is one."""
    return (dataset.title_en if reads_english() else "") or dataset.title


def cadence_of(written: str) -> StrOrPromise:
    return CADENCES.get(written.casefold(), written)
