"""`manage.py seed_demo`: fill an empty data space for demonstration."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import sealer
from catalog.models import Dataset
from dataspace.demo.seed import seed
from parties.models import Organization


class Command(BaseCommand):
    help = "Fill an empty data space with a synthetic city (about a million rows) and work for each role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about a million rows")

    def handle(self, *args: Any, **options: Any) -> None:
        if Organization.objects.exists() or Dataset.objects.exists():
            raise CommandError("This data space is not empty; it is left as it is.")
        seed(say=self.stdout.write, scale=options["scale"])
        sealer.seal_batch()
