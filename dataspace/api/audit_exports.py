"""Copies of the log and of what opens its personal fields, in the forms that `python -m audit.verifier` reads."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from audit import openings
from audit.services import record_export
from dataspace import exports
from dataspace.api.audit import checked
from dataspace.api.doors import Door
from parties.permissions import (
    check_can_open,
    check_can_read_log,
    check_reads_whole_log,
    reads_whole_log,
)


class _Copy(Door):
    """A form of `dataspace.exports`; whoever tries and may not is on record."""

    def taken(self, form: exports.Form) -> StreamingHttpResponse:
        own = form is exports.OWN
        checked(check_can_read_log if own else check_reads_whole_log, self.actor, "log.export")
        _form, pieces = exports.take(self.actor, form.value)
        response = StreamingHttpResponse(pieces, content_type=form.content_type)
        response["Content-Disposition"] = f'attachment; filename="{form.name}"'
        return response


class Export(_Copy):
    @extend_schema(operation_id="audit_export", responses={(200, "application/jsonl"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Every entry's hashed bytes, one a line, the head, the newest checkpoint."""
        return self.taken(exports.LINES)


class ExportFolder(_Copy):
    @extend_schema(
        operation_id="audit_export_folder", responses={(200, "application/x-tar"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The published log as a folder of static files in a tar archive, entries included."""
        return self.taken(exports.FOLDER)


class ExportOwn(_Copy):
    @extend_schema(operation_id="audit_export_own", responses={(200, "application/jsonl"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        """The entries that concern the own organization, each with its proof in the newest checkpoint."""
        return self.taken(exports.OWN)


class OpeningsFilters(serializers.Serializer[Any]):
    withheld = serializers.BooleanField(
        required=False, default=False, help_text="Only that there is a value, not which."
    )


class Openings(Door):
    @extend_schema(
        operation_id="audit_openings",
        parameters=[OpeningsFilters],
        responses={(200, "application/jsonl"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """What opens the personal fields of the log, one a line; not part of any export of the log."""
        withheld: bool = self.read(OpeningsFilters, request.query_params)["withheld"]
        checked(check_can_read_log if withheld else check_can_open, self.actor, "log.openings")
        scope = "" if reads_whole_log(self.actor) else self.actor.organization_uid
        record_export(actor=self.actor, scope=scope, openings="withheld" if withheld else "opened")
        lines = openings.lines(opened=not withheld, organization=scope)
        response = StreamingHttpResponse(lines, content_type="application/jsonl")
        response["Content-Disposition"] = 'attachment; filename="openings.jsonl"'
        return response
