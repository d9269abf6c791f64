"""Once a day somebody else says what time it is: an RFC 3161 stamp of the day's first published checkpoint.

A token is kept once it was checked: by whom it is signed, that it is over these very bytes, that it answers our
question, and that its time can be true. What cannot be stamped holds nothing up, and is tried again.
"""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.utils import timezone
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from audit.models import Checkpoint
from audit.transparency import publication, troubles
from audit.transparency.posting import Unreachable, post
from audit.transparency.troubles import Finding

_SECONDS = 5.0  # to wait for an answer; checkpoints wait with us
_AGAIN_SECONDS = 600.0
_CLOCKS = timedelta(minutes=5)  # the authority's clock and ours may differ by this much


class NoStampError(RuntimeError):
    """There is no token that can be kept; the text says why."""


class Stamping:
    """Asks the authority the settings name, if they name one."""

    def __init__(self) -> None:
        self._done: date | None = None
        self._next = float("-inf")

    def round(self, folder: Path) -> None:
        """Stamp today's checkpoint, if it has no stamp yet and it is time to try. `folder`: the published log."""
        today = timezone.localdate()
        if not settings.AUDIT_TSA_URL or self._done == today or time.monotonic() < self._next:
            return
        row = _first_since_midnight()
        if row is None:
            return
        try:
            if row.stamp is None:
                row.stamp = stamp(
                    bytes(row.note), settings.AUDIT_TSA_URL, Path(settings.AUDIT_TSA_CERTIFICATES)
                )
                row.save(update_fields=["stamp"])
        except NoStampError as error:
            self._next = time.monotonic() + _AGAIN_SECONDS
            facts = {"day": publication.day_of(row), "reason": str(error)}
            troubles.set_all(troubles.STAMP, [Finding("stamp.failed", facts=facts)])
            return
        publication.keep_stamp(folder, row)
        self._done = today
        troubles.set_all(troubles.STAMP, [])


def stamp(data: bytes, url: str, certificates: Path) -> bytes:
    """A time-stamp response (DER) over SHA-256 of `data`, checked. `certificates`: the authority's roots as PEM.

    Raises NoStampError.
    """
    roots = _roots(certificates)
    request = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    asked = timezone.now()
    try:
        status, answer = post(url, request.as_bytes(), "application/timestamp-query", _SECONDS)
    except Unreachable as error:
        raise NoStampError(f"the authority does not answer: {error}") from None
    if status != 200:
        raise NoStampError(f"the authority answered HTTP {status}")
    verifier = VerifierBuilder.from_request(request)
    for root in roots:
        verifier = verifier.add_root_certificate(root)
    try:
        response = decode_timestamp_response(answer)
        verifier.build().verify_message(response, data)
        said = response.tst_info.gen_time
    except (VerificationError, ValueError) as error:
        raise NoStampError(f"the token does not hold: {error}") from None
    if not asked - _CLOCKS <= said <= timezone.now() + _CLOCKS:
        raise NoStampError(f"the token says {said.isoformat()}")
    return answer


def _first_since_midnight() -> Checkpoint | None:
    """By the installation's own calendar."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Checkpoint.objects.filter(made__gte=midnight).order_by("size").first()


def _roots(path: Path) -> list[x509.Certificate]:
    try:
        return list(dict.fromkeys(x509.load_pem_x509_certificates(path.read_bytes())))
    except (OSError, ValueError):
        raise NoStampError("DATASPACE_AUDIT_TSA_CERTIFICATES names no readable certificates") from None
