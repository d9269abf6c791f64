"""The shapes of the API. Serializers read input and write output; they never save."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers as s

from audit.refusals import Refused
from catalog.models import Dataset, Version
from catalog.schema import Grade
from catalog.selectors import versions_of
from contracts.draft import offered_role
from contracts.models import AccessRequest, Contract
from contracts.policy.canonical import parse
from contracts.policy.terms import Lane
from contracts.states import ContractState, Outcome, Purpose, RequestState


class LoginIn(s.Serializer[Any]):
    username = s.CharField(max_length=150)
    password = s.CharField(max_length=200, trim_whitespace=False)


class LoginOut(s.Serializer[Any]):
    token = s.CharField()
    expires = s.DateTimeField()


class DatasetFilters(s.Serializer[Any]):
    """How the catalog is narrowed."""

    q = s.CharField(required=False, max_length=200, help_text="Parts of words; each of them must occur.")
    theme = s.CharField(required=False, max_length=40)
    cadence = s.CharField(required=False, max_length=40)
    provider = s.UUIDField(required=False)
    grade = s.IntegerField(
        required=False, min_value=min(Grade), max_value=max(Grade), help_text="The highest accepted."
    )
    synthetic = s.BooleanField(required=False)


class ColumnOut(s.Serializer[Any]):
    name = s.CharField()
    type = s.CharField()
    kind = s.CharField()
    grade = s.IntegerField()
    meaning = s.CharField()
    domain = s.ListField(child=s.CharField(), allow_null=True)
    offered_as = s.SerializerMethodField()

    def get_offered_as(self, column: Any) -> str | None:
        """`dimension`, `measure`, `unit`, or null for a column no contract can include."""
        return offered_role(column)


class DatasetOut(s.ModelSerializer[Dataset]):
    provider = s.CharField(source="provider.name")
    provider_uid = s.UUIDField(source="provider.uid")
    grade = s.IntegerField(allow_null=True)
    rows = s.SerializerMethodField()

    class Meta:
        model = Dataset
        fields = (
            "uid", "name", "title", "title_en", "description", "provider", "provider_uid", "theme", "cadence",
            "synthetic", "state", "grade", "rows",
        )  # fmt: skip

    def get_rows(self, dataset: Dataset) -> int | None:
        """Rounded to two digits where the records are of persons or enterprises."""
        return dataset.current.told_rows if dataset.current else None


class VersionOut(s.ModelSerializer[Version]):
    rows = s.IntegerField(source="told_rows", allow_null=True)

    class Meta:
        model = Version
        fields = ("uid", "number", "rows", "published", "sha256", "sm3")


class DatasetDetailOut(DatasetOut):
    columns = s.SerializerMethodField()
    versions = s.SerializerMethodField()

    class Meta(DatasetOut.Meta):
        fields = (*DatasetOut.Meta.fields, "columns", "versions")  # type: ignore[assignment]

    @extend_schema_field(ColumnOut(many=True))
    def get_columns(self, dataset: Dataset) -> list[dict[str, Any]]:
        version = dataset.current
        return list(ColumnOut(version.schema.columns, many=True).data) if version else []

    @extend_schema_field(VersionOut(many=True))
    def get_versions(self, dataset: Dataset) -> list[dict[str, Any]]:
        published = versions_of(self.context["actor"], dataset).exclude(published=None)
        return list(VersionOut(published, many=True).data)


class WishIn(s.Serializer[Any]):
    dataset = s.CharField(max_length=48, help_text="The dataset's name or uid.")
    columns = s.ListField(child=s.CharField(max_length=48), max_length=500)


class RequestFilters(s.Serializer[Any]):
    state = s.ChoiceField(required=False, choices=RequestState.choices)
    waiting = s.BooleanField(
        required=False, help_text="Only those that wait for your organization's decision."
    )


class RequestIn(s.Serializer[Any]):
    datasets = s.ListField(child=WishIn(), min_length=1, max_length=50)
    purpose = s.ChoiceField(choices=Purpose.choices)
    scenario = s.CharField(max_length=2000)
    wanted = s.CharField(max_length=2000)
    term_days = s.IntegerField(min_value=1, max_value=1825)
    max_runs = s.IntegerField(min_value=1, max_value=100_000)


class DecisionOut(s.Serializer[Any]):
    organization = s.CharField(source="organization.name")
    part = s.CharField()
    outcome = s.CharField()
    reason = s.CharField()
    decided = s.DateTimeField(allow_null=True)


class ItemOut(s.Serializer[Any]):
    dataset = s.CharField(source="dataset.name")
    columns = s.ListField(child=s.CharField())


class RequestOut(s.ModelSerializer[AccessRequest]):
    organization = s.CharField(source="organization.name")
    datasets = ItemOut(many=True, source="items")
    decisions = DecisionOut(many=True)
    contract = s.UUIDField(source="contract.uid", default=None, allow_null=True)

    class Meta:
        model = AccessRequest
        fields = (
            "uid", "state", "state_since", "organization", "purpose", "scenario", "wanted", "term_days", "max_runs",
            "filed", "datasets", "decisions", "contract",
        )  # fmt: skip


class LaneIn(s.Serializer[Any]):
    lane = s.ChoiceField(choices=[lane.value for lane in Lane])
    low = s.IntegerField(required=False, help_text="Private lane: one unit adds at least this to a cell.")
    high = s.IntegerField(required=False)


class WishedIn(s.Serializer[Any]):
    """What a decider asks for besides yes or no."""

    limits = s.DictField(
        child=s.IntegerField(),
        required=False,
        help_text="Stricter terms: k, dominance, max_runs, …; `allow_scripts` is 1 where every decider says 1.",
    )
    lanes = s.DictField(
        child=LaneIn(),
        required=False,
        help_text="For providers, by measure (`electricity.kwh`; `electricity.` for counts): how its numbers leave.",
    )


class DecisionIn(WishedIn):
    outcome = s.ChoiceField(choices=Outcome.choices)
    reason = s.CharField(max_length=2000)


class ContractFilters(s.Serializer[Any]):
    state = s.ChoiceField(required=False, choices=ContractState.choices)
    waiting = s.BooleanField(
        required=False, help_text="Only those that wait for your organization's signature."
    )


class SignatureOut(s.Serializer[Any]):
    organization = s.CharField(source="organization.name")
    part = s.CharField()
    signed = s.DateTimeField(allow_null=True)


class ContractOut(s.ModelSerializer[Contract]):
    enterprise = s.CharField(source="enterprise.name")
    signatures = SignatureOut(many=True)
    runs_left = s.SerializerMethodField()

    class Meta:
        model = Contract
        fields = (
            "uid", "state", "state_since", "enterprise", "digest", "valid_from", "valid_until", "runs_used",
            "runs_left", "halt_reason", "signatures",
        )  # fmt: skip

    def get_runs_left(self, contract: Contract) -> int | None:
        """Null where the stored document is not readable: nothing runs under such a contract."""
        try:
            return contract.terms.max_runs - contract.runs_used
        except Refused:
            return None


class ContractDetailOut(ContractOut):
    document = s.SerializerMethodField(help_text="ODRL; `digest` is over its RFC 8785 form.")

    class Meta(ContractOut.Meta):
        fields = (*ContractOut.Meta.fields, "document")  # type: ignore[assignment]

    def get_document(self, contract: Contract) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = parse(bytes(contract.document))
        except Refused:  # as in get_runs_left
            return None
        return document


class SignatureIn(s.Serializer[Any]):
    digest = s.CharField(max_length=80, help_text="Of the document you read: `digest` of the contract.")


class ReasonIn(s.Serializer[Any]):
    reason = s.CharField(max_length=500)
