"""How values look: states, grades, kinds, digests, figures, times. `{% load look %}`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django_stubs_ext import StrOrPromise

from catalog.dictionary import KIND_NAMES
from catalog.models import GRADE_NAMES, Dataset, Version
from catalog.names import cadence_of, title_of
from catalog.schema import ColumnKind, Grade
from catalog.states import DatasetState, VersionState
from contracts.states import ContractState, RequestState
from dataspace.portal.questions import title_of_computation
from parties.models import Organization
from parties.names import name_of
from sandbox.models import Computation
from sandbox.scripts.states import ScriptState
from sandbox.states import RunState

register = template.Library()

WITHHELD = "—"
SHORT = 12  # characters of a digest shown


class StateLook(NamedTuple):
    """`tone` is a semantic colour of `portal.css`; words are the state's own (each room's `states.py`)."""

    tone: str
    icon: str


UNKNOWN = StateLook("quiet", "circle-dashed")
STATES: dict[str, StateLook] = {
    DatasetState.DRAFT: StateLook("quiet", "pencil"),
    DatasetState.LISTED: StateLook("good", "circle-check"),
    DatasetState.WITHDRAWN: StateLook("ended", "archive"),  # a request too
    VersionState.UPLOADED: StateLook("wait", "upload"),
    VersionState.CHECKING: StateLook("busy", "progress"),
    VersionState.CHECKED: StateLook("wait", "hourglass"),
    VersionState.BUILDING: StateLook("busy", "progress"),
    VersionState.PUBLISHED: StateLook("good", "circle-check"),
    VersionState.REJECTED: StateLook("bad", "ban"),
    VersionState.FAILED: StateLook("bad", "alert-triangle"),  # a run too
    RequestState.FILED: StateLook("wait", "hourglass"),
    RequestState.GRANTED: StateLook("good", "circle-check"),
    RequestState.DECLINED: StateLook("bad", "circle-x"),
    ContractState.DRAFTED: StateLook("wait", "signature"),
    ContractState.ACTIVE: StateLook("good", "shield-check"),
    ContractState.SUSPENDED: StateLook("warn", "player-pause"),
    ContractState.TERMINATED: StateLook("bad", "ban"),
    ContractState.EXPIRED: StateLook("ended", "archive"),
    RunState.QUEUED: StateLook("wait", "clock"),
    RunState.RUNNING: StateLook("busy", "progress"),
    RunState.IN_REVIEW: StateLook("wait", "hourglass"),  # a script too
    RunState.RELEASED: StateLook("good", "circle-check"),
    RunState.CANCELLED: StateLook("ended", "x"),
    ScriptState.APPROVED: StateLook("busy", "progress"),
    ScriptState.READY: StateLook("good", "circle-check"),
    ScriptState.REFUSED: StateLook("bad", "circle-x"),
}
_WORDS: dict[str, StrOrPromise] = {
    str(value): label
    for words in (DatasetState, VersionState, RequestState, ContractState, ScriptState, RunState)
    for value, label in words.choices
}


# --- Figures and times ----------------------------------------------------------------------------------
@register.filter
def about(value: int | None, version: Version | None = None) -> str:
    """A number of records as it is told, marked as rounded unless the version is about nobody."""
    exact = value is None or (version is not None and not version.is_about_someone)
    return number(value) if exact else f"≈ {number(value)}"


@register.filter
def about_bytes(version: Version) -> str:
    """The size of a version's extract as it is told."""
    size = version.told_size
    return bytes_iec(size) if size is None or not version.is_about_someone else f"≈ {bytes_iec(size)}"


@register.filter
def number(value: object) -> str:
    """Figures in groups of three, decimals as they are; None is withheld; text stays text."""
    if value is None:
        return WITHHELD
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, float):
        return (
            f"{value:,.0f}" if value.is_integer() else f"{value:,.6g}" if abs(value) < 1 else f"{value:,.2f}"
        )
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    return str(value)


@register.filter
def percent(part: float | None, digits: int = 0) -> str:
    """A share between 0 and 1 as percent."""
    return WITHHELD if part is None else f"{part * 100:.{digits}f} %"


@register.filter
def bytes_iec(size: int | None) -> str:
    """A size in bytes, in powers of 1024."""
    if size is None:
        return WITHHELD
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """Date and time to the minute, in the reader's time zone; a moment without a zone stays as it is."""
    if value is None:
        return ""
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return format_html(
        '<time class="num-text" datetime="{}">{}</time>', value.isoformat(), f"{local:%Y-%m-%d %H:%M}"
    )


@register.filter
def day(value: date | None) -> SafeString | str:
    if value is None:
        return ""
    local = timezone.localtime(value) if isinstance(value, datetime) else value
    return format_html(
        '<time class="num-text" datetime="{}">{}</time>', local.isoformat(), f"{local:%Y-%m-%d}"
    )


@register.simple_tag
def since(value: datetime | None) -> SafeString | str:
    """How long ago; the exact moment as title."""
    if value is None:
        return ""
    seconds = (timezone.now() - value).total_seconds()
    ago = (
        gettext("just now") if seconds < 60 else gettext("%(time)s ago") % {"time": timesince(value, depth=1)}
    )
    exact = formats.date_format(timezone.localtime(value), "Y-m-d H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, ago)


@register.filter
def short(digest: object) -> str:
    """The beginning of a digest, enough to tell two apart by eye. Accepts text ("sha256:…" too) or bytes."""
    return _hex(digest).rpartition(":")[2][:SHORT]


@register.simple_tag
def cell(value: object) -> SafeString | str:
    """One value of a released table. Withheld and empty look the same, on purpose."""
    if value is None:
        return format_html(
            '<span class="withheld" title="{}"><span aria-hidden="true">{}</span>'
            '<span class="visually-hidden">{}</span></span>',
            gettext("withheld or empty"),
            WITHHELD,
            gettext("withheld"),
        )
    if isinstance(value, datetime):
        return moment(value)
    return number(value)


# --- Small marks ----------------------------------------------------------------------------------------
@register.simple_tag
def icon(name: str) -> SafeString:
    """A decorative icon. The words beside it carry the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("vendor/icons/icons.svg"),
        name,
    )


@register.inclusion_tag("parts/state.html")
def state_badge(thing: Any, *, since: bool = True) -> dict[str, Any]:
    """A row with `state` (`get_state_display` and `state_since` if it has them), or the name of a state."""
    name = thing if isinstance(thing, str) else thing.state
    look = STATES.get(name, UNKNOWN)
    words = getattr(thing, "get_state_display", None)
    return {
        "tone": look.tone,
        "icon": look.icon,
        "text": words() if words else _WORDS.get(str(name), name),
        "since": getattr(thing, "state_since", None) if since else None,
    }


@register.inclusion_tag("parts/grade.html")
def grade_tag(grade: int) -> dict[str, Any]:
    """GB/T 43697 grade: the higher, the stronger."""
    level = Grade(int(grade))
    return {"level": int(level), "text": GRADE_NAMES[level]}


@register.inclusion_tag("parts/kind.html")
def kind_tag(kind: str) -> dict[str, Any]:
    known = ColumnKind(kind)
    return {"kind": known.value, "text": KIND_NAMES[known]}


@register.inclusion_tag("parts/hash.html")
def hash_chip(digest: object, label: StrOrPromise = "") -> dict[str, Any]:
    """A digest in short, the whole of it to copy. Accepts text or bytes."""
    text = _hex(digest)
    return {"digest": text, "short": short(text), "label": label}


@register.inclusion_tag("parts/sort_header.html", takes_context=True)
def sort_header(
    context: template.Context, name: str, label: StrOrPromise, *, numeric: bool = False
) -> dict[str, Any]:
    """A column head that sorts by `?sort=name`, and by `?sort=-name` when it already does."""
    request: HttpRequest = context["request"]
    current = request.GET.get("sort", "")
    query = request.GET.copy()
    query["sort"] = f"-{name}" if current == name else name
    query.pop("page", None)
    order = {name: "ascending", f"-{name}": "descending"}.get(current, "")
    return {"label": label, "numeric": numeric, "order": order, "address": f"?{query.urlencode()}"}


@register.filter
def called(row: Organization | Dataset | Computation) -> str:
    """What a row is called, in the reader's language where it has a name in it."""
    if isinstance(row, Organization):
        return name_of(row)
    return title_of(row) if isinstance(row, Dataset) else title_of_computation(row)


@register.filter
def cadence(written: str) -> StrOrPromise:
    """How often a dataset is renewed, in words."""
    return cadence_of(written)


@register.filter
def count_words(count: int) -> str:
    """A count of things as words, for screen readers."""
    return ngettext("%(count)d item", "%(count)d items", count) % {"count": count}


def _hex(digest: object) -> str:
    if isinstance(digest, bytes | bytearray | memoryview):
        return bytes(digest).hex()
    return str(digest or "")
