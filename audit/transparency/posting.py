"""One HTTP request to somebody else's server: bounded in time, in size, and in where it may be sent on. Pure."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from typing import IO, Any

SECONDS = 10.0
_LONGEST = 64 * 1024
_READ = 8 * 1024


class Unreachable(RuntimeError):
    """No answer that can be used; the text says why."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Whom we ask is in the settings, and nowhere else."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def post(
    url: str, body: bytes, content_type: str = "text/plain", seconds: float = SECONDS
) -> tuple[int, bytes]:
    """Status and body of the answer: at most 64 KiB, within `seconds` in all. Raises Unreachable."""
    if not url.startswith(("https://", "http://")):
        raise Unreachable("the address is not http or https")
    end = time.monotonic() + seconds
    try:
        request = urllib.request.Request(url, body, {"Content-Type": content_type})  # noqa: S310 - checked above
        with _OPENER.open(request, timeout=seconds) as answer:
            return answer.status, _limited(answer, end)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _limited(error, end)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable(str(reason) or type(error).__name__) from None


def _limited(answer: HTTPResponse | urllib.error.HTTPError, end: float) -> bytes:
    """Piece by piece: a server that sends a byte a second must not hold us for ever."""
    whole = b""
    try:
        while piece := answer.read1(_READ):
            whole += piece
            if len(whole) > _LONGEST:
                raise Unreachable("the answer is longer than 64 KiB")
            if time.monotonic() > end:
                raise Unreachable("the answer takes too long")
    except (OSError, HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    return whole
