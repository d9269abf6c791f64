"""The OpenAPI document, and the page that shows it: no inline script or style, nothing from another host."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from dataspace.api.errors import CONTENT_TYPE


class Problem(serializers.Serializer[Any]):
    """Why not (RFC 9457). Further members say where: `line`, `column` and `problems` of SQL, `fields` of a body."""

    type = serializers.CharField(help_text="urn:dataspace:problem:<code>")
    title = serializers.CharField(help_text="The code; it never changes.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="The reason, in the language of the request.")


class DoorSchema(AutoSchema):
    """Each operation may answer with a problem."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            problem = self.resolve_serializer(Problem, "response").ref
            operation["responses"]["default"] = {
                "description": "Refused.", "content": {CONTENT_TYPE: {"schema": problem}}
            }  # fmt: skip
        return operation


class Document(SpectacularAPIView):
    """OpenAPI 3 as YAML, or as JSON by `Accept: application/vnd.oai.openapi+json`."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The language is the request's; a `?lang=` of any text would fill the cache of translations."""
        response: Response = self._get_schema_response(request)  # type: ignore[no-untyped-call]
        return response

    def _get_version_parameter(self, request: Request) -> str | None:
        return None


class Docs(SpectacularSwaggerSplitView):
    template_name = "api/docs.html"
    url_name = "api:schema"
