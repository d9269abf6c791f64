"""Guessing of passwords is slowed down: so many failures for one name or from one address, then a pause.

Each failure takes one of a fixed number of places in the cache, and the place is free again WINDOW later. Taking a
place is one atomic `add`, so attempts sent at the same moment cannot slip past the count; with a cache that the
processes share (the database cache) the count holds across them.
"""

from __future__ import annotations

import hmac
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.refusals import Refused

WINDOW = 15 * 60  # seconds
PER_NAME = 5
PER_ADDRESS = 20  # a whole office may come from one address
LONGEST_NAME = 150  # characters that are kept of what was typed, and of an address a proxy reports


@dataclass(frozen=True, slots=True)
class Attempt:
    """The places that one attempt holds until it is known to have succeeded."""

    places: tuple[str, ...]

    def forgive(self) -> None:
        """It succeeded: give its places back."""
        cache.delete_many(self.places)


def begin(request: HttpRequest, name: str) -> Attempt:
    """Take a place for the name and one for the address, before the password is looked at.

    Raises Refused account.slowed where either has none left.
    """
    wanted = (("name", _folded(name), PER_NAME), ("address", address(request), PER_ADDRESS))
    taken: list[str] = []
    for kind, value, places in wanted:
        place = _take(f"{kind}:{_digest(value)}", places)
        if place is None:
            cache.delete_many(taken)
            raise Refused(
                "account.slowed", _("Too many failed attempts. Wait a quarter of an hour, then try again.")
            )
        taken.append(place)
    return Attempt(tuple(taken))


def typed(request: HttpRequest, name: str) -> dict[str, str]:
    """Personal fields of an attempt that failed."""
    return {"name": name[:LONGEST_NAME], **seen(request)}


def seen(request: HttpRequest) -> dict[str, str]:
    """Personal fields of a log-in."""
    return {"ip": found[:LONGEST_NAME]} if (found := address(request)) else {}


def _take(prefix: str, places: int) -> str | None:
    names = (f"login:{prefix}:{number}" for number in range(places))
    return next((name for name in names if cache.add(name, 1, WINDOW)), None)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _digest(value: str) -> str:
    """Keyed, so that the cache holds neither names nor addresses."""
    return hmac.digest(settings.SECRET_KEY.encode(), value.encode(), sha256).hex()[:32]


def address(request: HttpRequest) -> str:
    """The peer; behind our own TLS proxy the address that the proxy itself added, which is the last one."""
    if settings.SECURE_PROXY_SSL_HEADER:
        forwarded = str(request.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()
        if forwarded:
            return forwarded
    return str(request.META.get("REMOTE_ADDR", ""))
