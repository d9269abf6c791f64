"""`manage.py audit_export PATH`: the log as a file or a folder that anyone can verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import export
from audit.actors import CONSOLE
from audit.refusals import Refused
from audit.services import record_export
from audit.transparency.tiles import Damaged


class Command(BaseCommand):
    help = (
        "Write the audit log to PATH: one file of lines, or the published folder if PATH is one or ends in /."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path")

    def handle(self, *args: Any, **options: Any) -> None:
        given: str = options["path"]
        path = Path(given)
        record_export(actor=CONSOLE)
        if given.endswith("/") or path.is_dir():
            self._folder(path)
            return
        with path.open("wb") as file:
            head = export.write(file)
        self.stdout.write(f"{head.entries} entries, head {head.leaf}\n")
        self.stdout.write(f"verify: python -m audit.verifier {path} --head {head.leaf}\n")

    def _folder(self, path: Path) -> None:
        try:
            checkpoint = export.folder(path)
        except (Refused, Damaged) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{checkpoint.size} entries, root {checkpoint.root.hex()}\n")
        self.stdout.write(f"verify: python -m audit.verifier {path} --key VKEY\n")
