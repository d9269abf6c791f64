"""The log for auditors: entries, and the export that `python -m audit.verifier` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import export
from audit.models import Entry
from audit.refusals import Refused
from audit.services import record_export
from audit.use_case import record_refusal
from dataspace.api.doors import Door, ListDoor
from parties.actors import Actor
from parties.permissions import check_can_read_log, check_reads_whole_log, readable_entries


class EntryFilters(serializers.Serializer[Any]):
    """Exact values of an entry's fields; `obj` is `kind:uid`."""

    act = serializers.CharField(required=False, max_length=40)
    actor = serializers.CharField(required=False, max_length=40)
    org = serializers.CharField(required=False, max_length=40)
    obj = serializers.CharField(required=False, max_length=80)


class EntryOut(serializers.Serializer[Any]):
    seq = serializers.IntegerField()
    leaf = serializers.CharField(source="leaf_hex")
    body = serializers.SerializerMethodField(help_text="The hashed bytes: leaf = SHA-256(0x00 || body).")

    def get_body(self, entry: Entry) -> str:
        return bytes(entry.body).decode()


def checked(check: Callable[[Actor], None], actor: Actor, what: str) -> None:
    """Who tries to read the log and may not is on record there."""
    try:
        check(actor)
    except Refused as refused:
        record_refusal(what, actor=actor, about=None, refused=refused)
        raise


class Entries(ListDoor):
    @extend_schema(operation_id="audit_entries", parameters=[EntryFilters], responses=EntryOut(many=True))
    def get(self, request: Request) -> Response:
        """Sealed entries, newest first: all of them, or for an organization's own auditor those that concern it."""
        checked(check_can_read_log, self.actor, "log.read")
        filters = self.filters(EntryFilters)
        return self.page(EntryOut, readable_entries(self.actor).filter(**filters).order_by("-seq"))


class Export(Door):
    @extend_schema(operation_id="audit_export", responses={(200, "application/jsonl"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every entry's hashed bytes, one a line, and the head: what `python -m audit.verifier` reads."""
        checked(check_reads_whole_log, self.actor, "log.export")
        record_export(actor=self.actor)
        response = StreamingHttpResponse(export.lines(), content_type="application/jsonl")
        response["Content-Disposition"] = 'attachment; filename="audit-log.jsonl"'
        return response
