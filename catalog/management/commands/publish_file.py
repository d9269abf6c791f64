"""Publish a file of your own: describe the dataset if it is new, hand the file in, check it, show, and decide."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.refusals import Refused
from catalog import services
from catalog.dictionary import dictionary
from catalog.jobs import work_on
from catalog.models import Dataset, Version
from catalog.selectors import get_dataset
from catalog.states import BadRows, DatasetState, VersionState, Visibility
from parties.actors import Actor, actor_for
from parties.models import Organization, User
from parties.roles import OrganizationKind, Role

CHUNK = 1 << 20
WAIT_SECONDS = 0.5


class Command(BaseCommand):
    help = "Publish a CSV, XLSX or Parquet file of your own as a dataset of a provider."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--dataset", required=True, help="its table name in SQL, for example electricity_monthly"
        )
        parser.add_argument("--provider", required=True, help="name of the providing organization")
        parser.add_argument(
            "--as", dest="account", help="log-in name of the steward; the provider's first by default"
        )
        parser.add_argument("--title", help="title of a new dataset; the file's name by default")
        parser.add_argument("--description", default="", help="description of a new dataset")
        parser.add_argument("--theme", default="")
        parser.add_argument("--named", action="store_true", help="visible to named organizations only")
        parser.add_argument("--synthetic", action="store_true", help="label it as synthetic data")
        parser.add_argument("--sheet", default="", help="sheet of an XLSX file")
        parser.add_argument(
            "--accept", action="store_true", help="publish; without it the schema is only shown"
        )
        parser.add_argument(
            "--bad-rows", choices=["reject", "drop"], default="reject",
            help="with --accept: reject the file if rows do not fit (default), or publish without them",
        )  # fmt: skip
        parser.add_argument(
            "--list", action="store_true", help="with --accept: list the dataset in the catalog"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            self._publish(options)
        except Refused as refused:
            faults = "".join(f"\n  {name}: {text}" for name, text in refused.details.items())
            raise CommandError(f"{refused.reason} ({refused.code}){faults}") from None

    def _publish(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        actor = _steward(options["provider"], options["account"])
        dataset = self._dataset(actor, options)
        version = services.hand_in_file(
            actor=actor, dataset=dataset, chunks=_chunks(path), file_name=path.name, sheet=options["sheet"]
        )
        version = self._worked(version)
        self._show(version)
        if not options["accept"]:
            self.stdout.write("Not published. Add --accept, or decide in the back office.")
            return
        decision = BadRows.DROP if options["bad_rows"] == "drop" else BadRows.REJECT
        if not version.bad_rows:
            decision = BadRows.PUBLISH
        services.decide_bad_rows(actor=actor, version=version, on_bad_rows=decision)
        version = self._worked(version)
        if version.state != VersionState.PUBLISHED:
            raise CommandError(
                f"Rejected: {version.bad_rows} rows do not fit. Use --bad-rows drop to go without them."
            )
        self.stdout.write(
            self.style.SUCCESS(
                f"Published {dataset.name} v{version.number}: {version.rows} rows, {version.dropped_rows} left out, "
                f"{version.units} units, SHA-256 {version.sha256}"
            )
        )
        if options["list"] and Dataset.objects.get(pk=dataset.pk).state != DatasetState.LISTED:
            services.list_dataset(actor=actor, dataset=dataset)

    def _dataset(self, actor: Actor, options: dict[str, Any]) -> Dataset:
        try:
            return get_dataset(actor, options["dataset"])
        except Refused:
            title = options["title"] or options["file"].stem
            described = services.Description(
                title=title, description=options["description"] or title, theme=options["theme"],
                visibility=Visibility.NAMED if options["named"] else Visibility.PUBLIC, synthetic=options["synthetic"],
            )  # fmt: skip
            return services.create_dataset(actor=actor, name=options["dataset"], description=described)

    def _worked(self, version: Version) -> Version:
        """Do the background's part here and now, or wait for the worker that was faster."""
        work_on(version.uid)
        version.refresh_from_db()
        while version.worked_on:
            time.sleep(WAIT_SECONDS)
            work_on(version.uid)
            version.refresh_from_db()
        if version.state == VersionState.FAILED:
            raise CommandError(f"{version.failure_text} ({version.failure})")
        return version

    def _show(self, version: Version) -> None:
        self.stdout.write(f"{version}: {(version.findings or {}).get('rows', 0)} rows")
        for term in dictionary(version):
            origin = term.made or term.column.header
            self.stdout.write(
                f"  {term.column.name:<24} {term.type!s:<14} {term.kind!s:<28} {term.grade}  {origin}"
            )
        for fault in (version.findings or {}).get("faults", []):
            rows = ", ".join(str(sample["row"]) for sample in fault["samples"][:10])
            self.stdout.write(
                f"  ! {fault['column'] or '-'}: {fault['code']}, {fault['count']} times, rows {rows}"
            )
        self.stdout.write(f"{version.bad_rows} rows do not fit.")


def _steward(provider: str, account: str | None) -> Actor:
    organization = Organization.objects.filter(name=provider, kind=OrganizationKind.PROVIDER).first()
    if organization is None:
        raise CommandError(f"There is no provider named {provider}.")
    stewards = User.objects.filter(organization=organization, memberships__role=Role.STEWARD, is_active=True)
    user = (stewards.filter(username=account) if account else stewards.order_by("pk")).first()
    if user is None:
        raise CommandError(f"{provider} has no such data steward.")
    return actor_for(user)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
