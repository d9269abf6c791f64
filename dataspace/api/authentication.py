"""Who calls: an API token, or the browser's session (with its CSRF token for whatever changes something)."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

TOKEN = re.compile(rb"[!-~]{16,200}")


class ApiToken(TokenAuthentication):  # type: ignore[misc]  # knox is untyped
    """`Authorization: Token …`. What cannot be a token is refused before the database is asked."""

    def authenticate_credentials(self, token: bytes) -> Any:
        if TOKEN.fullmatch(token) is None:
            raise AuthenticationFailed
        return super().authenticate_credentials(token)


class ApiTokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]  # drf-spectacular is untyped
    """How the OpenAPI document describes it."""

    target_class = "dataspace.api.authentication.ApiToken"
    name = "token"
