"""Log-in by token (knox): hashed at rest, expiring after ten hours, several per account."""

from __future__ import annotations

import hashlib

from django.contrib.auth import authenticate
from django.db import transaction
from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle

from audit.events import Event
from audit.recorder import record
from dataspace.api import serializers as shapes
from dataspace.api.doors import Door
from parties.actors import NOBODY, actor_for
from parties.models import User


class Token(Door):
    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "token"

    @extend_schema(request=shapes.LoginIn, responses=shapes.LoginOut, auth=[])
    def post(self, request: Request) -> Response:
        data = self.read(shapes.LoginIn, request)
        user = authenticate(request, username=data["username"], password=data["password"])
        with transaction.atomic():
            if not isinstance(user, User):
                digest = hashlib.sha256(data["username"].encode()).hexdigest()
                record(
                    Event.LOGIN_FAILED, actor=NOBODY, about="account:-", outcome="refused", name_digest=digest
                )
            else:
                instance, token = AuthToken.objects.create(user)
                record(Event.TOKEN_ISSUED, actor=actor_for(user), about=user.audit_ref)
        if not isinstance(user, User):
            raise AuthenticationFailed
        return Response({"token": token, "expires": instance.expiry})
