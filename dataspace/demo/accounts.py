"""Who takes part in the demonstration: organizations and one account per post. The names are made up."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from dataspace.demo.city import Provider
from parties.actors import SYSTEM
from parties.admission import admit, open_account
from parties.keys import create_key
from parties.models import Organization
from parties.roles import OrganizationKind, Role


@dataclass(frozen=True, slots=True)
class Post:
    """An account of the demonstration: what it is for, in which organization, with which roles."""

    username: str
    organization: str
    organization_en: str
    kind: OrganizationKind
    roles: frozenset[Role]
    duty: StrOrPromise


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset({Role.MEMBER, *roles})


_PROVIDER = _roles(Role.STEWARD, Role.APPROVER, Role.SIGNATORY)
_DECIDES = _roles(Role.APPROVER, Role.SIGNATORY)

# Name, English name, kind
MARKET = ("示例市市场监督管理局", "Market Regulation (demo)", OrganizationKind.PROVIDER)
POWER = ("示例市供电公司", "Power Utility (demo)", OrganizationKind.PROVIDER)
WATER = ("示例市水务集团", "Water Group (demo)", OrganizationKind.PROVIDER)
HOTLINE = ("示例市12345热线中心", "12345 Hotline Centre (demo)", OrganizationKind.PROVIDER)
SOCIAL = ("示例市人力资源和社会保障局", "Social Security (demo)", OrganizationKind.PROVIDER)
CREDIT = ("示例市公共信用信息中心", "Credit Office (demo)", OrganizationKind.PROVIDER)
BUREAU = ("示例市大数据局", "Data Bureau (demo)", OrganizationKind.BUREAU)
ENTERPRISE = ("泉城示例数据科技公司", "Spring City Data Co. (demo)", OrganizationKind.ENTERPRISE)
RIVAL = ("另一家示例企业", "Another Enterprise (demo)", OrganizationKind.ENTERPRISE)
AUDITOR = ("示例会计师事务所", "Auditing Body (demo)", OrganizationKind.AUDITOR)

POSTS = (
    Post("market", *MARKET, _PROVIDER, _("data provider: enterprise registry")),
    Post("power", *POWER, _PROVIDER, _("data provider: electricity")),
    Post("water", *WATER, _PROVIDER, _("data provider: water")),
    Post("hotline", *HOTLINE, _PROVIDER, _("data provider: hotline tickets")),
    Post("social", *SOCIAL, _PROVIDER, _("data provider: social insurance")),
    Post("credit", *CREDIT, _PROVIDER, _("data provider: credit facts")),
    Post("bureau", *BUREAU, _DECIDES, _("data bureau: authorizes, signs, stops")),
    Post("reviewer", *BUREAU, _roles(Role.REVIEWER), _("reviewer: checks what leaves")),
    Post(
        "reviewer2", *BUREAU, _roles(Role.REVIEWER), _("second reviewer: scripts and their results need two")
    ),
    Post(
        "administrator",
        *BUREAU,
        _roles(Role.ADMINISTRATOR),
        _("administrator: organizations, accounts, keys"),
    ),
    Post("enterprise", *ENTERPRISE, _roles(Role.SIGNATORY), _("enterprise: asks, signs, computes")),
    Post(
        "inspector",
        *ENTERPRISE,
        _roles(Role.AUDITOR),
        _("auditor of the enterprise: reads the entries that concern it"),
    ),
    Post("rival", *RIVAL, _roles(Role.SIGNATORY), _("another enterprise: sees nothing of the first")),
    Post("auditor", *AUDITOR, _roles(Role.AUDITOR), _("auditor: reads and verifies the log")),
)

PROVIDER_ACCOUNT = {
    Provider.MARKET_REGULATION: "market",
    Provider.POWER_UTILITY: "power",
    Provider.WATER_GROUP: "water",
    Provider.HOTLINE_CENTRE: "hotline",
    Provider.SOCIAL_SECURITY: "social",
    Provider.CREDIT_OFFICE: "credit",
}


def logins_file() -> Path:
    return Path(settings.DATA_DIR) / "demo-logins.json"


def create_accounts() -> None:
    """Organizations with keys, and accounts that share one random password, kept in the data folder (mode 0600)."""
    password = f"demo-{secrets.token_hex(4)}"
    with transaction.atomic():
        for post in POSTS:
            organization = Organization.objects.filter(name=post.organization).first()
            if organization is None:
                organization = admit(
                    actor=SYSTEM, name=post.organization, name_en=post.organization_en, kind=post.kind
                )
                create_key(organization, actor=SYSTEM)
            open_account(
                actor=SYSTEM, username=post.username, password=password, organization=organization, roles=post.roles,
                full_name=post.username.capitalize(), is_staff=bool(post.roles & {Role.STEWARD, Role.ADMINISTRATOR}),
            )  # fmt: skip
    path = logins_file()
    path.touch(mode=0o600)
    path.write_text(json.dumps({"password": password}), encoding="utf-8")


def demo_password() -> str | None:
    """None where this installation was not seeded for demonstration."""
    path = logins_file()
    return str(json.loads(path.read_text(encoding="utf-8"))["password"]) if path.exists() else None
