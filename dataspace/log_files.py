"""The published log as static files under `/log/` (C2SP tlog-tiles): for everyone; entries for readers of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.http import require_safe
from rest_framework.request import Request

from audit.transparency import files, merkle, publication, tiles
from dataspace.api.audit import checked
from dataspace.api.doors import Door
from parties.permissions import check_reads_whole_log

_NOTE, _BYTES = "text/plain; charset=utf-8", "application/octet-stream"
_FRESH = "public, max-age=5"
_FOR_EVER = "max-age=31536000, immutable"
_KINDS = {
    "checkpoint": _NOTE, "checkpoint.sm3": _NOTE, "policy": _NOTE, "tsr": "application/timestamp-reply",
}  # fmt: skip


@require_safe
def current(_request: HttpRequest, name: str) -> HttpResponse:
    """What changes with each checkpoint."""
    return _file(name, _KINDS[name], _FRESH)


@require_safe
def key_change(_request: HttpRequest, size: str) -> HttpResponse:
    return _file(f"{publication.KEYS}/{size}", _NOTE, f"public, {_FOR_EVER}")


@require_safe
def listing(_request: HttpRequest, name: str) -> HttpResponse:
    """What a folder holds, one name a line: a mirror cannot know it otherwise."""
    names = sorted(path.name for path in Path(settings.TLOG_DIR, name).glob("[0-9]*"))
    text = "".join(f"{one}\n" for one in names)
    return HttpResponse(text, content_type=_NOTE, headers={"Cache-Control": _FRESH})


@require_safe
def stamp(_request: HttpRequest, day: str, kind: str) -> HttpResponse:
    return _file(f"{publication.STAMPS}/{day}.{kind}", _KINDS[kind], f"public, {_FOR_EVER}")


@require_safe
def tile(_request: HttpRequest, tree: str, level: str, number: str, width: str = "") -> HttpResponse:
    return _tile(tree, int(level), f"{tree}/{level}/{number}", number, width, "public")


class Entries(Door):
    """Entry bundles, for whoever may read the log; for others the answer they get to any question about entries."""

    schema = None  # type: ignore[assignment]  # a file, not an operation of the API

    def get(self, _request: Request, number: str, width: str = "") -> HttpResponse:
        checked(check_reads_whole_log, self.actor, "log.read")
        return _tile(tiles.SHA256_TREE, 0, f"{tiles.ENTRIES}/{number}", number, width, "private")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code == 200:
            answer["Cache-Control"] = f"private, {_FOR_EVER}"
            del answer["Expires"]
        return answer


def _tile(tree: str, level: int, path: str, number: str, width: str, whose: str) -> HttpResponse:
    """Of tiles that lie within the published checkpoint alone: those beyond it may still change."""
    name = publication.CHECKPOINT_SM3 if tree == tiles.SM3_TREE else publication.CHECKPOINT
    index = int(number.replace("/x", "").replace("/", "").removeprefix("x"))
    wanted = int(width or merkle.TILE_WIDTH)
    if tiles.width_of(publication.published_size(settings.TLOG_DIR, name), level, index) < wanted:
        raise Http404
    return _file(f"{path}.p/{width}" if width else path, _BYTES, f"{whose}, {_FOR_EVER}")


def _file(name: str, content_type: str, caching: str) -> HttpResponse:
    """`name` holds nothing but what the patterns below let through."""
    raw = files.read(Path(settings.TLOG_DIR, name))
    if raw is None:
        raise Http404
    return HttpResponse(raw, content_type=content_type, headers={"Cache-Control": caching})


_NUMBER = (
    r"(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
_DAY = r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"

urlpatterns = [
    re_path(r"^(?P<name>checkpoint|checkpoint\.sm3|policy)\Z", current, name="log-current"),
    re_path(r"^(?P<name>keys|stamps)/\Z", listing, name="log-listing"),
    re_path(r"^keys/(?P<size>[1-9][0-9]{0,18})\Z", key_change, name="log-key-change"),
    re_path(rf"^stamps/{_DAY}\.(?P<kind>checkpoint|tsr)\Z", stamp, name="log-stamp"),
    re_path(rf"^tile/entries/{_NUMBER}\Z", Entries.as_view(), name="log-entries"),
    re_path(
        rf"^(?P<tree>tile|tile-sm3)/(?P<level>[0-9]|[1-5][0-9]|6[0-3])/{_NUMBER}\Z", tile, name="log-tile"
    ),
]
