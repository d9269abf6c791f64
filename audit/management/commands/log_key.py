"""`manage.py log_key`: the keys that sign the log, their coming and going."""

from __future__ import annotations

from argparse import REMAINDER
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import CONSOLE
from audit.transparency import keys, publication
from audit.transparency.growth import KeyDates
from audit.transparency.keys import KeyFolder, KeyRefused, LogKey


class Command(BaseCommand):
    help = "List, add and retire the keys that sign the audit log."

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True)
        steps.add_parser("list", help="the keys, and what each does at present")
        add = steps.add_parser("add", help="make a key; it signs once its announcement is sealed")
        add.add_argument("kind", choices=(keys.ED25519, keys.SM2))
        command = steps.add_parser("add-command", help="a key that a program of yours signs with, for an HSM")
        command.add_argument("kind", choices=(keys.ED25519, keys.SM2))
        command.add_argument("public", help="its public key in hexadecimal digits; of SM2, x and y")
        command.add_argument(
            "command",
            nargs=REMAINDER,
            help="the program: text on standard input, signature on standard output",
        )
        retire = steps.add_parser(
            "retire", help="end a key; its private half is destroyed once that is published"
        )
        retire.add_argument("id", help="as `list` shows it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder = KeyFolder(settings.CHECKPOINTER_DIR)
            match options["step"]:
                case "list":
                    self._list(folder)
                case "add":
                    self._say("announced", keys.add_key(folder, options["kind"], actor=CONSOLE))
                case "add-command":
                    public = keys.public_of(options["public"], options["kind"])
                    made = keys.add_command(
                        folder, options["kind"], public, options["command"], actor=CONSOLE
                    )
                    self._say("announced", made)
                case "retire":
                    published = publication.published_size(settings.TLOG_DIR)
                    self._say("retired", keys.retire_key(folder, options["id"], published, actor=CONSOLE))
        except KeyRefused as error:
            raise CommandError(str(error)) from None

    def _list(self, folder: KeyFolder) -> None:
        dates, published = keys.recorded_dates(), publication.published_size(settings.TLOG_DIR)
        for one in folder.all():
            state = _state(one, dates.get(one.vkey, KeyDates()), published)
            since = datetime.fromtimestamp(one.since, tz=UTC).isoformat()
            self.stdout.write(f"{one.id}  {one.kind:8} {state:9} since {since}  {one.vkey}\n")

    def _say(self, what: str, one: LogKey) -> None:
        self.stdout.write(f"{what}: {one.id}  {one.vkey}\n")


def _state(one: LogKey, dates: KeyDates, published: int) -> str:
    if one.retiring:
        return "retiring"
    return "signs" if one.signs(published, dates) else "announced"
