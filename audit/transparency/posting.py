"""One HTTP request to somebody else's server: bounded in time, in size, and in where it may be sent on. Pure."""

from __future__ import annotations

import time
import urllib.parse
from contextlib import closing
from http.client import HTTPException

from audit.verifier.connection import connection_to

SECONDS = 10.0
_LONGEST = 64 * 1024


class Unreachable(RuntimeError):
    """No answer that can be used; the text says why."""


def post(
    url: str, body: bytes, content_type: str = "text/plain", seconds: float = SECONDS
) -> tuple[int, bytes]:
    """Status and body of the answer: at most 64 KiB, within `seconds` in all. Redirects are not followed: whom we ask
    is in the settings, and nowhere else. Raises Unreachable.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unreachable("the address is not http or https")
        end = time.monotonic() + seconds
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        asking = connection_to(parts.scheme, parts.hostname, parts.port, seconds)
        with closing(asking), asking.within(seconds):
            asking.request("POST", path, body, {"Content-Type": content_type, "Connection": "close"})
            answer = asking.getresponse()
            whole = answer.read(_LONGEST + 1)
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    if time.monotonic() > end:  # what there is may not be all
        raise Unreachable("the answer takes too long")
    if len(whole) > _LONGEST:
        raise Unreachable("the answer is longer than 64 KiB")
    return answer.status, whole
