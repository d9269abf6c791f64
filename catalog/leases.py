"""Who works on a version, and until when (P4).

A worker claims a version by writing a fresh `claim` and a `lease` into its row. While it works it extends the
lease; if it dies, the lease runs out and the next worker claims anew. A worker whose claim was replaced can no
longer write anything: every later step goes through `holding`, which compares the claim under the row's lock.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.transitions import move
from catalog.locks import locked_version
from catalog.models import Version
from catalog.states import VersionState
from parties.actors import SYSTEM

LEASE = timedelta(seconds=60)
GRACE = timedelta(seconds=5)  # how long a row may wait for its first message before the sweep nudges
ATTEMPTS = 3
WRITE_EVERY = 1.0  # seconds between two writes of the progress


class LostClaimError(Exception):
    """Another worker took over, or the version was decided otherwise. Stop; write nothing."""


@dataclass(slots=True)
class Claim:
    """One worker's hold on one version. Called with a step and the share of it that is done, it extends the lease."""

    version: Version
    token: uuid.UUID
    _written: float = field(default=0.0)

    def __call__(self, step: str, share: float) -> None:
        """Write the progress (`share` 0 to 1) and extend the lease, at most once a second. Raises LostClaimError."""
        now = time.monotonic()
        if now - self._written < WRITE_EVERY:
            return
        self._written = now
        percent = max(0, min(100, int(share * 100)))
        held = Version.objects.filter(pk=self.version.pk, claim=self.token)
        if not held.update(step=step[:20], progress=percent, lease=timezone.now() + LEASE):
            raise LostClaimError

    def let_go(self) -> None:
        """Give the version back before the lease is over, so that the next sweep continues at once."""
        Version.objects.filter(pk=self.version.pk, claim=self.token).update(lease=timezone.now())


def due() -> QuerySet[Version]:
    """Versions that wait for a worker: never begun, or left by one whose lease ran out."""
    now = timezone.now()
    left = Q(lease__lte=now) | Q(lease=None, state_since__lte=now - GRACE)
    return Version.objects.filter(left, state__in=[VersionState.CHECKING, VersionState.BUILDING]) | (
        Version.objects.filter(state=VersionState.UPLOADED, state_since__lte=now - GRACE)
    )


def claim(version_uid: uuid.UUID) -> Claim | None:
    """Take a version that waits for a worker. None if there is nothing to do, or somebody is at it.

    After ATTEMPTS claims that came to nothing the version is FAILED.
    """
    with transaction.atomic():
        version = (
            Version.objects.select_related("dataset__provider", "source")
            .select_for_update(of=("self",), skip_locked=True)
            .filter(uid=version_uid)
            .first()
        )
        if version is None or not _waiting(version):
            return None
        if version.attempts >= ATTEMPTS:
            fail(
                version,
                "ingest.attempts",
                _("The work was begun %(n)s times and not finished.") % {"n": ATTEMPTS},
            )
            return None
        token = uuid.uuid4()
        held = {
            "claim": token,
            "lease": timezone.now() + LEASE,
            "attempts": version.attempts + 1,
            "progress": 0,
        }
        if version.state == VersionState.UPLOADED:
            move(version, VersionState.CHECKING, actor=SYSTEM, set_fields=held)
        else:
            for name, value in held.items():
                setattr(version, name, value)
            version.save(update_fields=list(held))
        return Claim(version, token)


def _waiting(version: Version) -> bool:
    if version.state == VersionState.UPLOADED:
        return True
    if version.state not in {VersionState.CHECKING, VersionState.BUILDING}:
        return False
    return version.lease is None or version.lease <= timezone.now()


@contextmanager
def holding(held: Claim) -> Iterator[Version]:
    """A transaction in which the claim is certain: dataset and version are locked. Raises LostClaimError."""
    with transaction.atomic():
        version = locked_version(held.version)
        if version.claim != held.token:
            raise LostClaimError
        yield version


def fail(version: Version, code: str, reason: object) -> None:
    """End a version that cannot be read or built, in the caller's transaction."""
    move(
        version, VersionState.FAILED, actor=SYSTEM, code=code,
        set_fields={"failure": code[:60], "failure_text": str(reason)[:500], "claim": None, "lease": None},
    )  # fmt: skip
