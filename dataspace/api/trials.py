"""Trials: what terms would withhold, asked for and read by a decider on a request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers as s
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import selectors as contracts
from contracts.policy.terms import Lane
from dataspace.api.doors import Door, ListDoor
from dataspace.api.serializers import WishedIn
from sandbox import selectors as sandbox
from sandbox.models import Trial
from sandbox.services.trials import try_terms
from sandbox.trials.result import OVER, UNDER


class ShareOut(s.Serializer[Any]):
    """Withheld cells that hold units, of all cells that hold units, in whole percent; 0 and 100 are none and all."""

    percent = s.IntegerField()
    bound = s.ChoiceField(choices=["", UNDER, OVER])


class WithheldOut(s.Serializer[Any]):
    measure = s.CharField(help_text="A column; empty for the counts of units.")
    share = ShareOut(allow_null=True, help_text="Null where no cell holds a unit with a value.")


class TriedTableOut(s.Serializer[Any]):
    by = s.ListField(child=s.CharField())
    cells = s.IntegerField(help_text="That the table could have.")
    lane = s.ChoiceField(choices=[lane.value for lane in Lane], help_text="Never `private`: see `noise`.")
    withheld = WithheldOut(many=True)
    problem = s.ChoiceField(choices=["", "not_releasable", "limit"], help_text="Why there are no shares.")


class NoiseOut(s.Serializer[Any]):
    """Half the width of the 95 % interval of each cell, where the measure is asked for alone."""

    measure = s.CharField()
    by = s.ListField(child=s.CharField())
    half_width = s.FloatField()


class TriedOut(s.Serializer[Any]):
    dataset = s.CharField()
    tables = TriedTableOut(many=True)
    noise = NoiseOut(many=True)
    questions_left = s.IntegerField(allow_null=True)


class TrialOut(s.ModelSerializer[Trial]):
    request = s.UUIDField(source="request.uid")
    terms = s.CharField(source="digest", help_text="Of the terms that were tried.")
    failure_text = s.CharField(source="get_failure_display")
    datasets = s.SerializerMethodField()

    class Meta:
        model = Trial
        fields = (
            "uid", "request", "state", "state_since", "asked", "terms", "failure", "failure_text", "datasets",
        )  # fmt: skip

    @extend_schema_field(TriedOut(many=True))
    def get_datasets(self, trial: Trial) -> list[dict[str, Any]]:
        """Empty until it is done."""
        found = (trial.result or {}).get("datasets", [])
        return list(TriedOut(found, many=True).data)


class Trials(ListDoor):
    @extend_schema(operation_id="trials_list", responses=TrialOut(many=True))
    def get(self, request: Request, uid: UUID) -> Response:
        """Those your organization has asked for on this request."""
        asked = contracts.get_request(self.actor, uid)
        return self.page(TrialOut, sandbox.visible_trials(self.actor).filter(request=asked))

    @extend_schema(request=WishedIn, responses={201: TrialOut})
    def post(self, request: Request, uid: UUID) -> Response:
        """Try the terms your decision would make, before you decide. Ask for the answer until it is done."""
        asked = contracts.get_request(self.actor, uid)
        data = self.read(WishedIn, request.data)
        return self.one(TrialOut, try_terms(actor=self.actor, request=asked, **data), status=201)


class TrialDetail(Door):
    @extend_schema(responses=TrialOut)
    def get(self, request: Request, uid: UUID) -> Response:
        return self.one(TrialOut, sandbox.get_trial(self.actor, uid))
