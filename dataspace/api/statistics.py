"""Statistics worked out from a released table, as on its page: nothing is charged or recorded."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers as s
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dataspace.api.doors import Door
from sandbox import selectors as sandbox
from sandbox.formats import from_ipc
from sandbox.permissions import check_can_open
from sandbox.statistics import Statistic, Wanted, choices, work_out


class StatisticIn(s.Serializer[Any]):
    """Labels are those of the released table's columns; `outcome` is a dimension and `success` one of its values."""

    statistic = s.ChoiceField(choices=[one.value for one in Statistic])
    dimensions = s.ListField(child=s.CharField(), min_length=1, max_length=10)
    count = s.CharField()
    total = s.CharField(required=False, default="")
    outcome = s.CharField(required=False, default="")
    success = s.CharField(required=False, default="")
    share = s.FloatField(required=False, default=0.5, min_value=0.01, max_value=0.99)


class StatisticRow(s.Serializer[Any]):
    of = s.CharField()
    value = s.FloatField(allow_null=True)
    error = s.FloatField(allow_null=True, help_text="standard error of the noise; null where it is not known")


class StatisticOut(s.Serializer[Any]):
    rows = StatisticRow(many=True)
    references = s.ListField(child=s.CharField())


class ReleaseStatistics(Door):
    @extend_schema(request=StatisticIn, responses=StatisticOut)
    def post(self, request: Request, uid: UUID) -> Response:
        """A quantile, histogram, correlation or regression, from the released table alone."""
        release = sandbox.get_release(self.actor, uid)
        check_can_open(self.actor, release)
        said = self.read(StatisticIn, request.data)
        wanted = Wanted(
            **{**said, "statistic": Statistic(said["statistic"]), "dimensions": tuple(said["dimensions"])}
        )
        table, intervals = from_ipc(bytes(release.table)), release.summary.get("intervals", {})
        _check_labels(
            wanted,
            choices(table, release.dimensions, [end for ends in intervals.values() for end in ends]),
        )
        worked = asdict(work_out(table, release.dimensions, intervals, wanted))
        rows = [{"of": of, "value": value, "error": error} for of, value, error in worked["rows"]]
        return self.one(StatisticOut, {"rows": rows, "references": worked["references"]})


def _check_labels(wanted: Wanted, offered: dict[str, Any]) -> None:
    """Raise ValidationError (400) for a label that the table does not have."""
    dimensions, measures = offered["dimensions"], offered["measures"]
    named = {
        "dimensions": set(wanted.dimensions) <= set(dimensions),
        "count": wanted.count in measures,
        "total": not wanted.total or wanted.total in measures,
        "outcome": not wanted.outcome or wanted.success in dimensions.get(wanted.outcome, ()),
    }
    wrong = [name for name, fits in named.items() if not fits]
    if wrong:
        raise ValidationError(
            {
                name: [f"dimensions: {', '.join(dimensions)}; measures: {', '.join(measures)}"]
                for name in wrong
            }
        )
