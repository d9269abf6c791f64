"""Log-in by token (knox): hashed at rest, expiring after ten hours, several per account.

Guessing is slowed down together with that at the portal's log-in: the same places, the same entries in the log.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.db import transaction
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit.events import Event
from audit.recorder import record
from audit.refusals import Refused
from audit.use_case import record_refusal
from dataspace.api import serializers as shapes
from dataspace.api.doors import Door
from dataspace.portal import attempts
from parties.actors import NOBODY, actor_for
from parties.models import User


class Token(Door):
    permission_classes = (AllowAny,)
    authentication_classes = ()

    @extend_schema(
        operation_id="token_issue", request=shapes.LoginIn, responses={201: shapes.LoginOut}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Log in with name and password. Send the token with each request: `Authorization: Token …`."""
        data = self.read(shapes.LoginIn, request.data)
        user = _authenticated(request, **data)
        with transaction.atomic():
            instance, token = AuthToken.objects.create(user)
            record(Event.TOKEN_ISSUED, actor=actor_for(user), about=user, personal=attempts.seen(request))
        return Response({"token": token, "expires": instance.expiry}, status=201)

    def get_authenticate_header(self, request: Any) -> str:
        return "Token"  # makes a wrong password a 401


def _authenticated(request: Request, username: str, password: str) -> User:
    try:
        attempt = attempts.begin(request, username)
    except Refused as refused:
        record_refusal("account.login", actor=NOBODY, about=None, refused=refused)
        raise
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        with transaction.atomic():
            record(
                Event.LOGIN_FAILED, actor=NOBODY, about="account:-", outcome="refused",
                personal=attempts.typed(request, username),
            )  # fmt: skip
        raise AuthenticationFailed
    attempt.forgive()
    return user
