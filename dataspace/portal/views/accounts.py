"""Log in, change one's password. Each is on record; name typed and address are personal fields of the entry."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, PasswordChangeView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import record_refusal
from dataspace.portal import attempts
from parties.actors import NOBODY, actor_for
from parties.models import User


class LoginForm(AuthenticationForm):
    """Name and password. Each attempt takes a place before the password is looked at."""

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password") or self.request is None:
            return super().clean()
        try:
            attempt = attempts.begin(self.request, name)
        except Refused as refused:
            record_refusal("account.login", actor=NOBODY, about=None, refused=refused)
            raise ValidationError(refused.reason, code=refused.code) from refused
        try:
            cleaned = super().clean()
        except ValidationError:
            _record_failure(self.request, name)
            raise
        attempt.forgive()
        return cleaned


class Login(LoginView):
    """GET shows the form, POST logs in and goes on to `next`. Refused too often: 429."""

    form_class = LoginForm
    template_name = "portal/login.html"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        with transaction.atomic():
            record(Event.LOGIN, actor=actor_for(user), about=user, personal=attempts.seen(self.request))
            return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        if form.has_error("__all__", "account.slowed"):
            response.status_code = 429
            response["Retry-After"] = str(attempts.WINDOW)
        return response


class PasswordChange(PasswordChangeView):
    """GET shows the form; POST sets the new password, logs the account's other sessions out and goes home."""

    template_name = "portal/password.html"
    success_url = reverse_lazy("portal:home")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        with transaction.atomic():
            user = form.user
            user.new_event()
            record(Event.ACCOUNT_CHANGED, actor=actor_for(user), about=user, fields=["password"])
            response = super().form_valid(form)
        messages.success(self.request, _("Your password is changed. Your other log-ins have ended."))
        return response


def _record_failure(request: HttpRequest, name: str) -> None:
    with transaction.atomic():
        record(
            Event.LOGIN_FAILED,
            actor=NOBODY,
            about="account:-",
            outcome="refused",
            personal=attempts.typed(request, name),
        )
