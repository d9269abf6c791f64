"""The log for auditors: entries, and the export that `python -m audit.verifier` reads."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import export
from audit.models import Entry
from audit.services import record_export
from dataspace.api.doors import Door
from parties.roles import OrganizationKind, Role


class EntryOut(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    leaf = serializers.CharField(source="leaf_hex")
    body = serializers.SerializerMethodField(help_text="The hashed bytes: leaf = SHA-256(0x00 || body).")

    def get_body(self, entry: Entry) -> str:
        return bytes(entry.body).decode()


class Entries(Door):
    @extend_schema(operation_id="audit_entries", responses=EntryOut(many=True))
    def get(self, request: Request) -> Response:
        self.actor.require(Role.AUDITOR, OrganizationKind.AUDITOR)
        return self.page(EntryOut, Entry.objects.order_by("-seq"))


class Export(Door):
    @extend_schema(responses={200: OpenApiTypes.BINARY})
    def get(self, request: Request) -> StreamingHttpResponse:
        self.actor.require(Role.AUDITOR, OrganizationKind.AUDITOR)
        record_export(actor=self.actor)
        response = StreamingHttpResponse(export.lines(), content_type="application/jsonl")
        response["Content-Disposition"] = 'attachment; filename="audit-log.jsonl"'
        return response
