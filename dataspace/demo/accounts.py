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
from parties.keys import create_key
from parties.models import Membership, Organization, User
from parties.roles import OrganizationKind, Role

_PROVIDER = frozenset({Role.MEMBER, Role.STEWARD, Role.APPROVER, Role.SIGNATORY})


@dataclass(frozen=True, slots=True)
class Post:
    """An account of the demonstration: what it is for, in which organization, with which roles."""

    username: str
    organization: str
    organization_en: str
    kind: OrganizationKind
    roles: frozenset[Role]
    duty: StrOrPromise


POSTS = (
    Post("market", "示例市市场监督管理局", "Market Regulation (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: enterprise registry")),
    Post("power", "示例市供电公司", "Power Utility (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: electricity")),
    Post("water", "示例市水务集团", "Water Group (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: water")),
    Post("hotline", "示例市12345热线中心", "12345 Hotline Centre (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: hotline tickets")),
    Post("social", "示例市人力资源和社会保障局", "Social Security (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: social insurance")),
    Post("credit", "示例市公共信用信息中心", "Credit Office (demo)", OrganizationKind.PROVIDER, _PROVIDER, _("data provider: credit facts")),
    Post("bureau", "示例市大数据局", "Data Bureau (demo)", OrganizationKind.BUREAU, frozenset({Role.MEMBER, Role.APPROVER, Role.SIGNATORY}), _("data bureau: authorizes, signs, stops")),
    Post("reviewer", "示例市大数据局", "Data Bureau (demo)", OrganizationKind.BUREAU, frozenset({Role.MEMBER, Role.REVIEWER}), _("reviewer: checks what leaves")),
    Post("administrator", "示例市大数据局", "Data Bureau (demo)", OrganizationKind.BUREAU, frozenset({Role.MEMBER, Role.ADMINISTRATOR}), _("administrator: organizations, accounts, keys")),
    Post("enterprise", "泉城示例数据科技公司", "Spring City Data Co. (demo)", OrganizationKind.ENTERPRISE, frozenset({Role.MEMBER, Role.SIGNATORY}), _("enterprise: asks, signs, computes")),
    Post("rival", "另一家示例企业", "Another Enterprise (demo)", OrganizationKind.ENTERPRISE, frozenset({Role.MEMBER, Role.SIGNATORY}), _("another enterprise: sees nothing of the first")),
    Post("auditor", "示例会计师事务所", "Auditing Body (demo)", OrganizationKind.AUDITOR, frozenset({Role.MEMBER, Role.AUDITOR}), _("auditor: reads and verifies the log")),
)  # fmt: skip

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
            organization, made = Organization.objects.get_or_create(
                name=post.organization, defaults={"name_en": post.organization_en, "kind": post.kind}
            )
            if made:
                create_key(organization, actor=SYSTEM)
            staff = bool(post.roles & {Role.STEWARD, Role.ADMINISTRATOR})
            user = User.objects.create_user(
                post.username, password=password, full_name=post.username.capitalize(), organization=organization, is_staff=staff
            )
            Membership.objects.bulk_create(Membership(user=user, role=role) for role in sorted(post.roles))
            user.groups.add(organization.group)
    path = logins_file()
    path.touch(mode=0o600)
    path.write_text(json.dumps({"password": password}), encoding="utf-8")


def demo_password() -> str | None:
    """None where this installation was not seeded for demonstration."""
    path = logins_file()
    return str(json.loads(path.read_text(encoding="utf-8"))["password"]) if path.exists() else None
