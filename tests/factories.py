"""Valid worlds for tests: who takes part, what is offered, what was asked, granted and signed.

Everything but a dataset's published version is made by calling the services, so no test starts from an impossible
row. A version's extract is a real one, built by the ingest from the rows given.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.events import Event
from audit.recorder import record
from catalog import ingest, search
from catalog import services as catalog_services
from catalog.models import Dataset, Version
from catalog.schema import Column, ColumnKind, ColumnType, Grade, Schema
from catalog.states import SourceKind, VersionState, Visibility
from contracts.draft import offered_columns
from contracts.lanes import Choices
from contracts.models import AccessRequest, Contract
from contracts.services.requests import Wish, decide_request, file_request
from contracts.services.signing import sign_contract
from contracts.states import Outcome, Purpose
from parties.actors import SYSTEM, Actor, actor_for
from parties.admission import admit, open_account
from parties.keys import create_key
from parties.models import Organization, User
from parties.roles import ROLES_OF, OrganizationKind, Role

PASSWORD = "quan-cheng-2026"

DISTRICTS = ("历下区", "市中区", "槐荫区")
MONTHS = ("2025-01", "2025-02")
ELECTRICITY = Schema(
    (
        Column(
            "credit_code", "credit_code", ColumnType.TEXT, ColumnKind.PRIVACY_UNIT, Grade.GENERAL_2,
            meaning="统一社会信用代码", nullable=False, unit_space="enterprise",
        ),
        Column(
            "district", "district", ColumnType.TEXT, ColumnKind.DIMENSION, Grade.GENERAL_1,
            meaning="所属区县", domain=DISTRICTS,
        ),
        Column("month", "month", ColumnType.TEXT, ColumnKind.DIMENSION, Grade.GENERAL_1, meaning="月份", domain=MONTHS),
        Column("kwh", "kwh", ColumnType.DECIMAL, ColumnKind.MEASURE, Grade.GENERAL_2, meaning="用电量(千瓦时)", scale=2),
    )
)  # fmt: skip
WATER = Schema((
    ELECTRICITY.columns[0],
    ELECTRICITY.columns[1],
    Column("cubic_metres", "cubic_metres", ColumnType.DECIMAL, ColumnKind.MEASURE, meaning="用水量(立方米)", scale=1),
))  # fmt: skip


# --- Who takes part ---------------------------------------------------------------------------------------
def organization(kind: str, name: str, *, key: bool = True) -> Organization:
    """An organization with a signing key in use (unless `key` is False)."""
    with transaction.atomic():
        made = admit(actor=SYSTEM, name=name, kind=kind)
        if key:
            create_key(made, actor=SYSTEM)
    return made


def account(username: str, of: Organization, *roles: Role) -> User:
    """An account with these roles, or with every role its organization's kind allows; its password is PASSWORD.

    Only an auditing body's account audits unless it is said: an organization that works is not its own auditor.
    """
    every = ROLES_OF[of.kind] - ({Role.AUDITOR} if of.kind != OrganizationKind.AUDITOR else set())
    held = roles or every
    staff = bool({Role.STEWARD, Role.ADMINISTRATOR} & set(held))
    with transaction.atomic():
        return open_account(
            actor=SYSTEM, username=username, password=PASSWORD, organization=of, roles=held, is_staff=staff
        )


def actor(user: User) -> Actor:
    """Read anew, as at each request."""
    return actor_for(User.objects.get(pk=user.pk))


@dataclass(frozen=True)
class City:
    """One account per side, each with every role of its kind."""

    power: User  # a data provider
    water: User  # another
    bureau: User
    enterprise: User
    rival: User  # another enterprise
    auditor: User

    @property
    def deciders(self) -> tuple[User, ...]:
        return (self.power, self.water, self.bureau)


def city() -> City:
    sides = {
        "power": (OrganizationKind.PROVIDER, "供电公司"),
        "water": (OrganizationKind.PROVIDER, "水务集团"),
        "bureau": (OrganizationKind.BUREAU, "大数据局"),
        "enterprise": (OrganizationKind.ENTERPRISE, "泉城数据公司"),
        "rival": (OrganizationKind.ENTERPRISE, "另一家企业"),
        "auditor": (OrganizationKind.AUDITOR, "会计师事务所"),
    }
    return City(**{name: account(name, organization(kind, title)) for name, (kind, title) in sides.items()})


# --- What is offered --------------------------------------------------------------------------------------
def electricity_rows(enterprises: int = 60) -> list[dict[str, str]]:
    """Two months of each enterprise, spread evenly over the districts; no value stands out."""
    return [
        {
            "credit_code": f"9137010{n:011d}",
            "district": DISTRICTS[n % len(DISTRICTS)],
            "month": month,
            "kwh": f"{1000 + 7 * n + 50 * i}.25",
        }
        for n in range(enterprises)
        for i, month in enumerate(MONTHS)
    ]


def water_rows(enterprises: int = 60) -> list[dict[str, str]]:
    return [
        {
            "credit_code": f"9137010{n:011d}",
            "district": DISTRICTS[n % len(DISTRICTS)],
            "cubic_metres": f"{100 + n}.5",
        }
        for n in range(enterprises)
    ]


def published_dataset(
    provider: User,
    name: str = "electricity",
    *,
    title: str = "企业月度用电量",
    schema: Schema = ELECTRICITY,
    rows: Sequence[Mapping[str, str]] | None = None,
    listed: bool = True,
    visibility: str = Visibility.PUBLIC,
    theme: str = "能源",
    cadence: str = "每月",
    synthetic: bool = True,
) -> Dataset:
    """A dataset of the provider's with one published version; `rows` has one text per source header."""
    acting = actor(provider)
    description = catalog_services.Description(
        title=title, title_en=name.replace("_", " ").capitalize(), description=f"{title},按月汇总。", theme=theme,
        cadence=cadence, legal_basis="测试", visibility=visibility, synthetic=synthetic,
    )  # fmt: skip
    dataset = catalog_services.create_dataset(actor=acting, name=name, description=description)
    publish_version(dataset, provider, schema=schema, rows=electricity_rows() if rows is None else rows)
    return catalog_services.list_dataset(actor=acting, dataset=dataset) if listed else dataset


def water_dataset(provider: User, name: str = "water", **said: Any) -> Dataset:
    """A dataset that joins with `published_dataset` on the enterprise."""
    return published_dataset(
        provider,
        name,
        title=said.pop("title", "企业用水量"),
        schema=WATER,
        rows=water_rows(),
        theme="水务",
        **said,
    )


def publish_version(
    dataset: Dataset, by: User, *, schema: Schema, rows: Sequence[Mapping[str, str]]
) -> Version:
    """The next version, published: its extract lies under EXTRACTS_DIR as the ingest builds it."""
    text = _csv([c.header for c in schema.columns if c.derived is None], rows)
    built = _built(text, schema)
    folder = Path(settings.EXTRACTS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{built.facts['sha256']}.parquet").write_bytes(built.data)
    with transaction.atomic():
        version = Version.objects.create(
            dataset=dataset, number=dataset.versions.count() + 1, state=VersionState.PUBLISHED,
            source_kind=SourceKind.FILE, file_name=f"{dataset.name}.csv", handed_in_by=by, schema_json=schema.to_json(),
            grade=int(schema.grade), findings={}, published=timezone.now(), progress=100, **built.facts,
        )  # fmt: skip
        record(
            Event.VERSION_PUBLISHED, actor=SYSTEM, about=version, dataset=str(dataset.uid), number=version.number,
            rows=version.rows, sha256=version.sha256,
        )  # fmt: skip
    search.index(dataset)
    return version


@dataclass(frozen=True)
class _Built:
    data: bytes
    facts: Mapping[str, Any]


def _csv(headers: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, headers)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@cache
def _built(text: str, schema: Schema) -> _Built:
    """The same rows and schema give the same bytes, so each extract is built once per test run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "rows.csv"
        path.write_text(text, encoding="utf-8")
        source = ingest.open_source(path, folder=folder)
        extract = ingest.build(
            source, schema, out_dir=folder / "out", space_key=bytes.fromhex(settings.SPACE_KEY)
        )
        profile = ingest.profile(extract, schema, folder=folder)
        facts = {
            "rows": extract.rows, "dropped_rows": extract.dropped_rows, "units": extract.units, "size": extract.bytes,
            "sha256": extract.sha256, "sm3": extract.sm3, "profile": profile.to_json(),
        }  # fmt: skip
        return _Built(extract.path.read_bytes(), facts)


# --- What was asked, granted, signed -----------------------------------------------------------------------
def filed_request(enterprise: User, datasets: Sequence[Dataset], **said: Any) -> AccessRequest:
    """All columns that can be asked for of each dataset, waiting for decisions."""
    wishes = []
    for dataset in datasets:
        version = Dataset.objects.get(pk=dataset.pk).current
        assert version is not None
        wishes.append(Wish(dataset, [column.name for column in offered_columns(version.schema)]))
    asked: dict[str, Any] = {
        "purpose": Purpose.INDUSTRY, "scenario": "园区用能监测", "wanted": "各区县月度用电量", "term_days": 365,
        "max_runs": 100, **said,
    }  # fmt: skip
    return file_request(actor=actor(enterprise), wishes=wishes, **asked)


def granted_request(
    enterprise: User,
    datasets: Sequence[Dataset],
    deciders: Sequence[User],
    *,
    limits: Mapping[str, int] | None = None,
    lanes: Choices | None = None,
    **said: Any,
) -> AccessRequest:
    """Granted by all that have a decision, each from `deciders`; a contract has been drawn up."""
    request = filed_request(enterprise, datasets, **said)
    parts = set(request.decisions.values_list("organization", flat=True))
    for user in deciders:
        if user.organization_id in parts:
            own = request.items.filter(dataset__provider=user.organization).exists()
            decide_request(
                actor=actor(user), request=request, outcome=Outcome.GRANT, reason="同意", limits=limits,
                lanes=lanes if own else None,
            )  # fmt: skip
    request.refresh_from_db()
    return request


def drafted_contract(
    enterprise: User, datasets: Sequence[Dataset], deciders: Sequence[User], **said: Any
) -> Contract:
    """Drawn up and signed by nobody."""
    return Contract.objects.get(request=granted_request(enterprise, datasets, deciders, **said))


def signed_contract(
    enterprise: User, datasets: Sequence[Dataset], deciders: Sequence[User], **said: Any
) -> Contract:
    """Signed by every party, so in force."""
    contract = drafted_contract(enterprise, datasets, deciders, **said)
    parties = set(contract.signatures.values_list("organization", flat=True))
    for user in (*deciders, enterprise):
        if user.organization_id in parties:
            sign_contract(actor=actor(user), contract=contract, digest=contract.digest)
    return Contract.objects.get(pk=contract.pk)
