"""Organizations, accounts, memberships, signing keys.

One account acts for one organization: a person who works for two has two accounts, so that every entry of the
log says for whom it was done.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser, Group
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorded import Recorded
from parties.roles import OrganizationKind, Role


class Organization(Recorded):
    KIND = "organization"
    EVENTS = {"": frozenset({Event.ORGANIZATION_CREATED, Event.ORGANIZATION_CHANGED})}

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=12, choices=OrganizationKind)
    credit_code = models.CharField(
        _("unified social credit code"), max_length=18, blank=True,
        validators=[RegexValidator(r"^[0-9A-HJ-NPQRTUWXY]{18}$", _("18 characters, as in GB 32100"))],
    )  # fmt: skip
    active = models.BooleanField(_("active"), default=True)
    created = models.DateTimeField(auto_now_add=True)
    # django-guardian grants to groups: every organization has exactly one, its members are in it.
    group = models.OneToOneField(Group, on_delete=models.PROTECT, editable=False, related_name="organization")

    class Meta:
        ordering = ["name"]
        verbose_name = _("organization")
        verbose_name_plural = _("organizations")

    def __str__(self) -> str:
        return self.name

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return (str(self.uid),)

    @property
    def iri(self) -> str:
        """How contracts name it (ODRL wants IRIs)."""
        return f"urn:uuid:{self.uid}"

    def save(self, *args: object, **kwargs: object) -> None:
        if not self.group_id:
            self.group = Group.objects.create(name=f"organization {self.uid}")
        super().save(*args, **kwargs)  # type: ignore[arg-type]  # Django's own signature


class User(Recorded, AbstractUser):
    """An account. `uid` is what the log holds; names stay here. Its roles are part of it."""

    KIND = "account"
    EVENTS = {"": frozenset({Event.ACCOUNT_CREATED, Event.ACCOUNT_CHANGED, Event.ROLES_CHANGED})}

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    full_name = models.CharField(_("full name"), max_length=60, blank=True)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("organization"),
        related_name="accounts",
    )

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")

    def __str__(self) -> str:
        return self.full_name or self.username

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.organization.audit_parties if self.organization else ()


class Membership(models.Model):
    """One role of one account in its organization."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("account")
    )
    role = models.CharField(_("role"), max_length=15, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="membership_once")]
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}"


class SigningKey(Recorded):
    """An organization's key. The private half is encrypted at rest (Fernet under KEY_ENCRYPTION_KEYS)."""

    KIND = "key"
    EVENTS = {"": frozenset({Event.KEY_CREATED})}
    ABOUT = ("organization", "organization__uid")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="signing_keys")
    algorithm = models.CharField(max_length=20, default="ed25519")
    public = models.BinaryField()  # raw 32 bytes (RFC 8032)
    sealed_private = models.BinaryField()
    created = models.DateTimeField(auto_now_add=True)
    retired = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"],
                condition=models.Q(retired=None),
                name="one_key_in_use_per_organization",
            )
        ]

    def __str__(self) -> str:
        return f"{self.algorithm}:{bytes(self.public).hex()[:16]}"

    @property
    def audit_parties(self) -> tuple[str, ...]:
        return self.organization.audit_parties
