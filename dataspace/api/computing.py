"""The shapes of questions, previews, runs and releases."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers as s

from contracts.policy.terms import Lane
from sandbox.formats import from_ipc, rows
from sandbox.models import Release, Run
from sandbox.services.preview import Preview
from sandbox.states import RunState


class QuestionIn(s.Serializer[Any]):
    """SQL, or the structured form of the same: exactly one of them."""

    sql = s.CharField(required=False, trim_whitespace=False)
    query = s.DictField(required=False)
    title = s.CharField(required=False, max_length=120, default="")
    script = s.UUIDField(
        required=False, help_text="Ask the records that this script prepared, in place of its dataset's own."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("sql" in attrs) == ("query" in attrs):
            raise s.ValidationError("Give either `sql` or `query`.")
        return attrs


class ProblemOut(s.Serializer[Any]):
    """What is wrong with a question: by which term, and where in the SQL (from 1; 0 where there is no place)."""

    code = s.CharField()
    reason = s.CharField()
    line = s.IntegerField(required=False)
    column = s.IntegerField(required=False)
    term = s.CharField(required=False)


class WarningOut(s.Serializer[Any]):
    """What does not hinder a computation but should be known before it."""

    code = s.CharField()
    reason = s.CharField()


class ExpectedOut(s.Serializer[Any]):
    """Half the width of a measure's 95 % interval before it is asked; of averages, times the records of the cell."""

    label = s.CharField()  # type: ignore[assignment]  # the API's word
    half_width = s.FloatField()
    over_records = s.BooleanField()


class PreviewOut(s.Serializer[Any]):
    problems = ProblemOut(many=True)
    warnings = WarningOut(many=True)
    rows = s.IntegerField(help_text="Rounded as in the catalog.")
    cells = s.IntegerField()
    runs_left = s.IntegerField()
    lane = s.ChoiceField(choices=[lane.value for lane in Lane])
    repeated = s.BooleanField(help_text="It was answered before; the same answer costs nothing.")
    charge = s.IntegerField(help_text="Private lane: what it would cost, in micro-rho.")
    questions_left = s.IntegerField(
        allow_null=True, help_text="Private lane: so many full questions before it."
    )
    expected = s.SerializerMethodField()
    query = s.SerializerMethodField()

    @extend_schema_field(ExpectedOut(many=True))
    def get_expected(self, preview: Preview) -> list[dict[str, Any]]:
        return [
            {"label": label, "half_width": error.half_width, "over_records": error.over_rows}
            for label, error in preview.expected.items()
        ]

    def get_query(self, preview: Any) -> dict[str, Any] | None:
        return preview.query.to_json() if preview.query else None


class RunFilters(s.Serializer[Any]):
    contract = s.UUIDField(required=False)
    state = s.ChoiceField(required=False, choices=RunState.choices)


class RunOut(s.ModelSerializer[Run]):
    title = s.CharField(source="computation.title")
    contract = s.UUIDField(source="contract.uid")
    release = s.UUIDField(source="release.uid", default=None, allow_null=True)
    script = s.UUIDField(
        source="computation.script.uid", default=None, allow_null=True, help_text="Whose records are asked."
    )
    failure_text = s.CharField(source="get_failure_display")

    class Meta:
        model = Run
        fields = (
            "uid", "title", "contract", "state", "state_since", "queued", "cancel_requested", "failure",
            "failure_text", "release", "script",
        )  # fmt: skip


class ReleaseOut(s.ModelSerializer[Release]):
    run = s.UUIDField(source="run.uid")
    columns = s.SerializerMethodField()
    rows = s.SerializerMethodField()
    receipt = s.SerializerMethodField()

    class Meta:
        model = Release
        fields = ("uid", "run", "released", "digest", "summary", "columns", "rows", "receipt")

    def get_columns(self, release: Release) -> list[str]:
        return list(from_ipc(bytes(release.table)).column_names)

    def get_rows(self, release: Release) -> list[list[Any]]:
        """Values that are not shown are null; exact decimals are text."""
        return rows(from_ipc(bytes(release.table)), release.dimensions)

    def get_receipt(self, release: Release) -> dict[str, Any]:
        receipt: dict[str, Any] = json.loads(bytes(release.receipt))
        return receipt
