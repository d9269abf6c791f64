"""`manage.py reproduce RELEASE`: compute a release again and compare the bytes (P10)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.models import Release
from sandbox.services.reproduce import reproduce
from sandbox.worker import Worker


class Command(BaseCommand):
    help = "Compute a release again from its receipt and compare the bytes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", type=UUID, help="the release's uid, as in its receipt")

    def handle(self, *args: Any, **options: Any) -> None:
        release = Release.objects.select_related("run__contract").filter(uid=options["release"]).first()
        if release is None:
            raise CommandError("There is no such release.")
        worker = Worker()
        try:
            found = reproduce(release, worker)
        finally:
            worker.close()
        for name, (then, now) in found.differences.items():
            self.stdout.write(f"{name}: {then} then, {now} now\n")
        if not found.same:
            raise CommandError(
                f"Not reproduced {found.problem}: {found.released} then, {found.computed or '-'} now"
            )
        self.stdout.write(f"Reproduced: {found.computed}\n")
