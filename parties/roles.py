"""Who may be what: kinds of organizations, and roles a person holds in one. The room's words."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class OrganizationKind(models.TextChoices):
    PROVIDER = "provider", _("data provider")  # 供数单位
    ENTERPRISE = "enterprise", _("enterprise")  # 数据企业
    BUREAU = "bureau", _("data bureau")  # 数据局
    OPERATOR = "operator", _("operator")  # 运营机构
    AUDITOR = "auditor", _("auditing body")  # 第三方审计


class Role(models.TextChoices):
    MEMBER = (
        "member",
        _("member"),
    )  # reads what the organization may read; an enterprise's member asks and computes
    STEWARD = "steward", _("data steward")  # describes and publishes the provider's datasets
    APPROVER = "approver", _("approver")  # decides requests for the organization
    SIGNATORY = "signatory", _("signatory")  # signs, suspends, resumes and terminates contracts
    REVIEWER = "reviewer", _("reviewer")  # checks what leaves
    AUDITOR = (
        "auditor",
        _("auditor"),
    )  # reads the log: an auditing body's all of it, others what concerns their own
    ADMINISTRATOR = "administrator", _("administrator")  # manages organizations, accounts and their roles


# Which roles make sense where; a membership outside this table is refused by the database as well.
ROLES_OF: dict[str, frozenset[str]] = {
    OrganizationKind.PROVIDER: frozenset(
        {Role.MEMBER, Role.STEWARD, Role.APPROVER, Role.SIGNATORY, Role.AUDITOR}
    ),
    OrganizationKind.ENTERPRISE: frozenset({Role.MEMBER, Role.SIGNATORY, Role.AUDITOR}),
    OrganizationKind.BUREAU: frozenset(
        {Role.MEMBER, Role.APPROVER, Role.SIGNATORY, Role.REVIEWER, Role.ADMINISTRATOR}
    ),
    OrganizationKind.OPERATOR: frozenset({Role.MEMBER, Role.REVIEWER, Role.AUDITOR}),
    OrganizationKind.AUDITOR: frozenset({Role.MEMBER, Role.AUDITOR}),
}
