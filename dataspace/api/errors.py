"""One table from refusals to HTTP: problem+json (RFC 9457). The domain knows nothing of HTTP."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from audit.refusals import Refused
from dataspace.portal import attempts

CONTENT_TYPE = "application/problem+json"

_EXACT = {
    "not_found": status.HTTP_404_NOT_FOUND,
    "role.missing": status.HTTP_403_FORBIDDEN,
    "state.not_allowed": status.HTTP_409_CONFLICT,
    "run.too_many": status.HTTP_429_TOO_MANY_REQUESTS,
    "trial.too_many": status.HTTP_429_TOO_MANY_REQUESTS,
    "trial.waiting": status.HTTP_429_TOO_MANY_REQUESTS,
    "script.too_many": status.HTTP_429_TOO_MANY_REQUESTS,
    "account.slowed": status.HTTP_429_TOO_MANY_REQUESTS,
    "script.syntax": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "script.no_emit": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "script.unknown": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "log.damaged": status.HTTP_503_SERVICE_UNAVAILABLE,
}
_BY_ROOM = {
    "guard": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "policy": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "upload": status.HTTP_422_UNPROCESSABLE_ENTITY,
}
_NOT_YOURS = ("not_yours", "own", "not_a_party", "halted_by_other", "nothing_to_decide")
_BAD_INPUT = (
    "empty",
    "columns",
    "fields",
    "reason",
    "limits",
    "outcome",
    "format",
    "invalid",
    "basis",
    "account",
    "title",
    "dataset",
    "too_long",
    "verdict",
    "note",
)
_RETRY_AFTER = {  # seconds
    "account.slowed": attempts.WINDOW,
    "run.too_many": 5,
    "trial.waiting": 5,
    "log.not_published": 10,
    "log.not_covered": 10,
    "release.receipt_pending": 10,
}
_RESERVED = frozenset({"type", "title", "status", "detail", "instance"})

NOT_FOUND = _("There is nothing here, or it is not for you to see.")


def status_of(refused: Refused) -> int:
    """The HTTP status of a refusal, by its code."""
    room, _dot, what = refused.code.partition(".")
    if refused.code in _EXACT:
        return _EXACT[refused.code]
    if room in _BY_ROOM:
        return _BY_ROOM[room]
    if what in _NOT_YOURS:
        return status.HTTP_403_FORBIDDEN
    if what in _BAD_INPUT:
        return status.HTTP_400_BAD_REQUEST
    return status.HTTP_409_CONFLICT


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Unknown errors stay errors: their text never reaches a client."""
    if isinstance(error, Refused) and error.code != "not_found":
        later = _RETRY_AFTER.get(error.code)
        headers = {"Retry-After": str(later)} if later else None
        return _response(status_of(error), error.code, error.reason, dict(error.details), headers)
    if isinstance(error, Refused | Http404 | exceptions.NotFound):  # hidden, absent, malformed: one answer
        return _response(status.HTTP_404_NOT_FOUND, "not_found", str(NOT_FOUND), {})
    if isinstance(error, RequestDataTooBig):
        return _response(
            status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, "too_large", str(_("The body is too large.")), {}
        )
    response = exception_handler(error, context)
    if response is None:
        return None
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    if isinstance(error, exceptions.ValidationError):
        text = str(_("Some of what was sent does not fit; `fields` says what."))
        return _response(response.status_code, "invalid", text, {"fields": response.data}, headers)
    name = "permission_denied" if isinstance(error, PermissionDenied) else _code(error)
    text = str(getattr(error, "detail", "") or response.data["detail"])
    return _response(response.status_code, name, text, {}, headers)


def _code(error: Exception) -> str:
    return str(error.default_code) if isinstance(error, exceptions.APIException) else "refused"


def _response(
    code: int, name: str, detail: str, extra: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    """Details may not overwrite the members RFC 9457 defines."""
    body = {
        "type": f"urn:dataspace:problem:{name}",
        "title": name,
        "status": code,
        "detail": detail,
        **{key: value for key, value in extra.items() if key not in _RESERVED},
    }
    return Response(body, status=code, content_type=CONTENT_TYPE, headers=headers)
