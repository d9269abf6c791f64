"""The same steps, services and refusals as in the portal. A door parses, fetches with a check, calls one service."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import selectors as catalog
from contracts import selectors as contracts
from contracts.services import requests as request_services
from contracts.services import signing
from contracts.services.requests import Wish
from dataspace.api import serializers as shapes
from dataspace.api.doors import Door
from sandbox import selectors as sandbox
from sandbox.services.download import download
from sandbox.services.preview import preview
from sandbox.services.submit import Question, cancel, submit


class Datasets(Door):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="datasets_search", parameters=[OpenApiParameter("q", str), OpenApiParameter("theme", str)],
        responses=shapes.DatasetOut(many=True),
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        filters = catalog.Filters(theme=request.query_params.get("theme", ""))
        return self.page(
            shapes.DatasetOut, catalog.search(self.actor, request.query_params.get("q", ""), filters)
        )


class DatasetDetail(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=shapes.DatasetDetailOut)
    def get(self, request: Request, name: str) -> Response:
        return self.one(shapes.DatasetDetailOut, catalog.get_dataset(self.actor, name))


class Requests(Door):
    @extend_schema(operation_id="requests_list", responses=shapes.RequestOut(many=True))
    def get(self, request: Request) -> Response:
        return self.page(shapes.RequestOut, contracts.visible_requests(self.actor))

    @extend_schema(request=shapes.RequestIn, responses={201: shapes.RequestOut})
    def post(self, request: Request) -> Response:
        data = self.read(shapes.RequestIn, request)
        wishes = [
            Wish(catalog.get_dataset(self.actor, w["dataset"]), w["columns"]) for w in data.pop("datasets")
        ]
        filed = request_services.file_request(actor=self.actor, wishes=wishes, **data)
        return self.one(shapes.RequestOut, filed, status=201)


class RequestDetail(Door):
    @extend_schema(responses=shapes.RequestOut)
    def get(self, request: Request, uid: str) -> Response:
        return self.one(shapes.RequestOut, contracts.get_request(self.actor, uid))


class RequestDecision(Door):
    @extend_schema(request=shapes.DecisionIn, responses=shapes.RequestOut)
    def post(self, request: Request, uid: str) -> Response:
        asked = contracts.get_request(self.actor, uid)
        data = self.read(shapes.DecisionIn, request)
        return self.one(
            shapes.RequestOut, request_services.decide_request(actor=self.actor, request=asked, **data)
        )


class RequestWithdrawal(Door):
    @extend_schema(request=None, responses=shapes.RequestOut)
    def post(self, request: Request, uid: str) -> Response:
        asked = contracts.get_request(self.actor, uid)
        return self.one(shapes.RequestOut, request_services.withdraw_request(actor=self.actor, request=asked))


class Contracts(Door):
    @extend_schema(operation_id="contracts_list", responses=shapes.ContractOut(many=True))
    def get(self, request: Request) -> Response:
        return self.page(shapes.ContractOut, contracts.visible_contracts(self.actor))


class ContractDetail(Door):
    @extend_schema(responses=shapes.ContractDetailOut)
    def get(self, request: Request, uid: str) -> Response:
        return self.one(shapes.ContractDetailOut, contracts.get_contract(self.actor, uid))


class ContractSignature(Door):
    @extend_schema(request=shapes.SignatureIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: str) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        digest = self.read(shapes.SignatureIn, request)["digest"]
        return self.one(
            shapes.ContractOut, signing.sign_contract(actor=self.actor, contract=contract, digest=digest)
        )


class ContractSuspension(Door):
    @extend_schema(request=shapes.ReasonIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: str) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        reason = self.read(shapes.ReasonIn, request)["reason"]
        return self.one(
            shapes.ContractOut, signing.suspend_contract(actor=self.actor, contract=contract, reason=reason)
        )

    @extend_schema(request=None, responses=shapes.ContractOut)
    def delete(self, request: Request, uid: str) -> Response:
        """Resume."""
        contract = contracts.get_contract(self.actor, uid)
        return self.one(shapes.ContractOut, signing.resume_contract(actor=self.actor, contract=contract))


class ContractTermination(Door):
    @extend_schema(request=shapes.ReasonIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: str) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        reason = self.read(shapes.ReasonIn, request)["reason"]
        return self.one(
            shapes.ContractOut, signing.terminate_contract(actor=self.actor, contract=contract, reason=reason)
        )


class ContractPreview(Door):
    @extend_schema(request=shapes.QuestionIn, responses=shapes.PreviewOut)
    def post(self, request: Request, uid: str) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        question = _question(self.read(shapes.QuestionIn, request))
        return self.one(shapes.PreviewOut, preview(actor=self.actor, contract=contract, question=question))


class ContractRuns(Door):
    @extend_schema(request=shapes.QuestionIn, responses={201: shapes.RunOut})
    def post(self, request: Request, uid: str) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        question = _question(self.read(shapes.QuestionIn, request))
        return self.one(
            shapes.RunOut, submit(actor=self.actor, contract=contract, question=question), status=201
        )


class Runs(Door):
    @extend_schema(operation_id="runs_list", responses=shapes.RunOut(many=True))
    def get(self, request: Request) -> Response:
        return self.page(shapes.RunOut, sandbox.visible_runs(self.actor))


class RunDetail(Door):
    @extend_schema(responses=shapes.RunOut)
    def get(self, request: Request, uid: str) -> Response:
        return self.one(shapes.RunOut, sandbox.get_run(self.actor, uid))


class RunCancellation(Door):
    @extend_schema(request=None, responses=shapes.RunOut)
    def post(self, request: Request, uid: str) -> Response:
        return self.one(shapes.RunOut, cancel(actor=self.actor, run=sandbox.get_run(self.actor, uid)))


class ReleaseDetail(Door):
    """The table as JSON counts as a download and is recorded as one."""

    @extend_schema(responses=shapes.ReleaseOut)
    def get(self, request: Request, uid: str) -> Response:
        release = sandbox.get_release(self.actor, uid)
        download(actor=self.actor, release=release, format_name="receipt")
        return self.one(shapes.ReleaseOut, release)


class ReleaseFile(Door):
    @extend_schema(responses={200: OpenApiTypes.BINARY})
    def get(self, request: Request, uid: str, format_name: str) -> HttpResponse:
        """`format_name`: csv, xlsx, parquet or receipt."""
        release = sandbox.get_release(self.actor, uid)
        file = download(actor=self.actor, release=release, format_name=format_name)
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
        return HttpResponse(file.body, content_type=file.content_type, headers=headers)


def _question(data: dict[str, object]) -> Question:
    query = data.get("query")
    return Question(
        text=str(data.get("sql", "")),
        query=query if isinstance(query, dict) else None,
        title=str(data["title"]),
    )
