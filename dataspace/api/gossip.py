"""Every answer of the API carries the newest published checkpoint, so that callers can compare what they were shown."""

from __future__ import annotations

import base64
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.transparency import proofs

HEADER = "X-Audit-Checkpoint"


def newest_checkpoint(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the signed note in base64, as soon as there is one."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        checkpoint = proofs.newest() if request.path_info.startswith("/api/") else None
        if checkpoint is not None:
            response[HEADER] = base64.b64encode(checkpoint.raw).decode()
        return response

    return answer
