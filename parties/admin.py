"""Organizations, accounts and roles, for the bureau's administrators. Signing keys are made here and never shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from audit.events import Event
from audit.recorder import record
from parties.actors import actor_for
from parties.admission import touch
from parties.keys import create_key
from parties.models import Membership, Organization, User
from parties.roles import ROLES_OF, OrganizationKind, Role

admin.site.unregister(AuthToken)  # a token made here would leave no entry in the log
admin.site.unregister(Group)  # groups mirror organizations; nobody edits them by hand


class ForAdministrators(admin.ModelAdmin[Any]):
    """Open to the bureau's administrators, by role; nothing is ever deleted, only made inactive."""

    def _may(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser) or actor_for(request.user).holds(
            Role.ADMINISTRATOR, OrganizationKind.BUREAU
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Others find nothing: Django's history page would tell them which keys exist (P6)."""
        rows = super().get_queryset(request)
        return rows if self._may(request) else rows.none()


@admin.register(Organization)
class OrganizationAdmin(ForAdministrators):
    """Django's change form runs in one transaction: the row and its entry are written together (P3)."""

    list_display = ("name", "kind", "credit_code", "active", "has_key")
    list_filter = ("kind", "active")
    search_fields = ("name", "credit_code")
    actions = ("make_key",)

    def save_model(self, request: HttpRequest, obj: Organization, form: Any, change: bool) -> None:  # noqa: FBT001
        if change and form.changed_data:
            obj.new_event()
        super().save_model(request, obj, form, change)
        actor = actor_for(request.user)
        if not change:
            record(Event.ORGANIZATION_CREATED, actor=actor, about=obj, kind=str(obj.kind))
        elif form.changed_data:
            record(Event.ORGANIZATION_CHANGED, actor=actor, about=obj, fields=sorted(form.changed_data))

    @admin.display(description=_("signing key"), boolean=True)
    def has_key(self, organization: Organization) -> bool:
        return organization.signing_keys.filter(retired=None).exists()

    @admin.action(description=_("Make a signing key for organizations that have none"))
    def make_key(self, request: HttpRequest, queryset: QuerySet[Organization]) -> None:
        for organization in queryset:
            if self.has_key(organization):
                messages.info(request, _("%(name)s has a key already.") % {"name": organization})
                continue
            with transaction.atomic():
                create_key(organization, actor=actor_for(request.user))
            messages.success(request, _("A key was made for %(name)s.") % {"name": organization})


class MembershipForm(forms.ModelForm[Membership]):
    class Meta:
        model = Membership
        fields = ("user", "role")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        user, role = data.get("user") or self.instance.user, data.get("role")
        organization = user.organization if user else None
        if organization is None or role not in ROLES_OF[organization.kind]:
            raise ValidationError(
                _("This role does not exist in an organization of this kind. Save the organization first.")
            )
        return data


class MembershipInline(admin.TabularInline[Membership, User]):
    model = Membership
    form = MembershipForm
    extra = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


@admin.register(User)
class AccountAdmin(ForAdministrators, UserAdmin[User]):
    list_display = ("username", "full_name", "organization", "is_active", "last_login")
    list_filter = ("organization", "is_active")
    search_fields = ("username", "full_name")
    filter_horizontal = ()
    inlines = (MembershipInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("full_name", "email", "organization")}),
        (_("Access"), {"fields": ("is_active", "is_staff")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "full_name", "organization", "password1", "password2"),
            },
        ),
    )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        if change and form.changed_data:
            obj.new_event()
        super().save_model(request, obj, form, change)
        obj.groups.set([obj.organization.group] if obj.organization else [])
        actor = actor_for(request.user)
        if not change:
            organization = obj.organization.audit_ref if obj.organization else ""
            record(Event.ACCOUNT_CREATED, actor=actor, about=obj, organization=organization)
        elif form.changed_data:
            record(Event.ACCOUNT_CHANGED, actor=actor, about=obj, fields=sorted(form.changed_data))

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Another account's password is set: Django says so in its own log only."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
            changed = User.objects.get(pk=id)
            touch(changed)
            record(
                Event.ACCOUNT_CHANGED,
                actor=actor_for(request.user),
                about=changed,
                fields=["password"],
            )
        return response

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        if any(formset.has_changed() for formset in formsets):
            roles = sorted(form.instance.memberships.values_list("role", flat=True))
            touch(form.instance)
            record(Event.ROLES_CHANGED, actor=actor_for(request.user), about=form.instance, roles=roles)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("organization")
