"""Calls to the API as a client makes them; every answer must be one that the OpenAPI document describes."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema
from django.http import StreamingHttpResponse
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from knox.models import AuthToken

from parties.models import User

PROBLEM = "application/problem+json"


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.0 document, with `nullable` spelled as JSON Schema spells it."""
    made = SchemaGenerator().get_schema(request=None, public=True)
    plain: dict[str, Any] = json.loads(json.dumps(made, default=str), object_hook=_nullable)
    return plain


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [node, {"type": "null"}]} if node.pop("nullable", None) is True else node


class Caller:
    """One account with an API token; `user` None calls without."""

    def __init__(self, user: User | None, **headers: str) -> None:
        self.client = Client(headers=headers, raise_request_exception=True)
        if user is not None:
            self.client.defaults["HTTP_AUTHORIZATION"] = f"Token {AuthToken.objects.create(user)[1]}"

    def get(self, path: str, **params: Any) -> Any:
        return described(self.client.get(f"/api/{path}", params))

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return described(
            self.client.post(f"/api/{path}", body if body is not None else {}, "application/json", **more)
        )

    def delete(self, path: str) -> Any:
        return described(self.client.delete(f"/api/{path}"))


def described(response: Any) -> Any:
    """`response`, once it was held against the document."""
    route = response.resolver_match.route
    if response.resolver_match.url_name == "nothing" or response.status_code >= 400:
        assert_problem(response)
        return response
    path = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route)
    operation = document()["paths"][path][response.request["REQUEST_METHOD"].lower()]
    declared = operation["responses"][str(response.status_code)]["content"]
    kind = response.headers["Content-Type"].partition(";")[0]
    assert kind in declared, f"{path} answers {kind}"
    if kind == "application/json" and not isinstance(response, StreamingHttpResponse):
        _validate(json.loads(response.content), declared[kind]["schema"])
    return response


def assert_problem(response: Any) -> None:
    """RFC 9457, with our code as type and title."""
    assert response.headers["Content-Type"] == PROBLEM, response.content[:300]
    body = json.loads(response.content)
    _validate(body, {"$ref": "#/components/schemas/Problem"})
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:dataspace:problem:{body['title']}"
    assert body["detail"]


def _validate(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(
        value, {**schema, "components": document()["components"]}, format_checker=jsonschema.FormatChecker()
    )
