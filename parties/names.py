"""Names of those who take part, in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language

from parties.models import Organization


def reads_english() -> bool:
    return (get_language() or "").startswith("en")


def name_of(organization: Organization) -> str:
    """The English name for a reader of English, where there is one."""
    return (organization.name_en if reads_english() else "") or organization.name
