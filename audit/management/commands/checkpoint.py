"""`manage.py checkpoint`: the checkpointer as a service; `--adopt` when it has lost its memory."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError, connection

from audit.transparency import service, troubles
from audit.transparency.adoption import NothingToAdoptError, adopt
from audit.transparency.keys import KeyRefused

log = logging.getLogger("audit.checkpointer")


class Command(BaseCommand):
    help = "Sign and publish the audit log until told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="the memory of what was signed last is lost: take what was published, after reading everything again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["adopt"]:
            self._adopt()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                service.run(stop)
            except (service.CheckpointerBusy, OperationalError, InterfaceError, OSError) as error:
                # The other may be the one that was killed a second ago, or the database restarts.
                log.warning("waiting: %s", error)
                connection.close()
                stop.wait(1)

    def _adopt(self) -> None:
        try:
            with service.alone():
                adopted = adopt()
        except (
            troubles.WillNotSign,
            NothingToAdoptError,
            KeyRefused,
            service.CheckpointerBusy,
        ) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"remembered as signed: {adopted.size} entries, root {adopted.root.hex()}\n")
