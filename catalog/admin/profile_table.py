"""The profile of a published version as a table."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from catalog.ingest import Profile
from catalog.models import Version


@dataclass(frozen=True, slots=True)
class ProfileTable:
    quality: list[tuple[str, str]]  # name of the part, percent
    headings: list[str]
    rows: list[list[str]]


def profile_table(version: Version) -> ProfileTable | None:
    """None before the version is published."""
    if not version.profile:
        return None
    profile = Profile.from_json(version.profile)
    quality = [
        (_("score"), _percent(profile.quality.score)),
        (_("filled cells"), _percent(profile.quality.completeness)),
        (_("rows not repeated"), _percent(profile.quality.uniqueness)),
        (_("rows that fit"), _percent(profile.quality.validity)),
    ]
    rows = [
        [
            column.name,
            _percent(column.null_share),
            "–" if column.distinct is None else str(column.distinct),
            ", ".join(f"{bar.label or _('others')} {_percent(bar.share)}" for bar in column.bars[:12])
            or " – ".join(filter(None, [column.first_month, column.last_month])),
        ]
        for column in profile.columns
    ]
    return ProfileTable(quality, [_("column"), _("empty"), _("different values, about"), _("values")], rows)


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
