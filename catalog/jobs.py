"""The background work on a version: check it, build it. Called by the task; safe to call at any time (P4).

The row says what is to be done. A refusal of the ingest ends the version with its code; any other error gives it
back, and after a few attempts ends it. An engine's error text may quote a cell, so only its type is logged (P1).
"""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from audit.refusals import Refused
from catalog.building import build_extract
from catalog.checking import check_rows
from catalog.leases import Claim, LostClaimError, claim, fail, holding
from catalog.states import VersionState

log = logging.getLogger(__name__)


def work_on(version_uid: uuid.UUID) -> None:
    """Do the step the version waits for, if it waits for one and nobody is at it."""
    held = claim(version_uid)
    if held is None:
        return
    try:
        with _work_folder(held) as folder:
            if held.version.state == VersionState.CHECKING:
                check_rows(held, folder)
            else:
                build_extract(held, folder)
    except LostClaimError:
        log.warning("version %s: another worker took over", version_uid)
    except Refused as refused:
        log.info("version %s: %s", version_uid, refused.code)
        with suppress(LostClaimError), holding(held) as version:
            fail(version, refused.code, refused.reason)
    except Exception as error:  # noqa: BLE001  # whatever it is, the version must not stay claimed
        log.error("version %s: %s", version_uid, type(error).__name__)  # no text: see above
        held.let_go()


@contextmanager
def _work_folder(held: Claim) -> Iterator[Path]:
    """A folder for copies and spilled data; what a killed worker leaves is removed by the sweep."""
    folder = Path(settings.UPLOADS_DIR) / f"work-{held.token}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
