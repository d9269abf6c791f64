"""One table from refusals to HTTP: problem+json (RFC 9457). The domain knows nothing of HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from audit.refusals import Refused

CONTENT_TYPE = "application/problem+json"

_EXACT = {
    "not_found": status.HTTP_404_NOT_FOUND,
    "role.missing": status.HTTP_403_FORBIDDEN,
    "state.not_allowed": status.HTTP_409_CONFLICT,
    "run.too_many": status.HTTP_429_TOO_MANY_REQUESTS,
}
_BY_ROOM = {
    "guard": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "policy": status.HTTP_422_UNPROCESSABLE_ENTITY,
    "upload": status.HTTP_422_UNPROCESSABLE_ENTITY,
}
_NOT_YOURS = ("not_yours", "own", "not_a_party", "halted_by_other", "nothing_to_decide")
_BAD_INPUT = ("empty", "columns", "fields", "reason", "limits", "outcome", "format", "invalid")


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
    if isinstance(error, Refused):
        code = status_of(error)
        return _response(code, error.code, error.reason, dict(error.details))
    response = exception_handler(error, context)
    if response is None:
        return None
    code_name = error.default_code if isinstance(error, exceptions.APIException) else "not_found"
    details = {"fields": response.data} if isinstance(error, exceptions.ValidationError) else {}
    text = "" if details else str(getattr(error, "detail", error))
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    return _response(response.status_code, str(code_name), text, details, headers)


def _response(
    code: int, name: str, detail: str, extra: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    body = {
        "type": f"urn:dataspace:problem:{name}",
        "title": name,
        "status": code,
        "detail": detail,
        **_plain(extra),
    }
    return Response(body, status=code, content_type=CONTENT_TYPE, headers=headers)


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    """Details may not overwrite the members RFC 9457 defines."""
    return {
        key: value
        for key, value in details.items()
        if key not in {"type", "title", "status", "detail", "instance"}
    }
