"""What to work out from a released table."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sandbox.statistics import Statistic, Wanted

STATISTICS = [
    (Statistic.QUANTILE.value, _("median or quantile over bands")),
    (Statistic.HISTOGRAM.value, _("histogram")),
    (Statistic.CORRELATION.value, _("correlation of two banded dimensions")),
    (Statistic.LINEAR.value, _("linear regression: a mean explained by dimensions")),
    (Statistic.LOGISTIC.value, _("logistic regression: a share explained by dimensions")),
]


class StatisticForm(forms.Form):
    """By GET: a page that can be sent to a colleague. `choices`: see `sandbox.statistics.choices`."""

    statistic = forms.ChoiceField(label=_("Work out"), choices=STATISTICS)
    dimensions = forms.MultipleChoiceField(
        label=_("Over or explained by"), widget=forms.CheckboxSelectMultiple,
        help_text=_("One for a quantile or histogram, two for a correlation."),
    )  # fmt: skip
    count = forms.ChoiceField(label=_("Counts"))
    total = forms.ChoiceField(label=_("Sums (linear regression)"), required=False)
    share = forms.FloatField(
        label=_("Quantile"), required=False, min_value=0.01, max_value=0.99, initial=0.5,
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )  # fmt: skip
    outcome = forms.ChoiceField(label=_("Outcome (logistic regression)"), required=False)

    def __init__(self, data: Any, *, choices: dict[str, Any]) -> None:
        super().__init__(data)
        dimensions: dict[str, list[str]] = choices["dimensions"]
        measures = [(name, name) for name in choices["measures"]]
        outcomes = [
            (f"{name}={value}", f"{name} = {value}") for name, of in dimensions.items() for value in of
        ]
        offered = {
            "dimensions": [(name, name) for name in dimensions],
            "count": measures,
            "total": [("", "–"), *measures],
            "outcome": [("", "–"), *outcomes],
        }
        for name, options in offered.items():
            self.fields[name].choices = options  # type: ignore[attr-defined]

    @property
    def wanted(self) -> Wanted:
        found = self.cleaned_data
        outcome, _equals, success = found.get("outcome", "").partition("=")
        explaining = tuple(name for name in found["dimensions"] if name != outcome)
        return Wanted(
            Statistic(found["statistic"]), explaining, found["count"], found.get("total", ""), outcome, success,
            found.get("share") or 0.5,
        )  # fmt: skip
