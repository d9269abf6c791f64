"""The same steps, services and refusals as in the portal. A door parses, fetches with a check, calls one service."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import selectors as catalog
from contracts import selectors as contracts
from contracts.services import requests as request_services
from contracts.services import signing
from contracts.services.requests import Wish
from dataspace.api import computing
from dataspace.api import serializers as shapes
from dataspace.api.doors import Door, ListDoor
from sandbox import selectors as sandbox
from sandbox.formats import FORMATS
from sandbox.models import Run
from sandbox.services.download import download
from sandbox.services.preview import preview
from sandbox.services.submit import Question, cancel, submit


class Datasets(ListDoor):
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="datasets_search", parameters=[shapes.DatasetFilters], responses=shapes.DatasetOut(many=True)
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The datasets you may see, best match first."""
        chosen = self.filters(shapes.DatasetFilters)
        text = chosen.pop("q", "")
        return self.page(shapes.DatasetOut, catalog.search(self.actor, text, catalog.Filters(**chosen)))


class DatasetDetail(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=shapes.DatasetDetailOut)
    def get(self, request: Request, name: str) -> Response:
        """`name`: the dataset's name or uid."""
        return self.one(shapes.DatasetDetailOut, catalog.get_dataset(self.actor, name))


class Requests(ListDoor):
    @extend_schema(
        operation_id="requests_list", parameters=[shapes.RequestFilters], responses=shapes.RequestOut(many=True)
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        chosen = self.filters(shapes.RequestFilters)
        chosen_from = (
            contracts.requests_waiting_for if chosen.pop("waiting", False) else contracts.visible_requests
        )
        found = (
            chosen_from(self.actor).filter(**chosen).select_related("contract").defer("contract__document")
        )
        return self.page(shapes.RequestOut, found)

    @extend_schema(request=shapes.RequestIn, responses={201: shapes.RequestOut})
    def post(self, request: Request) -> Response:
        data = self.read(shapes.RequestIn, request.data)
        wishes = [
            Wish(catalog.get_dataset(self.actor, w["dataset"]), w["columns"]) for w in data.pop("datasets")
        ]
        if len({wish.dataset.pk for wish in wishes}) < len(wishes):
            raise ValidationError({"datasets": [_("Name each dataset once.")]})
        filed = request_services.file_request(actor=self.actor, wishes=wishes, **data)
        return self.one(shapes.RequestOut, filed, status=201)


class RequestDetail(Door):
    @extend_schema(responses=shapes.RequestOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.one(shapes.RequestOut, contracts.get_request(self.actor, uid))


class RequestDecision(Door):
    @extend_schema(request=shapes.DecisionIn, responses=shapes.RequestOut)
    def post(self, request: Request, uid: UUID) -> Response:
        asked = contracts.get_request(self.actor, uid)
        data = self.read(shapes.DecisionIn, request.data)
        return self.one(
            shapes.RequestOut, request_services.decide_request(actor=self.actor, request=asked, **data)
        )


class RequestWithdrawal(Door):
    @extend_schema(request=None, responses=shapes.RequestOut)
    def post(self, request: Request, uid: UUID) -> Response:
        asked = contracts.get_request(self.actor, uid)
        return self.one(shapes.RequestOut, request_services.withdraw_request(actor=self.actor, request=asked))


class Contracts(ListDoor):
    @extend_schema(
        operation_id="contracts_list", parameters=[shapes.ContractFilters], responses=shapes.ContractOut(many=True)
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        chosen = self.filters(shapes.ContractFilters)
        chosen_from = (
            contracts.contracts_waiting_for if chosen.pop("waiting", False) else contracts.visible_contracts
        )
        return self.page(shapes.ContractOut, chosen_from(self.actor).filter(**chosen))


class ContractDetail(Door):
    @extend_schema(responses=shapes.ContractDetailOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.one(shapes.ContractDetailOut, contracts.get_contract(self.actor, uid))


class ContractSignature(Door):
    @extend_schema(request=shapes.SignatureIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: UUID) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        digest = self.read(shapes.SignatureIn, request.data)["digest"]
        return self.one(
            shapes.ContractOut, signing.sign_contract(actor=self.actor, contract=contract, digest=digest)
        )


class ContractSuspension(Door):
    @extend_schema(request=shapes.ReasonIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: UUID) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        reason = self.read(shapes.ReasonIn, request.data)["reason"]
        return self.one(
            shapes.ContractOut, signing.suspend_contract(actor=self.actor, contract=contract, reason=reason)
        )

    @extend_schema(request=None, responses={200: shapes.ContractOut})
    def delete(self, request: Request, uid: UUID) -> Response:
        """Resume."""
        contract = contracts.get_contract(self.actor, uid)
        return self.one(shapes.ContractOut, signing.resume_contract(actor=self.actor, contract=contract))


class ContractTermination(Door):
    @extend_schema(request=shapes.ReasonIn, responses=shapes.ContractOut)
    def post(self, request: Request, uid: UUID) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        reason = self.read(shapes.ReasonIn, request.data)["reason"]
        return self.one(
            shapes.ContractOut, signing.terminate_contract(actor=self.actor, contract=contract, reason=reason)
        )


class ContractPreview(Door):
    @extend_schema(request=computing.QuestionIn, responses=computing.PreviewOut)
    def post(self, request: Request, uid: UUID) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        question = _question(self.read(computing.QuestionIn, request.data))
        return self.one(computing.PreviewOut, preview(actor=self.actor, contract=contract, question=question))


class ContractRuns(Door):
    @extend_schema(request=computing.QuestionIn, responses={201: computing.RunOut})
    def post(self, request: Request, uid: UUID) -> Response:
        contract = contracts.get_contract(self.actor, uid)
        question = _question(self.read(computing.QuestionIn, request.data))
        return self.one(
            computing.RunOut, submit(actor=self.actor, contract=contract, question=question), status=201
        )


class Runs(ListDoor):
    @extend_schema(
        operation_id="runs_list", parameters=[computing.RunFilters], responses=computing.RunOut(many=True)
    )
    def get(self, request: Request) -> Response:
        chosen = self.filters(computing.RunFilters)
        if "contract" in chosen:
            chosen["contract__uid"] = chosen.pop("contract")
        return self.page(computing.RunOut, _light(sandbox.visible_runs(self.actor).filter(**chosen)))


class RunDetail(Door):
    @extend_schema(responses=computing.RunOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.one(computing.RunOut, sandbox.get_run(self.actor, uid))


class RunCancellation(Door):
    @extend_schema(request=None, responses=computing.RunOut)
    def post(self, request: Request, uid: UUID) -> Response:
        return self.one(computing.RunOut, cancel(actor=self.actor, run=sandbox.get_run(self.actor, uid)))


class ReleaseDetail(Door):
    @extend_schema(responses=computing.ReleaseOut)
    def get(self, request: Request, uid: UUID) -> Response:
        """The table and its receipt as JSON. It counts as a download and is recorded as one."""
        release = sandbox.get_release(self.actor, uid)
        download(actor=self.actor, release=release, format_name="json")
        return self.one(computing.ReleaseOut, release)


class ReleaseFile(Door):
    @extend_schema(
        operation_id="releases_download",
        parameters=[OpenApiParameter("format_name", str, "path", enum=[*FORMATS, "receipt"])],
        responses={
            **{(200, made.content_type.partition(";")[0]): OpenApiTypes.BINARY for made in FORMATS.values()},
            (200, "application/json"): OpenApiTypes.OBJECT,
        },
    )
    def get(self, request: Request, uid: UUID, format_name: str) -> HttpResponse:
        """A file with its provenance, or the receipt. Recorded."""
        release = sandbox.get_release(self.actor, uid)
        file = download(actor=self.actor, release=release, format_name=format_name)
        headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return HttpResponse(file.body, content_type=file.content_type, headers=headers)


def _question(data: dict[str, object]) -> Question:
    query = data.get("query")
    return Question(
        text=str(data.get("sql", "")),
        query=query if isinstance(query, dict) else None,
        title=str(data["title"]),
        script=str(data.get("script", "")),
    )


def _light(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Without the tables and documents, which a list does not show."""
    return runs.defer(
        "spec", "computation__query", "computation__text", "computation__script__source", "contract__document",
        "release__table", "release__evidence", "release__receipt", "release__summary",
    )  # fmt: skip
