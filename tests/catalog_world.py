"""A small city for catalog tests: organizations, accounts, and datasets brought to a state by the services themselves."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

from django.conf import settings

from audit.models import OutboxRow
from catalog import services
from catalog.jobs import work_on
from catalog.models import Dataset, Version
from catalog.services import Description
from catalog.states import BadRows, VersionState
from parties.actors import Actor, actor_for
from parties.models import Membership, Organization, User
from parties.roles import OrganizationKind, Role

SERIAL = itertools.count(1)

CLEAN = "\n".join(
    [
        "企业代码,日期,行业,用电量",
        *(
            f"E{n:03},2025-{n // 28 + 1:02}-{n % 28 + 1:02},{'制造' if n % 2 else '零售'},{n * 10}.5"
            for n in range(1, 301)
        ),
    ]
)
BAD_ROWS = ["E301,not a date,制造,7.5", "E302,2025-01-01,零售,many"]
DIRTY = "\n".join([CLEAN, *BAD_ROWS])


def organization(kind: str = OrganizationKind.PROVIDER, **fields) -> Organization:
    return Organization.objects.create(name=f"org {next(SERIAL)}", kind=kind, **fields)


def account(org: Organization | None, *roles: str, **fields) -> User:
    number = next(SERIAL)
    user = User.objects.create_user(username=f"user{number}", password="x", organization=org, **fields)
    for role in roles:
        Membership.objects.create(user=user, role=role)
    return user


def acting(kind: str, *roles: str) -> Actor:
    return actor_for(account(organization(kind), *roles))


def steward(org: Organization | None = None) -> Actor:
    return actor_for(account(org or organization(), Role.STEWARD, is_staff=True))


def describe(actor: Actor, **fields) -> Dataset:
    number = next(SERIAL)
    said = {"title": f"dataset {number}", "description": "what it holds", **fields}
    return services.create_dataset(
        actor=actor, name=said.pop("name", f"table_{number}"), description=Description(**said)
    )


def hand_in(actor: Actor, dataset: Dataset, text: str = CLEAN, file_name: str = "readings.csv") -> Version:
    return services.hand_in_file(actor=actor, dataset=dataset, chunks=[text.encode()], file_name=file_name)


def fresh(thing):
    return type(thing).objects.get(pk=thing.pk)


def checked(actor: Actor, dataset: Dataset, text: str = CLEAN) -> Version:
    version = hand_in(actor, dataset, text)
    work_on(version.uid)
    return fresh(version)


def published(actor: Actor, dataset: Dataset, text: str = CLEAN) -> Version:
    version = checked(actor, dataset, text)
    services.decide_bad_rows(
        actor=actor, version=version, on_bad_rows=BadRows.DROP if version.bad_rows else BadRows.PUBLISH
    )
    work_on(version.uid)
    version = fresh(version)
    assert version.state == VersionState.PUBLISHED, version.failure
    return version


def listed(actor: Actor, **fields) -> Dataset:
    dataset = describe(actor, **fields)
    published(actor, dataset)
    return services.list_dataset(actor=actor, dataset=dataset)


def entries(act: str | None = None) -> list[dict]:
    """What stands in the outbox, oldest first."""
    found = [json.loads(bytes(row.body)) for row in OutboxRow.objects.order_by("pk")]
    return [entry for entry in found if act is None or entry["act"] == act]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} if folder.is_dir() else set()


def stored() -> tuple[set[str], set[str]]:
    return files(Path(settings.UPLOADS_DIR)), files(Path(settings.EXTRACTS_DIR))
