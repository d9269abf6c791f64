"""`manage.py seal`: the sealer as a service."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, connection

from audit import sealer

log = logging.getLogger("audit.sealer")


class Command(BaseCommand):
    help = "Chain committed audit entries until told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                sealer.run(stop)
            except (sealer.SealerBusy, OperationalError) as error:
                # The other sealer may be the one that was killed a second ago, or the database restarts.
                log.warning("waiting: %s", error)
                connection.close()
                stop.wait(1)
