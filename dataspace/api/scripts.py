"""Reviewed scripts and reviews of results: their shapes and doors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from contracts.selectors import get_contract
from dataspace.api.computing import RunOut
from dataspace.api.doors import Door, ListDoor
from parties.roles import OrganizationKind
from sandbox import selectors as sandbox
from sandbox.models import Script, ScriptReview
from sandbox.scripts.states import ScriptState, Verdict
from sandbox.services.reviews import review_run, review_script
from sandbox.services.scripts import submit_script, withdraw_script


class ScriptFilters(s.Serializer[Any]):
    state = s.ChoiceField(required=False, choices=ScriptState.choices)


class ScriptIn(s.Serializer[Any]):
    title = s.CharField(max_length=120)
    dataset = s.CharField(max_length=63, help_text="Its name in the contract.")
    source = s.CharField(  # type: ignore[assignment]  # the API's word
        trim_whitespace=False,
        help_text="Python that reads `extracts[dataset]`, a pyarrow Dataset, and calls `emit(table)` once.",
    )


class ReviewIn(s.Serializer[Any]):
    verdict = s.ChoiceField(choices=Verdict.choices)
    note = s.CharField(max_length=2000)


class ReviewOut(s.ModelSerializer[ScriptReview]):
    organization = s.CharField(source="organization.name")
    note = s.SerializerMethodField(help_text="For the enterprise and the reviewers' side; null for others.")

    class Meta:
        model = ScriptReview
        fields = ("organization", "verdict", "note", "given")

    def get_note(self, review: ScriptReview) -> str | None:
        actor = self.context["actor"]
        overseer = actor.kind in (OrganizationKind.BUREAU, OrganizationKind.OPERATOR)
        return review.note if overseer or actor.acts_for(review.script.contract.enterprise) else None


class ScriptOut(s.ModelSerializer[Script]):
    contract = s.UUIDField(source="contract.uid")
    failure_text = s.CharField(source="get_failure_display")

    class Meta:
        model = Script
        fields = (
            "uid", "title", "contract", "dataset", "state", "state_since", "submitted", "digest", "failure",
            "failure_text",
        )  # fmt: skip


class ScriptReadsOut(s.Serializer[Any]):
    """The extract it reads, frozen when it was submitted."""

    dataset = s.UUIDField(source="dataset_uid")
    version = s.IntegerField(source="number")
    sha256 = s.CharField()


class ScriptDetailOut(ScriptOut):
    source = s.SerializerMethodField(  # type: ignore[assignment]  # the API's word
        help_text="For the enterprise and reviewers; null for others. `digest` is over its UTF-8."
    )
    reads = s.SerializerMethodField()
    reviews = ReviewOut(many=True)

    class Meta(ScriptOut.Meta):
        fields = (*ScriptOut.Meta.fields, "source", "reads", "reviews")  # type: ignore[assignment]

    def get_source(self, script: Script) -> str | None:
        return script.source if sandbox.reads_source(self.context["actor"], script) else None

    @extend_schema_field(ScriptReadsOut)
    def get_reads(self, script: Script) -> dict[str, Any]:
        return dict(ScriptReadsOut(script.extract).data)


class ContractScripts(ListDoor):
    @extend_schema(
        operation_id="contracts_scripts_list", parameters=[ScriptFilters], responses=ScriptOut(many=True)
    )
    def get(self, request: Request, uid: UUID) -> Response:
        """Newest first."""
        contract = get_contract(self.actor, uid)
        chosen = self.filters(ScriptFilters)
        rows = sandbox.visible_scripts(self.actor).filter(contract=contract, **chosen)
        return self.page(ScriptOut, rows.defer("source", "contract__document"))

    @extend_schema(request=ScriptIn, responses={201: ScriptDetailOut})
    def post(self, request: Request, uid: UUID) -> Response:
        """Submit one for review. Refused with `line` and `column` where it is no Python."""
        contract = get_contract(self.actor, uid)
        data = self.read(ScriptIn, request.data)
        return self.one(
            ScriptDetailOut, submit_script(actor=self.actor, contract=contract, **data), status=201
        )


class ScriptDetail(Door):
    @extend_schema(responses=ScriptDetailOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.one(ScriptDetailOut, sandbox.get_script(self.actor, uid))


class ScriptWithdrawal(Door):
    @extend_schema(request=None, responses=ScriptDetailOut)
    def post(self, request: Request, uid: UUID) -> Response:
        """Before it has run."""
        script = sandbox.get_script(self.actor, uid)
        return self.one(ScriptDetailOut, withdraw_script(actor=self.actor, script=script))


class ScriptReviews(Door):
    @extend_schema(request=ReviewIn, responses=ScriptDetailOut)
    def post(self, request: Request, uid: UUID) -> Response:
        """For reviewers. One refusal refuses it; approved by two, it is run."""
        script = sandbox.get_script(self.actor, uid)
        data = self.read(ReviewIn, request.data)
        return self.one(ScriptDetailOut, review_script(actor=self.actor, script=script, **data))


class RunReviews(Door):
    @extend_schema(request=ReviewIn, responses=RunOut)
    def post(self, request: Request, uid: UUID) -> Response:
        """For reviewers, of a run in state `in_review`: approved by two, its table leaves; one refusal ends it."""
        run = sandbox.get_run(self.actor, uid)
        data = self.read(ReviewIn, request.data)
        return self.one(RunOut, review_run(actor=self.actor, run=run, **data))
