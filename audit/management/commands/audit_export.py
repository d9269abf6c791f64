"""`manage.py audit_export FILE`: the log as a file that anyone can verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit import export
from audit.actors import CONSOLE
from audit.services import record_export


class Command(BaseCommand):
    help = "Write the audit log to FILE (one entry a line, then the head)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        record_export(actor=CONSOLE)
        with options["file"].open("wb") as file:
            head = export.write(file)
        self.stdout.write(f"{head.entries} entries, head {head.leaf}\n")
        self.stdout.write(f"verify: python -m audit.verifier {options['file']} --head {head.leaf}\n")
