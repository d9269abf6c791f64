"""The log for auditors: its entries. For everyone: its checkpoint and proofs. Whole copies: audit_exports.py."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit.erasure import Basis
from audit.models import Entry
from audit.refusals import Refused
from audit.transparency import proofs
from audit.use_case import record_refusal
from audit.verifier.note import Checkpoint
from dataspace.api.doors import Door, ListDoor
from parties.actors import Actor
from parties.permissions import (
    check_can_read_log,
    readable_entries,
)
from parties.services import erase_personal

_MOST = 2**63 - 1


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


class Base64(serializers.CharField):
    """Bytes, as base64 with padding."""

    def to_representation(self, value: Any) -> str:
        return base64.b64encode(value).decode()


class CheckpointOut(serializers.Serializer[Any]):
    origin = serializers.CharField()
    size = serializers.IntegerField(help_text="Entries it covers.")
    root = Base64()  # type: ignore[assignment]  # a field, which DRF takes out of the class
    note = serializers.SerializerMethodField(help_text="The signed note, as /log/checkpoint serves it.")

    def get_note(self, checkpoint: Checkpoint) -> str:
        return checkpoint.raw.decode()


class InclusionFilters(serializers.Serializer[Any]):
    index = serializers.IntegerField(min_value=0, max_value=_MOST, help_text="`_seq` of the entry.")
    size = serializers.IntegerField(
        min_value=1, max_value=_MOST, required=False, help_text="Of the tree; by default the published one."
    )


class InclusionOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    size = serializers.IntegerField()
    leaf = Base64()
    root = Base64()  # type: ignore[assignment]  # a field, which DRF takes out of the class
    proof = serializers.ListField(child=Base64(), help_text="PATH of RFC 6962, from the leaf's sibling up.")


class ConsistencyFilters(serializers.Serializer[Any]):
    first = serializers.IntegerField(min_value=0, max_value=_MOST)
    second = serializers.IntegerField(
        min_value=0, max_value=_MOST, required=False, help_text="By default that of the published tree."
    )


class ConsistencyOut(serializers.Serializer[Any]):
    first = serializers.IntegerField()
    second = serializers.IntegerField()
    first_root = Base64()
    second_root = Base64()
    proof = serializers.ListField(child=Base64(), help_text="PROOF of RFC 6962; empty if `first` is 0.")


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


class ErasureIn(serializers.Serializer[Any]):
    """Entries by their ids, or all that an account left; of both together what is named."""

    event_ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=10_000, default=list
    )
    account = serializers.UUIDField(required=False, allow_null=True, default=None)
    fields = serializers.ListField(child=serializers.CharField(max_length=32), max_length=20)  # type: ignore[assignment]  # the API's word
    basis = serializers.ChoiceField(Basis.choices)


class ErasureOut(serializers.Serializer[Any]):
    erased = serializers.IntegerField(help_text="How many values were erased.")


class Erasures(Door):
    @extend_schema(operation_id="audit_erase", request=ErasureIn, responses={201: ErasureOut})
    def post(self, request: Request) -> Response:
        """Erase personal fields: value and salt are deleted, the entries stay as they are, and one more says so."""
        said = self.read(ErasureIn, request.data)
        return self.one(ErasureOut, {"erased": erase_personal(actor=self.actor, **said)}, status=201)


class EntryProof(Door):
    @extend_schema(operation_id="audit_entry_proof", responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: Request, seq: int) -> HttpResponse:
        """That the entry stands in the published log, as c2sp.org/tlog-proof@v1: inclusion proof and checkpoint."""
        checked(check_can_read_log, self.actor, "log.read")
        if not readable_entries(self.actor).filter(seq=seq).exists():
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="{seq}.tlog-proof"'}
        return HttpResponse(
            proofs.View().tlog_proof(seq), content_type="text/plain; charset=utf-8", headers=headers
        )


class PublishedCheckpoint(Door):
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="audit_checkpoint", responses=CheckpointOut)
    def get(self, request: Request) -> Response:
        """The newest published checkpoint. Every answer of the API carries it too, in `X-Audit-Checkpoint`."""
        return self.one(CheckpointOut, proofs.published())


class InclusionProof(Door):
    permission_classes = (AllowAny,)

    @extend_schema(operation_id="audit_inclusion", parameters=[InclusionFilters], responses=InclusionOut)
    def get(self, request: Request) -> Response:
        """That the entry with this number stands in the tree of that many entries (RFC 6962 §2.1.1)."""
        asked = self.read(InclusionFilters, request.query_params)
        return self.one(InclusionOut, proofs.View().inclusion(**asked))


class ConsistencyProof(Door):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="audit_consistency", parameters=[ConsistencyFilters], responses=ConsistencyOut
    )
    def get(self, request: Request) -> Response:
        """That the tree of `second` entries begins with that of `first` (RFC 6962 §2.1.2)."""
        asked = self.read(ConsistencyFilters, request.query_params)
        return self.one(ConsistencyOut, proofs.View().consistency(**asked))
